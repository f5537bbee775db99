"""The workflows of `benchmarks.recovery`: a step that finishes, a step that is killed, and a last step."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

from mastra_temporal import Mastra, StepContext, StepOptions, create_workflow, step

HEARTBEAT_TIMEOUT = timedelta(seconds=5)


def record(run_id: str, step_id: str) -> int:
    """Record that a step runs and the time, and return how often it has run."""
    path = Path(os.environ["RECOVERY_EFFECTS"])
    with path.open("a") as file:
        file.write(f"{run_id} {step_id} {time.time()}\n")
    return sum(line.startswith(f"{run_id} {step_id} ") for line in path.read_text().splitlines())


@step
async def before(value: int, ctx: StepContext) -> int:
    record(ctx.run_id, ctx.step_id)
    return value


@step
async def killed(value: int, ctx: StepContext) -> int:
    if record(ctx.run_id, ctx.step_id) == 1:
        await asyncio.sleep(3600)
    return value


@step
async def after(value: int, ctx: StepContext) -> int:
    record(ctx.run_id, ctx.step_id)
    return value


recovery = create_workflow(id="recovery", input_schema=int).then(before).then(killed).then(after).commit()
unattended = (
    create_workflow(id="unattended", input_schema=int, step_options=StepOptions(heartbeat_timeout=HEARTBEAT_TIMEOUT))
    .then(before)
    .then(killed)
    .then(after)
    .commit()
)
ping = create_workflow(id="ping", input_schema=int).map(lambda value: value).commit()
mastra = Mastra(workflows=[recovery, unattended, ping], task_queue="recovery")
