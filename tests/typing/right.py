# pyright: strict
"""Programs that a type checker must accept, with the types that it must find."""

from typing import Any

from pydantic import BaseModel
from temporalio.client import Client
from typing_extensions import assert_type

from mastra_temporal import (
    ConnectSettings,
    FunctionContext,
    Mastra,
    Run,
    Step,
    StepContext,
    SyncStepContext,
    Workflow,
    WorkflowResult,
    clone_step,
    clone_workflow,
    create_step,
    create_workflow,
    run_worker,
    step,
)


class Order(BaseModel):
    total: int


class Receipt(BaseModel):
    id: str


@step
async def charge(order: Order) -> Receipt: ...


@step
async def charge_with_context(order: Order, ctx: StepContext) -> Receipt: ...


@step
def charge_in_thread(order: Order) -> Receipt: ...


@step
def charge_in_thread_with_context(order: Order, ctx: SyncStepContext) -> Receipt: ...


@step
async def anything(ctx: StepContext) -> Receipt: ...


@step(retries=3, description="Charge the card.")
async def charge_again(order: Order, ctx: StepContext) -> Receipt: ...


@step(id="threaded")
def charge_in_thread_again(order: Order, ctx: SyncStepContext) -> Receipt: ...


@step
async def ship(receipt: Receipt) -> int: ...


def is_large(order: Order) -> bool: ...


assert_type(charge, Step[Order, Receipt])
assert_type(charge_with_context, Step[Order, Receipt])
assert_type(charge_in_thread, Step[Order, Receipt])
assert_type(charge_in_thread_with_context, Step[Order, Receipt])
assert_type(anything, Step[Any, Receipt])
assert_type(charge_again, Step[Order, Receipt])
assert_type(charge_in_thread_again, Step[Order, Receipt])
assert_type(clone_step(charge, id="other"), Step[Order, Receipt])
assert_type(create_step(id="untyped", execute=print), Step[Any, Any])

begun = create_workflow(id="orders", input_schema=Order, output_schema=Receipt)
assert_type(begun, Workflow[Order, Receipt, Order])
assert_type(begun.then(charge), Workflow[Order, Receipt, Receipt])
assert_type(begun.then(charge).then(ship), Workflow[Order, Receipt, int])
assert_type(begun.sleep(1).then(charge), Workflow[Order, Receipt, Receipt])
assert_type(begun.parallel([charge, charge_again]), Workflow[Order, Receipt, dict[str, Any]])
assert_type(begun.branch([(is_large, charge)]), Workflow[Order, Receipt, dict[str, Any]])
assert_type(begun.dountil(charge, is_large), Workflow[Order, Receipt, Receipt])
assert_type(begun.map({"a": {"value": 1}}).foreach(ship), Workflow[Order, Receipt, list[int]])
assert_type(create_workflow(id="any", input_schema=Order), Workflow[Order, Any, Order])
assert_type(create_workflow(id="any"), Workflow[Any, Any, Any])

orders = begun.then(charge).commit()
outer = create_workflow(id="outer", input_schema=Order, output_schema=int).then(orders)
assert_type(clone_workflow(orders, id="other"), Workflow[Order, Receipt, Receipt])
assert_type(outer, Workflow[Order, int, Receipt])
assert_type(outer.then(ship).commit(), Workflow[Order, int, int])

mastra = Mastra(workflows=[orders], agents={"writer": object()}, tools=[])
Mastra(workflows={"orders": orders, "outer": outer.then(ship).commit()}).get_workflow("orders")


class Special(Receipt):
    note: str


@step
async def special(order: Order) -> Special: ...


@step
async def words(order: Order) -> list[str]: ...


@step
async def pairs(order: Order) -> tuple[int, ...]: ...


@step
async def shout(word: str) -> str: ...


@step
async def untyped(item: Any) -> Any: ...


@step
async def count(order: Order) -> int: ...


assert_type(begun.then(words).foreach(shout), Workflow[Order, Receipt, list[str]])
assert_type(begun.then(pairs).foreach(untyped), Workflow[Order, Receipt, list[Any]])
begun.then(words).foreach(clone_workflow(create_workflow(id="each", input_schema=str).commit(), id="again"))
begun.then(special).then(ship)
begun.then(special).commit()
begun.parallel([charge, charge_again]).commit()
begun.map({"id": {"value": "a"}}).commit()
create_workflow(id="wider", input_schema=Order, output_schema=float).then(count).commit()
create_workflow(id="free", input_schema=Order).then(count).commit()


async def use() -> None:
    run = await orders.create_run()
    assert_type(run, Run[Receipt, Order])
    anything: Run[Receipt] = run
    await anything.start(input_data="anything")
    await run.start(input_data={"total": 1})
    result = await run.start(input_data=Order(total=1))
    assert_type(result, WorkflowResult[Receipt])
    assert_type(result.result, Receipt | None)
    assert_type(await run.restart(), WorkflowResult[Receipt])


@step
async def reads_context(order: Order, ctx: StepContext) -> Any:
    assert_type(await ctx.get_init_data(), Any)
    assert_type(ctx.abort_signal.aborted, bool)
    return await ctx.suspend({"total": order.total}, resume_label="approval")


class Approval(BaseModel):
    ok: bool


class Totals(BaseModel):
    total: int


@step(resume_schema=Approval, state_schema=Totals)
async def typed_context(order: Order, ctx: StepContext[Approval | None, Totals]) -> bool:
    assert_type(ctx.resume_data, Approval | None)
    assert_type(ctx.state, Totals)
    ctx.set_state(Totals(total=order.total))
    ctx.set_state({"total": order.total})
    return ctx.resume_data is not None and ctx.resume_data.ok


@step(state_schema=Totals)
def typed_context_in_thread(order: Order, ctx: SyncStepContext[None, Totals]) -> int:
    assert_type(ctx.resume_data, None)
    return ctx.state.total


def typed_function(order: Order, ctx: FunctionContext[Totals]) -> bool:
    return ctx.state.total > order.total


assert_type(typed_context, Step[Order, bool])
begun.map(typed_function)
begun.branch([(typed_function, typed_context)]).commit()


async def connect(settings: ConnectSettings) -> Client:
    return await Client.connect(**settings, interceptors=[])


async def work() -> None:
    connected = Mastra(workflows=[orders], connect=connect)
    await run_worker(connected, max_concurrent_activities=5, task_queues=["orders", "reports"])
