"""Messages about data that do not fit say whose data they are."""

from typing import Any

import pytest

from mastra_temporal import MastraError, SchemaValidationError, StepContext, create_workflow, step
from tests.support import Stage, run, within


@step
async def double(value: int) -> int:
    return value * 2


@step(resume_schema=int)
async def ask(value: Any, ctx: StepContext) -> Any:
    return await ctx.suspend() if ctx.resume_data is None else ctx.resume_data


def shaped(value: int) -> int:
    return value


async def test_the_input_of_a_run(stage: Stage):
    strict = create_workflow(id="strict", input_schema=int, state_schema=dict[str, int]).then(double).commit()
    async with stage.worker(strict):
        for start in ({"input_data": "x"}, {"input_data": 1, "initial_state": {"a": "x"}}):
            with pytest.raises(SchemaValidationError) as caught:
                await run(strict, **start)
            assert str(caught.value).endswith("\n(of workflow `strict`)")


async def test_the_input_of_steps_functions_and_nested_workflows(stage: Stage):
    inner = create_workflow(id="inner", input_schema=int).then(double).commit()
    flows = {
        "step `double` of workflow `a`": create_workflow(id="a").then(double).commit(),
        "function `mapping_b_0` of workflow `b`": create_workflow(id="b").map(shaped).commit(),
        "workflow `inner`": create_workflow(id="c").then(inner).commit(),
    }
    async with stage.worker(*flows.values()):
        for owner, flow in flows.items():
            result = await run(flow, input_data="x")
            assert result.error is not None
            assert result.error["message"].endswith(f"\n(of {owner})")


async def test_the_data_of_a_resume(stage: Stage):
    flow = create_workflow(id="asks").then(ask).commit()
    async with stage.worker(flow):
        run_ = await flow.create_run()
        await within(run_.start(input_data=1))
        with pytest.raises(MastraError) as caught:
            await within(run_.resume(resume_data="x"))
        assert str(caught.value).endswith("\n(of step `ask` of workflow `asks`)")
        assert (await within(run_.resume(resume_data=2))).result == 2
