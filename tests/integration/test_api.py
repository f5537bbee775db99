"""Mastra's API in Python, one small run for each part of it: what `docs/parity.md` rests on."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import BaseModel

from mastra_temporal import (
    CallbackInfo,
    FunctionContext,
    MastraError,
    NonRetryableError,
    SchemaValidationError,
    StepContext,
    TripWire,
    clone_step,
    create_step,
    create_workflow,
    map_variable,
    step,
)
from tests.support import Stage, run, within


@step
async def add(number: int) -> int:
    return number + 1


@step
async def double(number: int) -> int:
    return number * 2


def start() -> Any:
    return create_workflow(id="flow", input_schema=int)


def is_small(number: int) -> bool:
    return number < 10


def is_large(number: int) -> bool:
    return not is_small(number)


def third_time(_: int, ctx: FunctionContext) -> bool:
    return ctx.iteration_count == 3


inner = create_workflow(id="inner", input_schema=int).then(add).then(double).commit()

FLOWS: dict[str, tuple[Callable[[], Any], Any]] = {
    ".then(step)": (lambda: start().then(add).then(double), 12),
    ".then(workflow)": (lambda: start().then(inner), 12),
    ".parallel()": (lambda: start().parallel([add, double]), {"add": 6, "double": 10}),
    ".branch()": (lambda: start().branch([(is_small, add), (is_large, double)]), {"add": 6}),
    ".dowhile()": (lambda: start().dowhile(double, is_small), 10),
    ".dountil()": (lambda: start().dountil(add, is_large), 10),
    "condition: iterationCount": (lambda: start().dountil(add, third_time), 8),
    ".foreach()": (lambda: start().map(lambda n: list(range(n))).foreach(add), [1, 2, 3, 4, 5]),
    ".map(function)": (lambda: start().map(lambda n: n * 3), 15),
    ".map({step, path})": (lambda: start().then(add).map({"n": {"step": add, "path": ""}}), {"n": 6}),
    ".map({initData, path})": (lambda: start().then(add).map({"n": {"init_data": True}}), {"n": 5}),
    "mapVariable": (lambda: start().then(add).map({"n": map_variable(step=add)}), {"n": 6}),
    ".map({value})": (lambda: start().map({"n": {"value": [7]}}), {"n": [7]}),
    ".map({fn})": (lambda: start().map({"n": {"fn": lambda n: n + 2}}), {"n": 7}),
    ".map({template})": (lambda: start().map({"n": {"template": "no. ${inputData}"}}), {"n": "no. 5"}),
    ".map({requestContextPath})": (lambda: start().map({"who": {"request_context_path": "who"}}), {"who": "ann"}),
    "predicates": (
        lambda: start().branch(
            [
                ({"predicate": {"op": "lt", "left": {"path": "inputData"}, "right": {"literal": 10}}}, add),
                ({"predicate": {"op": "gte", "left": {"path": "inputData"}, "right": {"literal": 10}}}, double),
            ]
        ),
        {"add": 6},
    ),
    ".sleep(ms)": (lambda: start().sleep(10).sleep(timedelta(milliseconds=10)), 5),
    ".sleep(function)": (lambda: start().sleep(lambda n: n), 5),
    ".sleepUntil(date)": (lambda: start().sleep_until(datetime.now(timezone.utc) + timedelta(milliseconds=10)), 5),
    ".sleepUntil(function)": (lambda: start().sleep_until(lambda: datetime.now(timezone.utc)), 5),
    ".commit()": (lambda: start().then(add), 6),
    "id, description, metadata of an entry": (
        lambda: start().map(lambda n: n, id="same", description="nothing", metadata={"a": 1}),
        5,
    ),
    "cloneStep": (lambda: start().then(add).then(clone_step(add, id="add-2")), 7),
}


@pytest.mark.parametrize(
    ("build", "result"),
    [pytest.param(*flow, marks=pytest.mark.parity(name), id=name) for name, flow in FLOWS.items()],
)
async def test_building(stage: Stage, build: Callable[[], Any], result: Any):
    flow = build().commit()
    async with stage.worker(flow):
        done = await run(flow, input_data=5, request_context={"who": "ann"})
    assert (done.status, done.result) == ("success", result), done.error


@pytest.mark.parity(".foreach({concurrency: number})", ".foreach({concurrency: function})")
@pytest.mark.parametrize("concurrency", [2, lambda items: len(items) // 2])
async def test_the_concurrency_of_a_foreach(stage: Stage, concurrency: Any):
    running, most = set[int](), list[int]()

    @step
    async def item(number: int) -> int:
        running.add(number)
        most.append(len(running))
        await stage.effects.opened("begun") if len(most) == 1 else stage.effects.open("begun")
        running.discard(number)
        return number

    flow = create_workflow(id="flow").foreach(item, concurrency=concurrency).commit()
    async with stage.worker(flow):
        assert (await run(flow, input_data=[1, 2, 3, 4])).result == [1, 2, 3, 4]
    assert max(most) == 2


class Order(BaseModel):
    total: int
    currency: str = "EUR"


class Seen(BaseModel):
    seen: int = 0


class Tenant(BaseModel):
    tenant: str


class Answer(BaseModel):
    ok: bool


@pytest.mark.parity(
    "createStep({id, execute})", "createWorkflow({id, inputSchema, outputSchema})", "step.inputSchema", "inputData",
    "createWorkflow({stateSchema})", "createWorkflow({requestContextSchema})", "step.requestContextSchema",
    "step.stateSchema", "run.start({inputData})", "run.start({initialState})", "run.start({requestContext})",
    "run.start({outputOptions})", "result.state", "result.status, result.result", "result.steps", "setState()",
    "result.stepExecutionPath", "options.validateInputs",
)  # fmt: skip
async def test_schemas(stage: Stage):
    async def count(order: Order, ctx: StepContext) -> int:
        seen: int = ctx.state.seen if isinstance(ctx.state, Seen) else ctx.state["seen"]
        ctx.set_state({"seen": seen + order.total})
        return order.total

    counting = create_step(
        id="count", execute=count, output_schema=int, state_schema=Seen, request_context_schema=Tenant
    )
    settings: dict[str, Any] = {"state_schema": Seen, "request_context_schema": Tenant, "input_schema": Order}
    flow = create_workflow(id="flow", output_schema=int, **settings).then(counting).commit()
    lax = create_workflow(id="lax", options={"validate_inputs": False}, **settings).then(counting).commit()
    good: dict[str, Any] = {
        "input_data": {"total": 2},
        "initial_state": {"seen": 1},
        "request_context": {"tenant": "a"},
    }
    async with stage.worker(flow, lax):
        result = await run(flow, **good, output_options={"includeState": True})
        for wrong, message in (
            ({"input_data": {"total": "x"}}, "Invalid input data: \n- total:"),
            ({"initial_state": {"seen": "x"}}, "Invalid initial data: \n- seen:"),
            ({"request_context": {}}, "Request context validation failed for workflow 'flow': \n- tenant:"),
        ):
            with pytest.raises(SchemaValidationError, match=message):
                await run(flow, **{**good, **wrong})
        unchecked = await run(lax, **{**good, "request_context": {}, "input_data": {"total": "x"}})
    assert (result.status, result.result, result.state) == ("success", 2, {"seen": 3})
    assert result.input == {"total": 2, "currency": "EUR"}
    assert result.steps["count"].output == 2
    assert result.step_execution_path == ["count"]
    assert unchecked.error is not None  # it came as far as the step
    assert "has no attribute 'total'" in unchecked.error["message"]


@pytest.mark.parity(
    "result.error", "MastraNonRetryableError", "step.retries", "retryCount", "createWorkflow({retryConfig})"
)
async def test_errors_and_retries(stage: Stage):
    @step(retries=2)
    async def flaky(number: int, ctx: StepContext) -> int:
        if ctx.retry_count < 2:
            raise ValueError("not yet")
        return ctx.retry_count

    @step
    async def final(number: int) -> int:
        stage.effects.add("final")
        raise NonRetryableError(f"never {number}")

    flow = create_workflow(id="flow", retry_config={"attempts": 5, "delay": 1}).then(flaky).then(final).commit()
    async with stage.worker(flow):
        result = await run(flow, input_data=1)
    assert (result.status, result.steps["flaky"].output) == ("failed", 2)
    assert result.error is not None
    assert result.error["message"] == "never 2"
    assert stage.effects.counts() == {"final": 1}


@pytest.mark.parity("TripWire", "result.tripwire")
async def test_a_tripwire(stage: Stage):
    @step
    async def guard(number: int) -> int:
        raise TripWire("too much", retry=True, metadata={"limit": 3})

    flow = start().then(guard).commit()
    async with stage.worker(flow):
        result = await run(flow, input_data=5)
    assert (result.status, result.error) == ("tripwire", None)
    assert result.tripwire == {"reason": "too much", "retry": True, "metadata": {"limit": 3}}


@pytest.mark.parity("bail()", "mastra", "getStepResult()", "getInitData()")
async def test_what_a_step_can_ask_and_bail(stage: Stage):
    @step
    async def ask(number: int, ctx: StepContext) -> Any:
        workflows = list(ctx.mastra.list_workflows())
        return ctx.bail([await ctx.get_init_data(), await ctx.get_step_result(add), workflows])

    flow = start().then(add).then(ask).then(double).commit()
    async with stage.worker(flow):
        result = await run(flow, input_data=5)
    assert (result.status, result.result) == ("success", [5, 6, ["flow"]])
    assert "double" not in result.steps


@pytest.mark.parity("options.onStart", "options.onFinish", "options.onError")
async def test_callbacks(stage: Stage):
    def note(name: str) -> Callable[[CallbackInfo], None]:
        def callback(info: CallbackInfo) -> None:
            stage.effects.add(f"{name} {info.workflow_id} {info.init_data} {info.status}")

        return callback

    @step
    async def fail(number: int) -> int:
        raise ValueError

    options = {"on_start": note("start"), "on_finish": note("finish"), "on_error": note("error")}
    flow = create_workflow(id="flow", options=options).then(fail).commit()
    async with stage.worker(flow):
        await run(flow, input_data=5)
    assert list(stage.effects.counts()) == ["start flow 5 None", "finish flow 5 failed", "error flow 5 failed"]


@pytest.mark.parity(
    "suspend()", "suspend({resumeLabel})", "resumeData", "suspendData", "run.resume({resumeData})",
    "run.resume({step})", "run.resume({label})", "run.resumeAsync()", "step.resumeSchema", "step.suspendSchema",
    "result.resumeLabels", "result.suspended, result.suspendPayload", "run.resume({outputOptions})",
)  # fmt: skip
async def test_suspend_and_resume(stage: Stage):
    @step(resume_schema=Answer, suspend_schema=Order)
    async def ask(number: int, ctx: StepContext) -> Any:
        if ctx.resume_data is None:
            return await ctx.suspend({"total": number}, resume_label="approval")
        return [ctx.resume_data, ctx.suspend_data]

    flow = create_workflow(id="flow", input_schema=int).then(ask).commit()
    async with stage.worker(flow):
        selectors: list[dict[str, Any]] = [{}, {"step": ask}, {"step": "ask"}, {"label": "approval"}]
        for selector in selectors:
            flow_run = await flow.create_run()
            first = await within(flow_run.start(input_data=5, output_options={"include_resume_labels": True}))
            assert (first.status, first.suspended) == ("suspended", [["ask"]])
            assert first.suspend_payload == {"ask": {"total": 5, "currency": "EUR"}}
            assert first.resume_labels is not None
            assert first.resume_labels["approval"]["stepId"] == "ask"
            with pytest.raises(MastraError, match="Invalid resume data: \n- ok:"):
                await flow_run.resume(resume_data={}, **selector)
            result = await within(
                flow_run.resume(resume_data={"ok": True}, output_options={"include_state": True}, **selector)
            )
            assert (result.status, result.state) == ("success", {})
            assert result.result == [{"ok": True}, {"total": 5, "currency": "EUR"}]
        flow_run = await flow.create_run()
        await within(flow_run.start(input_data=5))
        assert await flow_run.resume_async(resume_data={"ok": True}) == flow_run.run_id
        assert (await within(flow_run.restart())).status == "success"


@pytest.mark.parity(
    "run.startAsync()", "createRun({runId})", "createRun({resourceId})", "runId, workflowId, resourceId"
)
async def test_starting_without_waiting(stage: Stage):
    @step
    async def who(number: int, ctx: StepContext) -> list[Any]:
        return [ctx.run_id, ctx.workflow_id, ctx.resource_id]

    flow = start().then(who).commit()
    run_id = f"mine-{time.monotonic_ns()}"
    async with stage.worker(flow):
        flow_run = await flow.create_run(run_id=run_id, resource_id="ann")
        assert await flow_run.start_async(input_data=5) == run_id
        assert (await within(flow_run.restart())).result == [run_id, "flow", "ann"]


@pytest.mark.parity("run.timeTravel({context, nestedStepsContext})", "run.timeTravel({initialState})")
async def test_what_a_journey_may_bring_along(stage: Stage):
    @step
    async def tell(number: int, ctx: StepContext) -> list[Any]:
        return [number, ctx.state]

    flow = start().then(inner).then(tell).commit()
    async with stage.worker(flow):
        flow_run = await flow.create_run()
        assert (await within(flow_run.start(input_data=5))).result == [12, {}]
        told = {"inner": {"status": "success", "output": 1, "startedAt": 0}}
        result = await within(flow_run.time_travel(step="tell", context=told, initial_state={"a": 1}))
        assert result.result == [1, {"a": 1}]
        nested = {"inner": {"add": {"status": "success", "output": 20, "startedAt": 0}}}
        result = await within(flow_run.time_travel(step="inner.double", nested_steps_context=nested))
        assert result.result == [40, {"a": 1}]


@pytest.mark.parity("run.resume({forEachIndex})", "run.resume({requestContext})", "run.resume({perStep})")
async def test_resuming_one_item_with_another_context(stage: Stage):
    @step
    async def ask(number: int, ctx: StepContext) -> Any:
        if ctx.resume_data is None:
            return await ctx.suspend()
        return [number, ctx.resume_data, ctx.request_context["who"], ctx.request_context["kept"]]

    flow = create_workflow(id="flow").foreach(ask, concurrency=2).then(create_step(id="end", execute=len)).commit()
    async with stage.worker(flow):
        flow_run = await flow.create_run()
        context = {"who": "ann", "kept": 1}
        assert (await within(flow_run.start(input_data=[1, 2], request_context=context))).status == "suspended"
        half = await within(flow_run.resume(resume_data="b", for_each_index=1, request_context={"who": "bob"}))
        assert half.status == "suspended"
        paused = await within(flow_run.resume(resume_data="a", for_each_index=0, per_step=True))
        assert paused.status == "paused"
        assert paused.steps["ask"].output == [[1, "a", "bob", 1], [2, "b", "bob", 1]]
        assert "end" not in paused.steps


@pytest.mark.parity("run.restart({requestContext})")
async def test_restarting_with_another_context(stage: Stage):
    @step
    async def wait(_: int, ctx: StepContext) -> list[Any]:
        if stage.effects.add("wait") == 1:
            await ctx.abort_signal.wait()
        return [ctx.request_context["who"], ctx.request_context["kept"]]

    flow = start().then(wait).commit()
    async with stage.worker(flow):
        flow_run = await flow.create_run()
        await flow_run.start_async(input_data=5, request_context={"who": "ann", "kept": 1})
        await stage.effects.seen("wait")
        assert (await within(flow_run.restart(request_context={"who": "bob"}, force=True))).result == ["bob", 1]
