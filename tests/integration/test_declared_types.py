"""What is declared is what is read: state, suspend data, results of steps and the input come as their types."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from mastra_temporal import (
    FunctionContext,
    StepContext,
    SyncStepContext,
    WorkflowOptions,
    create_step,
    create_workflow,
    step,
)
from tests.support import Stage, run, until, within


class Order(BaseModel):
    total: int


class State(BaseModel):
    seen: int


class Question(BaseModel):
    text: str


@step
async def double(order: Order) -> Order:
    return Order(total=order.total * 2)


@step
async def look(value: Any, ctx: StepContext) -> list[bool]:
    found = [await ctx.get_init_data(), await ctx.get_step_result(double), await ctx.get_step_result("double")]
    return [isinstance(each, Order) for each in found]


@step
def look_in_thread(value: Any, ctx: SyncStepContext) -> list[bool]:
    found = [ctx.get_init_data(), ctx.get_step_result(double)]
    return [*value, *(isinstance(each, Order) for each in found)]


def look_in_function(value: Any, ctx: FunctionContext[State]) -> list[bool]:
    found = [ctx.get_init_data(), ctx.get_step_result(double)]
    return [*value, *(isinstance(each, Order) for each in found), isinstance(ctx.state, State)]


async def test_the_input_and_results(stage: Stage):
    workflow = create_workflow(id="typed", input_schema=Order, state_schema=State)
    workflow.then(double).then(look).then(look_in_thread).map(look_in_function).commit()
    async with stage.worker(workflow):
        result = await run(workflow, input_data=Order(total=1), initial_state={"seen": 0})
    assert (result.error, result.result) == (None, [True] * 8)


async def test_items_of_a_foreach(stage: Stage):
    @step
    async def count(value: Any, ctx: StepContext) -> int:
        return sum(order.total for order in await ctx.get_step_result("double"))

    workflow = create_workflow(id="items").foreach(double).then(count).commit()
    async with stage.worker(workflow):
        assert (await run(workflow, input_data=[{"total": 1}, {"total": 2}])).result == 6


async def test_state_and_suspend_data(stage: Stage):
    async def ask(value: Any, ctx: StepContext[bool | None, State]) -> Any:
        if ctx.resume_data is None:
            return await ctx.suspend(Question(text="ok?"))
        return [ctx.state.seen, ctx.suspend_data.text]

    asking = create_step(id="ask", execute=ask, state_schema=State, suspend_schema=Question, resume_schema=bool)
    workflow = create_workflow(id="asking").then(asking).commit()
    async with stage.worker(workflow):
        made = await workflow.create_run()
        assert (await within(made.start(initial_state={"seen": 3}))).status == "suspended"
        assert (await within(made.resume(resume_data=True))).result == [3, "ok?"]


async def test_state_in_a_step_that_has_no_schema_of_its_own(stage: Stage):
    @step
    async def count(ctx: StepContext[Any, State]) -> int:
        ctx.set_state(State(seen=ctx.state.seen + 1))
        return ctx.state.seen

    workflow = create_workflow(id="counting", state_schema=State).then(count).commit()
    outer = create_workflow(id="outer", state_schema=State).then(workflow).then(count).commit()
    async with stage.worker(workflow, outer):
        result = await run(outer, initial_state={"seen": 1}, output_options={"includeState": True})
    assert (result.error, result.result, result.state) == (None, 2, {"seen": 3})


async def test_callbacks(stage: Stage):
    seen: list[Any] = []
    options = WorkflowOptions(on_finish=lambda info: seen.extend([info.init_data, info.state]))
    workflow = create_workflow(id="told", input_schema=Order, state_schema=State, options=options)
    async with stage.worker(workflow.then(double).commit()):
        await run(workflow, input_data=Order(total=1), initial_state={"seen": 1})
        await until(lambda: len(seen) == 2)
    assert seen == [Order(total=1), State(seen=1)]


async def test_what_is_not_validated_is_given_as_it_is(stage: Stage):
    @step
    async def read(value: Any, ctx: StepContext) -> list[Any]:
        return [ctx.state, await ctx.get_init_data(), await ctx.get_step_result("wrong")]

    @step
    async def wrong(value: Any) -> Order:
        return {"total": "no number"}  # pyright: ignore[reportReturnType]

    def read_in_function(value: Any, ctx: FunctionContext) -> list[Any]:
        return [value == [ctx.state, ctx.get_init_data(), ctx.get_step_result("wrong")], *value]

    options = WorkflowOptions(validate_inputs=False, validate_outputs=False)
    workflow = create_workflow(id="lax", input_schema=Order, state_schema=State, options=options)
    workflow.then(wrong).then(read).map(read_in_function).commit()
    async with stage.worker(workflow):
        result = await run(workflow, input_data={"total": "none"}, initial_state={"seen": "none"})
    assert (result.error, result.result) == (
        None,
        [True, {"seen": "none"}, {"total": "none"}, {"total": "no number"}],
    )


async def test_state_that_is_not_complete_yet_hinders_only_who_reads_it(stage: Stage):
    async def first(value: Any, ctx: StepContext) -> None:
        ctx.set_state({"seen": 1})

    async def second(value: Any, ctx: StepContext) -> int:
        return ctx.state.seen

    set_it = create_step(id="set", execute=first, state_schema=State)
    read_it = create_step(id="read", execute=second, state_schema=State)
    good, bad = create_workflow(id="good").then(set_it).then(read_it).commit(), create_workflow(id="bad").then(read_it)
    async with stage.worker(good, bad.commit()):
        assert (await run(good)).result == 1
        result = await run(bad)
    assert result.error
    assert result.error["message"].startswith("The state of workflow `bad` does not match its state_schema: \n- seen:")


def old_and_new(make: Callable[[type[BaseModel]], Any]) -> tuple[Any, Any]:
    """A workflow, and what it has become after a deploy: its model has a field more."""

    class Longer(Order):
        currency: str

    return make(Order), make(Longer)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        ("init", "The input of workflow `changed` does not match its input_schema: \n- currency:"),
        ("result", "The output of step `give` of workflow `changed` does not match its output_schema: \n- currency:"),
        ("state", "The state of workflow `changed` does not match its state_schema: \n- currency:"),
        (
            "suspended",
            "The suspend data of step `ask` of workflow `changed` do not match its suspend_schema: \n- currency:",
        ),
    ],
)
async def test_data_that_a_changed_schema_does_not_read(stage: Stage, read: str, message: str):
    async def give(value: Any) -> Any:
        return {"total": 1}

    async def ask(value: Any, ctx: StepContext) -> Any:
        if ctx.resume_data is None:
            return await ctx.suspend({"total": 1})
        return {
            "init": ctx.get_init_data,
            "result": lambda: ctx.get_step_result("give"),
            "state": lambda: ctx.state,
            "suspended": lambda: ctx.suspend_data,
        }[read]()

    def make(model: type[BaseModel]) -> Any:
        giving = create_step(id="give", execute=give, output_schema=model)
        asking = create_step(id="ask", execute=ask, suspend_schema=model, state_schema=model)
        return create_workflow(id="changed", input_schema=model, state_schema=model).then(giving).then(asking).commit()

    old, new = old_and_new(make)
    async with stage.worker(old):
        made = await old.create_run()
        assert (await within(made.start(input_data={"total": 1}, initial_state={"total": 1}))).status == "suspended"
    async with stage.worker(new):
        result = await within((await new.create_run(run_id=made.run_id)).resume(resume_data=True))
    assert (result.status, result.error and result.error["message"].startswith(message)) == ("failed", True), result
