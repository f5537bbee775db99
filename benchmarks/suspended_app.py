"""The workflows of `benchmarks.suspended`, and a worker for them: ``python -m benchmarks.suspended_app CACHED``."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

from mastra_temporal import Mastra, StepContext, create_workflow, step
from mastra_temporal.testing import worker_for


@step
async def ask(number: int, ctx: StepContext) -> Any:
    """Suspend. After the resume, return the input and the resume data."""
    if ctx.suspend_data is None:
        return await ctx.suspend({"number": number})
    return {"number": number, "data": ctx.resume_data, "suspended_with": ctx.suspend_data["number"]}


approval = create_workflow(id="approval", input_schema=int).then(ask).commit()
gated = (
    create_workflow(id="gated", input_schema=int).sleep(lambda milliseconds: milliseconds, id="nap").then(ask).commit()
)
mastra = Mastra(workflows=[approval, gated], task_queue="suspended")


async def work(cached_workflows: int) -> None:
    """Run a worker until SIGTERM, with a cache of this many runs."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with worker_for(mastra, await mastra.connect(), max_cached_workflows=cached_workflows):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(work(int(sys.argv[1])))
