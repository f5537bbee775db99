"""Compares our interpreter with hand-written Temporal workflows: ``python -m benchmarks.overhead``.

All sides run the same activities on one server, with one worker in one process. The sides take turns, so other load on
the machine affects all of them. The latency is that of a single run, measured by its caller. The throughput is that of
20 runs in flight.

With ``--tracing`` it compares our workflows with and without tracing. Each side has its own worker. The spans go
through the usual processor, to an exporter that drops them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any, TypeVar

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks import by_hand, with_mastra
from benchmarks.work import PARALLEL, SEQUENTIAL, Item, one_more
from mastra_temporal import MastraPlugin, Workflow
from mastra_temporal.cli.running import run
from mastra_temporal.devserver import start_dev_server

LATENCY_LIMIT = 1.10
THROUGHPUT_LIMIT = 0.90
EVENTS_LIMIT = 3
IN_FLIGHT = 20
BLOCKS = 12
WARM_UP = 10


@dataclass
class Side:
    """One implementation of the work, and its measurements."""

    name: str
    run_once: Callable[[], Awaitable[str]]
    """Runs a workflow to its end and returns the run's id."""
    run_ids: list[str] = field(default_factory=list[str])
    latencies: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])


SideT = TypeVar("SideT", bound=Side)


async def measure(pairs: int, runs: int) -> None:
    """Measure all sides and print the results."""
    async with start_dev_server() as server:
        mastra = with_mastra.mastra
        client = await mastra.connect(await Client.connect(server.address, plugins=[MastraPlugin(mastra)]))
        activities = [_activity(name) for name in (*SEQUENTIAL, *PARALLEL)]
        async with Worker(client, task_queue=mastra.task_queue, workflows=by_hand.WORKFLOWS, activities=activities):
            for work, definition, plain, without_sandbox in (
                (
                    "five sequential steps",
                    mastra.get_workflow("sequential"),
                    by_hand.Sequential,
                    by_hand.SequentialWithoutSandbox,
                ),
                (
                    "ten parallel steps",
                    mastra.get_workflow("parallel"),
                    by_hand.Parallel,
                    by_hand.ParallelWithoutSandbox,
                ),
            ):
                others = [
                    _by_hand(client, "hand-written", plain),
                    _by_hand(client, "hand-written without sandbox", without_sandbox),
                ]
                await _compare(client, work, _ours(definition), others, pairs=pairs, runs=runs)


async def measure_tracing(pairs: int, runs: int) -> None:
    """Measure and print the cost of tracing."""
    # Imported here, because only this measurement needs OpenTelemetry.
    from opentelemetry.sdk.trace.export import SpanExporter
    from temporalio.contrib.opentelemetry import create_tracer_provider

    from mastra_temporal._tracing.processor import PromptSpanProcessor

    provider = create_tracer_provider()
    provider.add_span_processor(PromptSpanProcessor(SpanExporter()))
    async with start_dev_server() as server, contextlib.AsyncExitStack() as workers:
        registries = with_mastra.registry("overhead-traced"), with_mastra.registry("overhead-untraced")
        for mastra, tracing in zip(registries, (provider, False), strict=True):
            plugin = MastraPlugin(mastra, tracing=tracing)
            client = await mastra.connect(await Client.connect(server.address, plugins=[plugin]))
            await workers.enter_async_context(Worker(client, task_queue=mastra.task_queue))
        for work, name in (("five sequential steps", "sequential"), ("ten parallel steps", "parallel")):
            traced, untraced = [_ours(mastra.get_workflow(name)) for mastra in registries]
            for _ in range(min(WARM_UP, pairs)):
                await traced.run_once()
                await untraced.run_once()
            await measure_latency([traced, untraced], pairs)
            await _measure_throughput([traced, untraced], runs)
            print(
                f"ratio {work}, latency with traces over without: {ratio(traced.latencies, untraced.latencies):.2f} "
                f"({median(traced.latencies) * 1000:.1f} ms to {median(untraced.latencies) * 1000:.1f} ms, "
                f"medians of {pairs})",
                flush=True,
            )
            print(
                f"ratio {work}, throughput with traces over without: {ratio(traced.rates, untraced.rates):.2f} "
                f"({median(traced.rates):.0f} to {median(untraced.rates):.0f} runs/s, medians of {BLOCKS} blocks, "
                f"{runs} runs each, {IN_FLIGHT} in flight)",
                flush=True,
            )
    provider.shutdown()


