"""Workers are killed inside user code that is no step: a mapping, a condition, a callback.

Mappings and conditions run within the workflow task, so the server hears of the crash when that task has timed out.
"""

import asyncio
import time
from typing import Any

import pytest

from mastra_temporal import CallbackInfo, FunctionContext, Mastra, Run, StepContext, create_step, create_workflow
from tests.support import Effects, Stage, within

WORKFLOW_TASK_TIMEOUT = 10
"""Seconds: the server's default."""
SLACK = 5

COUNTS = {"a": 1, "b": 1, "fragile": 2}
RESULTS = {"mapping": 3, "condition": {"b": 3}, "loop": 3, "on_start": 3, "on_finish": 3}


def fragile(effects: Effects) -> list[Any]:
    """In each workflow another function hangs, the first time."""

    async def hang(run_id: str, value: Any) -> Any:
        if effects.add(f"{run_id} fragile") == 1:
            await asyncio.sleep(600)
        return value

    async def work(value: int, ctx: StepContext) -> int:
        effects.add(f"{ctx.run_id} {ctx.step_id}")
        return value + 1

    async def mapping(value: int, ctx: FunctionContext) -> Any:
        return await hang(ctx.run_id, value)

    async def condition(value: int, ctx: FunctionContext) -> Any:
        return await hang(ctx.run_id, True)

    async def callback(info: CallbackInfo) -> None:
        await hang(info.run_id, None)
        effects.add(f"{info.workflow_id} of {info.resource_id}, given {info.init_data}")

    def of(name: str, **options: Any) -> Any:
        return create_workflow(id=name, options=options).then(a)

    a, b = (create_step(id=step_id, execute=work) for step_id in ("a", "b"))
    flows = (
        of("mapping").map(mapping).then(b),
        of("condition").branch([(condition, b)]),
        of("loop").dountil(b, condition),
        of("on_start", on_start=callback).then(b),
        of("on_finish", on_finish=callback).then(b),
    )
    return [flow.commit() for flow in flows]


@pytest.mark.any_cache  # a worker without one does one workflow task at a time, and three of these hang
async def test_the_run_comes_back_and_repeats_nothing_that_was_finished(stage: Stage):
    mastra = await stage.app(fragile)
    worker = stage.worker_process(fragile)
    runs = {name: await begun(mastra, name) for name in RESULTS}
    for run in runs.values():
        await stage.effects.seen(f"{run.run_id} fragile")
    worker.kill()
    killed = time.monotonic()
    stage.worker_process(fragile)
    results = await within(asyncio.gather(*(run.restart() for run in runs.values())))
    assert time.monotonic() - killed < WORKFLOW_TASK_TIMEOUT + SLACK
    assert {name: result.result for name, result in zip(runs, results, strict=True)} == RESULTS
    counts = stage.effects.counts()
    for name, run in runs.items():
        assert {what: counts[f"{run.run_id} {what}"] for what in COUNTS} == COUNTS, name
    for name in ("on_start", "on_finish"):
        assert counts[f"{name} of ann, given 1"] == 1


async def begun(mastra: Mastra, name: str) -> Run[Any]:
    run = await mastra.get_workflow(name).create_run(resource_id="ann")
    await run.start_async(input_data=1)
    return run
