"""Measures how soon many runs continue after their worker was lost: ``python -m benchmarks.bulk [--runs 1000]``.

One worker runs a step of every run and gets SIGKILL. Then a new worker is started, and one call restarts all runs. The
benchmark fails if a run is not restarted, does not finish, or runs a finished step again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.bulk_app import HANG, mastra, orphans, ping
from benchmarks.recovery import use
from benchmarks.suspended import for_each, require
from mastra_temporal import Run, WorkflowResult
from mastra_temporal.cli.running import run
from mastra_temporal.devserver import start_dev_server

POLL_SECONDS = 0.1
ROOM = 100
"""How many steps the new worker runs at the same time, which is the SDK's default."""
EXPECTED = {"before": 1, "killed": 2, "after": 1}
"""How often each step of a run must have run in the end."""


@contextlib.asynccontextmanager
async def worker(room: int, *arguments: str) -> AsyncGenerator[None]:
    """Run a worker process that runs up to ``room`` steps at the same time. Kill it at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.bulk_app", str(room), *arguments, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await (await ping.create_run()).start(input_data=1)
        yield
    finally:
        process.kill()
        await process.wait()


def effects() -> list[str]:
    """Return the effects of the steps: one line with run id and step id for each execution of a step."""
    file = Path(os.environ["BULK_EFFECTS"])
    return file.read_text().splitlines() if file.exists() else []


async def until(count: int, current: Callable[[], Awaitable[int]]) -> None:
    """Wait until the current number has reached ``count``."""
    while True:
        if await current() >= count:
            return
        await asyncio.sleep(POLL_SECONDS)


async def orphan(count: int) -> list[Run[int]]:
    """Start runs, kill their worker while each run is in its second step, and return the runs."""

    async def inside() -> int:
        return sum(line.endswith(" killed") for line in effects())

    runs = [await orphans.create_run() for _ in range(count)]
    async with worker(count, HANG):
        await for_each(runs, lambda number, run: run.start_async(input_data=number))
        await until(count, inside)
    return runs


async def listed() -> int:
    """Return the number of open runs that the server lists. Visibility lags behind the starts."""
    query = f"WorkflowType = '{orphans.id}' AND ExecutionStatus = 'Running'"
    return (await mastra.client.count_workflows(query)).count


async def restart_all(count: int) -> dict[str, WorkflowResult[Any]]:
    """Restart all runs in one call, and wait for their results."""
    began = time.monotonic()
    report = await mastra.restart_all_active_workflow_runs()
    took = time.monotonic() - began
    results = await report.wait()
    print(
        f"{count} orphaned runs restarted in one call: report after {took:.1f} s, {count / took:.0f} runs/s "
        f"({len(report.restarted)} restarted, {len(report.attached)} attached, {len(report.skipped)} skipped, "
        f"{len(report.failed)} failed); all ended after {time.monotonic() - began:.1f} s",
        flush=True,
    )
    others = {item.why for item in report.runs if item.how != "restarted"}
    require(len(report.restarted) == count, f"Not all were restarted: {others}")
    return results


def check(runs: list[Run[int]], results: dict[str, WorkflowResult[Any]]) -> None:
    """Check that each run has its own result and that no finished step has run again."""
    times = Counter(effects())
    for number, orphaned in enumerate(runs):
        result = results[orphaned.run_id]
        require(result.result == number, f"Run {number} ended as {result.status} with {result.result}.")
        ran = {step: times[f"{orphaned.run_id} {step}"] for step in EXPECTED}
        require(ran == EXPECTED, f"The steps of run {number} ran {ran} times.")
    print("each finished step ran exactly once, each killed one twice", flush=True)


async def measure(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with start_dev_server() as server:
            use(server)
            os.environ["BULK_EFFECTS"] = str(Path(folder, "effects"))
            await mastra.connect()
            runs = await orphan(count)
            async with worker(ROOM):
                await until(count, listed)
                check(runs, await restart_all(count))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description="Many orphaned runs at once.")
    parser.add_argument("--runs", type=int, default=1000, help="how many runs lose their worker")
    return run(measure(parser.parse_args().runs))


if __name__ == "__main__":
    raise SystemExit(main())