def _activity(name: str) -> Callable[..., Any]:
    @activity.defn(name=name)
    async def body(item: Item) -> Item:
        return await one_more(item)

    return body


def _by_hand(client: Client, name: str, workflow: type[Any]) -> Side:
    async def run_once() -> str:
        run_id = str(uuid.uuid4())
        await client.execute_workflow(workflow.run, Item(count=0), id=run_id, task_queue=with_mastra.mastra.task_queue)
        return run_id

    return Side(name, run_once)


def _ours(definition: Workflow[Any, Any, Any]) -> Side:
    async def run_once() -> str:
        run = await definition.create_run()
        result = await run.start(input_data=Item(count=0))
        assert result.status == "success", result
        return run.run_id

    return Side("ours", run_once)


async def _compare(client: Client, work: str, ours: Side, others: list[Side], *, pairs: int, runs: int) -> None:
    sides = [ours, *others]
    for _ in range(min(WARM_UP, pairs)):
        for side in sides:
            await side.run_once()
    await measure_latency(sides, pairs)
    for other in others:
        print(
            f"ratio {work}, latency over {other.name}: {ratio(ours.latencies, other.latencies):.2f} "
            f"(limit {LATENCY_LIMIT:.2f}; {median(ours.latencies) * 1000:.1f} ms to "
            f"{median(other.latencies) * 1000:.1f} ms, medians of {pairs})",
            flush=True,
        )
    await _measure_throughput(sides, runs)
    for other in others:
        print(
            f"ratio {work}, throughput over {other.name}: {ratio(ours.rates, other.rates):.2f} "
            f"(limit {THROUGHPUT_LIMIT:.2f}; {median(ours.rates):.0f} to {median(other.rates):.0f} runs/s, "
            f"medians of {BLOCKS} blocks, {runs} runs each, {IN_FLIGHT} in flight)",
            flush=True,
        )
    before, after = [await _events(client, side.run_ids) for side in (others[0], ours)]
    print(f"events {work}: {before:.1f} -> {after:.1f} (limit +{EVENTS_LIMIT}, means of {pairs})", flush=True)


def ratio(ours: list[float], others: list[float]) -> float:
    """Return the median of the ratios of measurements made next to each other, which a slow phase affects equally."""
    ratios = [mine / other for mine, other in zip(ours, others, strict=True) if other]
    return median(ratios) if ratios else float("nan")


def in_turn(sides: Sequence[SideT], number: int) -> list[SideT]:
    """Return the sides, each time beginning with another one."""
    first = number % len(sides)
    return [*sides[first:], *sides[:first]]


async def measure_latency(sides: Sequence[Side], pairs: int) -> None:
    """Measure single runs of the sides in turn."""
    for number in range(pairs):
        for side in in_turn(sides, number):
            began = time.perf_counter()
            side.run_ids.append(await side.run_once())
            side.latencies.append(time.perf_counter() - began)


async def _measure_throughput(sides: list[Side], runs: int) -> None:
    for number in range(BLOCKS):
        for side in in_turn(sides, number):
            side.rates.append(await _rate(side, max(1, runs // BLOCKS)))


async def _rate(side: Side, runs: int) -> float:
    began = time.perf_counter()
    await run_many(side, runs)
    return runs / (time.perf_counter() - began)


async def run_many(side: Side, runs: int) -> None:
    """Run a side that many times, with `IN_FLIGHT` runs in flight."""
    left = iter(range(runs))

    async def keep_running() -> None:
        for _ in left:
            await side.run_once()

    await asyncio.gather(*(keep_running() for _ in range(IN_FLIGHT)))


async def _events(client: Client, run_ids: list[str]) -> float:
    """Return the mean number of events of the runs. It varies, because parallel steps may share a workflow task."""
    histories = [await client.get_workflow_handle(run_id).fetch_history() for run_id in run_ids]
    return mean(len(history.events) for history in histories)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description="What the interpreter costs.")
    parser.add_argument("--pairs", type=int, default=120, help="runs of each side for the latency (default: 120)")
    parser.add_argument("--runs", type=int, default=480, help="runs of each side for the throughput (default: 480)")
    parser.add_argument("--tracing", action="store_true", help="measure what traces cost instead")
    arguments = parser.parse_args()
    measured = measure_tracing if arguments.tracing else measure
    return run(measured(arguments.pairs, arguments.runs))


if __name__ == "__main__":
    raise SystemExit(main())
