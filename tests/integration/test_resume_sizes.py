"""Large payloads around a suspension: whatever their size, the run can be read, resumed and ended."""

import asyncio
from typing import Any

import pytest

from mastra_temporal import StepContext, create_step, create_workflow
from tests.integration.suspending import flow, suspended_run
from tests.support import Stage, within

LARGE = "x" * 900_000


def asking(id: str) -> Any:
    async def ask(value: Any, ctx: StepContext) -> Any:
        if ctx.suspend_data is None:
            return await ctx.suspend({"large": LARGE})
        return [len(ctx.suspend_data["large"]), len(ctx.resume_data)]

    return create_step(id=id, execute=ask)


async def test_suspend_payloads_that_are_too_large_together(stage: Stage):
    workflow = create_workflow(id="flow").parallel([asking(name) for name in "abc"]).commit()
    async with stage.worker(workflow):
        run, result = await suspended_run(workflow, output_options={"include_resume_labels": True})
        assert result.suspended == [["a"], ["b"], ["c"]]
        assert result.suspend_payload == {name: {"large": LARGE} for name in "abc"}
        assert result.steps["c"].suspend_payload == {"large": LARGE}
        others = [workflow.create_run(run_id=run.run_id) for _ in range(3)]
        joined = await within(asyncio.gather(*[(await other).start(input_data=1) for other in others]))
        assert all(other.suspend_payload == result.suspend_payload for other in joined)
        for name in "abc":
            result = await within(run.resume(step=name, resume_data=name))
    assert result.result == {name: [len(LARGE), 1] for name in "abc"}


@pytest.mark.parametrize("size", [500_000, 1_100_000])
async def test_resume_data_for_many_items(stage: Stage, size: int):
    workflow = create_workflow(id="flow").foreach(asking("ask"), concurrency=5).commit()
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, list(range(5)))
        result = await within(run.resume(resume_data="y" * size))
    assert result.result == [[len(LARGE), size]] * 5


async def test_data_that_do_not_fit_with_the_input(stage: Stage):
    workflow = flow(asking("ask"))
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow)
        result = await within(run.resume(resume_data="y" * 1_500_000))
    assert result.status == "failed"
    assert result.error
    assert "The input of step `ask` of workflow `flow`, with its state, has " in result.error["message"]
