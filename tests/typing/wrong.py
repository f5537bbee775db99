# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Mistakes that a type checker must see: each comment is the error expected there, and itself an error without one."""

from pydantic import BaseModel

from mastra_temporal import Mastra, StepContext, StepOptions, create_step, create_workflow, run_worker, step
from mastra_temporal.errors import DefinitionError


class Order(BaseModel):
    total: int


class Receipt(BaseModel):
    id: str


@step
async def charge(order: Order) -> Receipt: ...


@step
async def charge_twice(order: Order) -> Receipt: ...


@step
async def ship(receipt: Receipt) -> int: ...


@step
async def words(order: Order) -> list[str]: ...


@step
async def double(number: int) -> int: ...


orders = create_workflow(id="orders", input_schema=Order, output_schema=int)

orders.then(ship)  # pyright: ignore[reportArgumentType]
orders.then(charge).then(charge_twice)  # pyright: ignore[reportArgumentType]
orders.parallel([charge, ship])  # pyright: ignore[reportArgumentType]
orders.branch([(bool, ship)])  # pyright: ignore[reportArgumentType]
orders.dountil(ship, bool)  # pyright: ignore[reportArgumentType]
orders.dowhile(ship, bool)  # pyright: ignore[reportArgumentType]
orders.sleep(1).then(ship)  # pyright: ignore[reportArgumentType]
orders.then(words).foreach(double)  # pyright: ignore[reportArgumentType]
orders.then(words).foreach(ship)  # pyright: ignore[reportArgumentType]
orders.foreach(ship)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
orders.map(list).foreach(double, concurrency="two")  # pyright: ignore[reportArgumentType]
orders.sleep("5s")  # pyright: ignore[reportArgumentType]
orders.sleep_until("2030-01-01")  # pyright: ignore[reportArgumentType]
orders.then(print)  # pyright: ignore[reportArgumentType]

text = create_workflow(id="text", input_schema=Order, output_schema=str)
text.then(charge).then(ship).commit()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
text.commit()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
text.then(words).commit()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

nested = create_workflow(id="nested", input_schema=Receipt, output_schema=int).then(ship).commit()
orders.then(nested)  # pyright: ignore[reportArgumentType]
orders.then(charge).then(nested)

create_step(id="a", execute=print, retrys=3)  # pyright: ignore[reportCallIssue]
StepOptions(heartbeat_timout=None)  # pyright: ignore[reportCallIssue]
create_workflow(id="a", retry_config=3)  # pyright: ignore[reportArgumentType]


@step
async def read(order: Order, ctx: StepContext) -> None:
    print(ctx.inputs)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    await ctx.suspend("payload", label="x")  # pyright: ignore[reportCallIssue]


@step
async def read_typed(order: Order, ctx: StepContext[Receipt | None, Order]) -> None:
    print(ctx.resume_data.id)  # pyright: ignore[reportOptionalMemberAccess]
    print(ctx.state.id)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    ctx.set_state("done")  # pyright: ignore[reportArgumentType]


async def use() -> None:
    run = await orders.then(charge).then(ship).commit().create_run()
    await run.start(input_data="no model")  # pyright: ignore[reportArgumentType]
    await run.start_async(input_data=5)  # pyright: ignore[reportArgumentType]
    run.stream(input_data=Receipt(id="a"))  # pyright: ignore[reportArgumentType]
    result = await run.start(input_data=Order(total=1))
    print(result.result.bit_length())  # pyright: ignore[reportOptionalMemberAccess]
    text: str | None = result.result  # pyright: ignore[reportAssignmentType]
    raise DefinitionError(text)


async def work(mastra: Mastra) -> None:
    await run_worker(mastra, max_concurent_activities=5)  # pyright: ignore[reportCallIssue]
    await run_worker(mastra, max_concurrent_activities="5")  # pyright: ignore[reportArgumentType]
    Mastra(workflows=[], connect=work)  # pyright: ignore[reportArgumentType]
