"""Checks that thousands of callers in one process all get their results.

    python -m benchmarks.waiters [number of callers]

All callers call `start()` at the same time. Some runs suspend, some sleep until the benchmark ends, and the others end.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from typing import Any

from temporalio.client import Client

from mastra_temporal import Mastra, StepContext, Workflow, create_step, create_workflow
from mastra_temporal.devserver import start_dev_server
from mastra_temporal.testing import worker_for

SLEEPING = 300
"""The number of runs that last as long as the benchmark. It is larger than the client's limit of concurrent waits."""


async def _double(value: int) -> int:
    return value * 2


async def _ask(value: int, ctx: StepContext) -> Any:
    return await ctx.suspend({"about": value}) if ctx.resume_data is None else value


async def measure(callers: int) -> None:
    """Start this many runs at the same time, and wait for all that end or are suspended."""
    short = create_workflow(id="short").then(create_step(id="double", execute=_double)).commit()
    asking = create_workflow(id="asking").then(create_step(id="ask", execute=_ask)).commit()
    long = create_workflow(id="long").sleep(3_600_000).commit()
    mastra = Mastra(workflows=[short, asking, long], task_queue="waiters")
    async with start_dev_server() as server:
        await mastra.connect(await Client.connect(server.address))
        async with worker_for(mastra, mastra.client):
            sleeping = [asyncio.create_task(_start(long, 0)) for _ in range(SLEEPING)]
            await asyncio.sleep(0)
            began = time.monotonic()
            waits = [_start(asking if number % 3 == 0 else short, number) for number in range(callers - SLEEPING)]
            results = await asyncio.gather(*waits, return_exceptions=True)
            seconds = time.monotonic() - began
            for task in sleeping:
                task.cancel()
            await asyncio.gather(*sleeping, return_exceptions=True)
    ended = Counter(result if isinstance(result, str) else repr(result) for result in results)
    print(f"{callers} callers, {SLEEPING} of runs that go on: {dict(ended)} after {seconds:.1f} s")


async def _start(workflow: Workflow[Any, Any, Any], number: int) -> str:
    return (await (await workflow.create_run()).start(input_data=number)).status


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
