"""The workflow of `benchmarks.bulk`, and a worker for it: ``python -m benchmarks.bulk_app ROOM [--hang]``."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta

from mastra_temporal import Mastra, StepContext, StepOptions, create_workflow, step
from mastra_temporal.testing import worker_for

HANG = "--hang"
NOT_BY_ITSELF = StepOptions(heartbeat_timeout=timedelta(minutes=10))
"""A long heartbeat timeout, so that no run continues before it is restarted."""


def record(ctx: StepContext) -> None:
    """Record that a step runs."""
    with open(os.environ["BULK_EFFECTS"], "a") as file:
        file.write(f"{ctx.run_id} {ctx.step_id}\n")


@step
async def before(value: int, ctx: StepContext) -> int:
    record(ctx)
    return value


@step
async def killed(value: int, ctx: StepContext) -> int:
    record(ctx)
    if HANG in sys.argv:
        await asyncio.sleep(3600)
    return value


@step
async def after(value: int, ctx: StepContext) -> int:
    record(ctx)
    return value


orphans = (
    create_workflow(id="orphans", input_schema=int, step_options=NOT_BY_ITSELF)
    .then(before)
    .then(killed)
    .then(after)
    .commit()
)
ping = create_workflow(id="ping", input_schema=int).map(lambda value: value).commit()
mastra = Mastra(workflows=[orphans, ping], task_queue="bulk")


async def work(room: int) -> None:
    """Run a worker until it is killed, with up to ``room`` steps at the same time."""
    async with worker_for(mastra, await mastra.connect(), max_concurrent_activities=room):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(int(sys.argv[1])))
