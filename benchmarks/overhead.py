"""What our interpreter costs over a hand-written Temporal workflow: ``python -m benchmarks.overhead``.

The same activities on both sides, one server, one worker, one process; the sides take turns, so that a noisy machine
is noisy for both. The latency is that of a lone run, seen by its caller; the throughput is that of 20 runs in flight.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks import by_hand, with_mastra
from benchmarks.work import Item
from mastra_temporal import MastraPlugin, Workflow
from mastra_temporal.devserver import start_dev_server

LATENCY_LIMIT = 1.10
THROUGHPUT_LIMIT = 0.90
EVENTS_LIMIT = 3
IN_FLIGHT = 20
BLOCKS = 6
WARM_UP = 10

RunOnce = Callable[[], Awaitable[str]]
"""Runs a workflow to its end and returns its id."""


@dataclass(frozen=True)
class Comparison:
    """A piece of work, done both ways."""

    name: str
    by_hand: RunOnce
    ours: RunOnce


async def main(pairs: int, runs: int) -> None:
    """Measure and print."""
    async with start_dev_server() as server:
        mastra = with_mastra.mastra
        client = await mastra.connect(await Client.connect(server.address, plugins=[MastraPlugin(mastra)]))
        workflows, activities = [by_hand.Sequential, by_hand.Parallel], by_hand.ACTIVITIES
        async with Worker(client, task_queue=mastra.task_queue, workflows=workflows, activities=activities):
            for comparison in (
                _comparison(client, "five sequential steps", by_hand.Sequential, with_mastra.sequential),
                _comparison(client, "ten parallel steps", by_hand.Parallel, with_mastra.parallel),
            ):
                await _compare(client, comparison, pairs, runs)


def _comparison(client: Client, name: str, workflow: type[Any], definition: Workflow[Any, Any, Any]) -> Comparison:
    item = Item(count=0)

    async def run_by_hand() -> str:
        run_id = str(uuid.uuid4())
        await client.execute_workflow(workflow.run, item, id=run_id, task_queue=with_mastra.mastra.task_queue)
        return run_id

    async def run_ours() -> str:
        run = await definition.create_run()
        result = await run.start(input_data=item)
        assert result.status == "success", result
        return run.run_id

    return Comparison(name, run_by_hand, run_ours)


async def _compare(client: Client, comparison: Comparison, pairs: int, runs: int) -> None:
    for _ in range(min(WARM_UP, pairs)):
        await comparison.by_hand()
        await comparison.ours()
    by_hand_s, ours_s = await _latencies(comparison, pairs)
    print(
        f"ratio {comparison.name}: latency {ours_s / by_hand_s:.2f} (limit {LATENCY_LIMIT:.2f}; "
        f"by hand {by_hand_s * 1000:.1f} ms, ours {ours_s * 1000:.1f} ms, medians of {pairs})",
        flush=True,
    )
    by_hand_rate, ours_rate = await _throughputs(comparison, runs)
    print(
        f"ratio {comparison.name}: throughput {ours_rate / by_hand_rate:.2f} (limit {THROUGHPUT_LIMIT:.2f}; "
        f"by hand {by_hand_rate:.0f} runs/s, ours {ours_rate:.0f} runs/s, {runs} runs each, {IN_FLIGHT} in flight)",
        flush=True,
    )
    by_hand_events, ours_events = [await _events(client, await run()) for run in (comparison.by_hand, comparison.ours)]
    print(f"events {comparison.name}: {by_hand_events} -> {ours_events} (limit +{EVENTS_LIMIT})", flush=True)


async def _latencies(comparison: Comparison, pairs: int) -> tuple[float, float]:
    by_hand_times: list[float] = []
    ours_times: list[float] = []
    for number in range(pairs):
        turns = [(comparison.by_hand, by_hand_times), (comparison.ours, ours_times)]
        for run, times in turns if number % 2 else reversed(turns):
            began = time.perf_counter()
            await run()
            times.append(time.perf_counter() - began)
    return median(by_hand_times), median(ours_times)


async def _throughputs(comparison: Comparison, runs: int) -> tuple[float, float]:
    per_block = max(1, runs // BLOCKS)
    by_hand_s = ours_s = 0.0
    for _ in range(BLOCKS):
        by_hand_s += await _block(comparison.by_hand, per_block)
        ours_s += await _block(comparison.ours, per_block)
    return per_block * BLOCKS / by_hand_s, per_block * BLOCKS / ours_s


async def _block(run: RunOnce, runs: int) -> float:
    left = iter(range(runs))

    async def keep_running() -> None:
        for _ in left:
            await run()

    began = time.perf_counter()
    await asyncio.gather(*(keep_running() for _ in range(IN_FLIGHT)))
    return time.perf_counter() - began


async def _events(client: Client, run_id: str) -> int:
    return len((await client.get_workflow_handle(run_id).fetch_history()).events)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--pairs", type=int, default=60, help="runs per side for the latency (default: 60)")
    parser.add_argument("--runs", type=int, default=300, help="runs per side for the throughput (default: 300)")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.pairs, arguments.runs))
