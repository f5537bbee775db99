"""Members of Mastra's objects that no other test is about: each has its row in `docs/parity.md`."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from mastra_temporal import (
    FunctionContext,
    RetryConfig,
    StepContext,
    create_step,
    create_workflow,
    create_workflow_state_reader,
    step,
)
from tests.support import Stage, run, within


class Order(BaseModel):
    total: int


@step(resume_schema=int)
async def ask(order: Order, ctx: StepContext) -> Any:
    if ctx.resume_data is None:
        return await ctx.suspend({"how": "much"}, resume_label="price")
    return ctx.resume_data


@pytest.mark.parity(
    "workflow.id, description, metadata, schemas",
    "workflow.steps, committed, retryConfig, options",
    "step.id, schemas, execute",
)
def test_what_workflows_and_steps_tell_of_themselves():
    flow = create_workflow(
        id="flow",
        input_schema=Order,
        output_schema=int,
        description="Asks.",
        metadata={"team": "sales"},
        retry_config={"attempts": 2},
        options={"validate_outputs": False},
    ).then(ask)
    assert not flow.committed
    assert flow.commit().committed
    assert (flow.id, flow.description, flow.metadata) == ("flow", "Asks.", {"team": "sales"})
    assert flow.input_schema is not None
    assert flow.output_schema is not None
    assert (flow.input_schema.annotation, flow.output_schema.annotation) == (Order, int)
    assert (flow.state_schema, flow.request_context_schema) == (None, None)
    assert (flow.retry_config, flow.options.validate_outputs) == (RetryConfig(attempts=2), False)
    assert flow.steps == {"ask": ask}
    assert ask.input_schema is not None
    assert (ask.id, ask.input_schema.annotation) == ("ask", Order)


@pytest.mark.parity(
    "run.runId, workflowId, resourceId",
    "run.stream({closeOnSuspend})",
    "stream.fullStream, result, status, usage",
    "result.input",
    "state reader: getStatus(), getResult(), getError(), getStepOutput(), getStepPayload()",
    "state reader: getSuspendedStep(), getSuspendedSteps(), getResumeLabel(), getResumeLabels()",
)
async def test_what_runs_streams_and_records_tell(stage: Stage):
    flow = create_workflow(id="flow", input_schema=Order).then(ask).commit()
    async with stage.worker(flow):
        run_ = await flow.create_run(run_id=f"mine-{stage.task_queue}", resource_id="ann")
        assert (run_.run_id, run_.workflow_id, run_.resource_id) == (f"mine-{stage.task_queue}", "flow", "ann")
        output = run_.stream(input_data=Order(total=3), close_on_suspend=False)
        assert (await within(output.result)).status == "suspended"
        assert output.status == "running"

        state = await flow.get_workflow_run_by_id(run_.run_id)
        assert state is not None
        reader = create_workflow_state_reader(state)
        suspended = reader.get_suspended_step()
        assert suspended is not None
        assert (suspended.step_id, suspended.suspend_payload) == ("ask", {"how": "much"})
        assert len(reader.get_suspended_steps()) == 1
        assert reader.get_resume_label("price") == reader.get_resume_labels()["price"] == {"stepId": "ask"}
        assert (reader.get_status(), reader.get_result(), reader.get_error()) == ("suspended", None, None)

        result = await within(run_.resume(resume_data=7))
        assert (result.input, result.result) == ({"total": 3}, 7)
        events = [event.type async for event in output.full_stream]
        assert events[-1] == "workflow-finish"
        assert (output.status, (await within(output.usage))["totalTokens"]) == ("success", 0)
        state = await flow.get_workflow_run_by_id(run_.run_id)
        assert state is not None
        reader = create_workflow_state_reader(state)
        assert (reader.get_status(), reader.get_result(), reader.get_error()) == ("success", 7, None)
        assert (reader.get_step_output("ask"), reader.get_step_payload("ask")) == (7, {"total": 3})


@pytest.mark.parity("functions: inputData, getInitData(), getStepResult(), state, requestContext, runId, mastra")
async def test_what_functions_are_given(stage: Stage):
    seen: list[Any] = []

    def note(value: Any, ctx: FunctionContext) -> Any:
        seen.append(
            (
                value,
                ctx.input_data,
                ctx.get_init_data(),
                ctx.get_step_result("one"),
                ctx.state,
                ctx.request_context["k"],
            )
        )
        assert ctx.mastra.get_workflow(ctx.workflow_id) is flow
        return ctx.run_id

    def mapping(value: Any, ctx: FunctionContext) -> Any:
        note(value, ctx)
        return [value]

    def duration(value: Any, ctx: FunctionContext) -> timedelta:
        note(value, ctx)
        return timedelta(milliseconds=1)

    def at_once(value: Any, ctx: FunctionContext) -> int:
        note(value, ctx)
        return 2

    one = create_step(id="one", execute=lambda value: value + 1)
    each = create_step(id="each", execute=lambda value: value)
    flow = create_workflow(id="flow").then(one).map(mapping).sleep(duration).foreach(each, concurrency=at_once)
    flow = flow.branch([(note, create_step(id="last", execute=lambda value: value))]).commit()
    async with stage.worker(flow):
        result = await run(flow, input_data=1, initial_state={"s": 1}, request_context={"k": "v"})
    assert result.result == {"last": [2]}
    assert seen == [(value, value, 1, 2, {"s": 1}, "v") for value in (2, [2], [2], [2])]
