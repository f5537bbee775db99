"""Compares our workflows with hand-written ones, for every kind of entry: ``python -m benchmarks.workloads``.

All sides run the same activities on one server and in one worker process, which is not this one. They take turns, so
other load on the machine affects all of them. Each table has the ratios of ours to hand-written workflows, with the
SDK's sandbox and without it, and the figures behind the ratios:

* latency: the median of single runs, measured by their caller;
* runs/s: with 20 in flight;
* worker CPU: of one run, with 20 in flight, in milliseconds;
* events and bytes of the history of a run.

The limits are those of the ratio to hand-written workflows without sandbox.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from benchmarks import overhead
from benchmarks.overhead import in_turn, measure_latency, ratio, run_many
from benchmarks.recovery import use
from benchmarks.suspended import require
from benchmarks.workloads_app import LARGE, OURS, TASK_QUEUE, Item, mastra
from benchmarks.workloads_by_hand import SANDBOXED, UNSANDBOXED, Suspend
from mastra_temporal import Workflow
from mastra_temporal.cli.running import run
from mastra_temporal.devserver import start_dev_server

BLOCKS = 4
WARM_UP = 3
LARGE_SHARE = 4
"""A workload with hundreds of steps has this many times fewer runs."""
START = Item(count=0)


@dataclass
class Side(overhead.Side):
    """One implementation of a workload, and its measurements."""

    cpu: list[float] = field(default_factory=list[float])
    events: float = 0
    history_bytes: float = 0


@contextlib.asynccontextmanager
async def worker() -> AsyncGenerator[int]:
    """Run the worker process, and yield its pid."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.workloads_app")
    try:
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far. Works on Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ours(workload: str, workflow: Workflow[Any, Any, Any]) -> Side:
    """Return our side of a workload."""
    data: Any = [Item(count=number) for number in range(LARGE)] if workload.startswith("foreach") else START

    async def run_once() -> str:
        started = await workflow.create_run()
        result = await started.start(input_data=data)
        if result.status == "suspended":
            result = await started.resume(resume_data=START)
        require(result.status == "success", f"{workload}: {result.status} {result.error}")
        return started.run_id

    return Side("ours", run_once)


def by_hand(client: Client, name: str, workflow: type[Any]) -> Side:
    """Return a hand-written side of a workload."""

    async def run_once() -> str:
        run_id = str(uuid.uuid4())
        await client.execute_workflow(workflow.run, START, id=run_id, task_queue=TASK_QUEUE)
        return run_id

    async def suspend_and_resume() -> str:
        run_id = str(uuid.uuid4())
        policy = WorkflowIDConflictPolicy.FAIL
        start = WithStartWorkflowOperation[Any, Any](
            workflow.run, START, id=run_id, task_queue=TASK_QUEUE, id_conflict_policy=policy
        )
        await client.execute_update_with_start_workflow(Suspend.suspended, start_workflow_operation=start)
        handle = client.get_workflow_handle(run_id)
        await handle.execute_update(Suspend.resume, START)
        await handle.result()
        return run_id

    return Side(name, suspend_and_resume if issubclass(workflow, Suspend) else run_once)


async def measure(workloads: list[str], pairs: int, runs: int) -> None:
    async with start_dev_server() as server:
        use(server)
        client = await mastra.connect()
        async with worker() as pid:
            for workload in workloads:
                share = LARGE_SHARE if str(LARGE) in workload else 1
                sides = [
                    ours(workload, OURS[workload]),
                    by_hand(client, "with sandbox", SANDBOXED[workload]),
                    by_hand(client, "without sandbox", UNSANDBOXED[workload]),
                ]
                for _ in range(WARM_UP if share == 1 else 1):
                    for side in sides:
                        await side.run_once()
                await measure_latency(sides, max(1, pairs // share))
                await measure_throughput(sides, max(1, runs // share), pid)
                for side in sides:
                    await measure_histories(client, side)
                print_table(workload, sides)


async def measure_throughput(sides: list[Side], runs: int, pid: int) -> None:
    for number in range(BLOCKS):
        for side in in_turn(sides, number):
            count = max(1, runs // BLOCKS)
            began, cpu = time.perf_counter(), cpu_seconds(pid)
            await run_many(side, count)
            side.rates.append(count / (time.perf_counter() - began))
            side.cpu.append((cpu_seconds(pid) - cpu) / count)


async def measure_histories(client: Client, side: Side) -> None:
    """Take the means of the single runs. They vary a little, because steps may share a workflow task."""
    histories = [(await client.get_workflow_handle(each).fetch_history()).events for each in side.run_ids]
    side.events = mean(len(events) for events in histories)
    side.history_bytes = mean(sum(event.ByteSize() for event in events) for events in histories)


def print_table(workload: str, sides: list[Side]) -> None:
    names = "".join(f"{f'/ {other.name}':>18}" for other in sides[1:])
    print(f"{workload:<20}{names}{'limit':>8}{'ours':>12}{'with':>12}{'without':>12}")
    rows: list[tuple[str, list[list[float]], float, int, str]] = [
        ("latency, ms", [side.latencies for side in sides], 1000, 1, "1.10"),
        ("runs/s", [side.rates for side in sides], 1, 1, "0.90"),
        ("worker CPU, ms", [side.cpu for side in sides], 1000, 1, "1.25"),
        ("events", [[side.events] for side in sides], 1, 1, "+3"),
        ("bytes", [[side.history_bytes] for side in sides], 1, 0, "1.50"),
    ]
    for name, figures, unit, digits, limit in rows:
        ratios = "".join(f"{ratio(figures[0], other):18.2f}" for other in figures[1:])
        values = "".join(f"{median(each) * unit:12.{digits}f}" for each in figures)
        print(f"  {name:<18}{ratios}{limit:>8}{values}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workloads", description="What the interpreter costs.")
    parser.add_argument("--pairs", type=int, default=40, help="runs of each side for the latency (default: 40)")
    parser.add_argument("--runs", type=int, default=160, help="runs of each side for the throughput (default: 160)")
    parser.add_argument("--only", nargs="+", choices=list(OURS), default=list(OURS), help="the workloads to measure")
    arguments = parser.parse_args()
    return run(measure(arguments.only, arguments.pairs, arguments.runs))


if __name__ == "__main__":
    raise SystemExit(main())
