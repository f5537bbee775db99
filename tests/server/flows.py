"""The workflows that the tests of the HTTP server call: one of each kind that a client has to deal with."""

from typing import Any

from pydantic import BaseModel

from mastra_temporal import StepContext, Workflow, create_step, create_workflow, step
from tests.support import Effects


class Order(BaseModel):
    total: int
    note: str = "none"


class Approval(BaseModel):
    approved: bool


class Priced(BaseModel):
    total: int
    price: int


@step
async def price(order: Order) -> Priced:
    return Priced(total=order.total, price=order.total * 2)


@step
async def ship(order: Priced, ctx: StepContext) -> dict[str, Any]:
    await ctx.writer.write({"shipping": order.price})
    return {"shipped": order.price, "context": ctx.request_context.to_json(), "resource": ctx.resource_id}


@step(resume_schema=Approval)
async def approve(order: Priced, ctx: StepContext) -> Priced:
    if ctx.resume_data is None:
        return await ctx.suspend({"question": f"{order.price}?"})
    return order if ctx.resume_data.approved else Priced(total=order.total, price=0)


@step
async def explode(order: Order) -> Order:
    if order.total < 0:
        raise ValueError("below zero")
    return order


def build(effects: Effects) -> list[Workflow[Any, Any, Any]]:
    """All of them; the steps of one wait at gates, so that its worker can be killed in between."""

    async def before(order: Order) -> Order:
        effects.add("before")
        return order

    async def wait(order: Order) -> Order:
        effects.add("waiting")
        await effects.opened("wait")
        return order

    gated = (
        create_workflow(id="gated", input_schema=Order)
        .then(create_step(id="before", execute=before, input_schema=Order, output_schema=Order))
        .then(create_step(id="wait", execute=wait, input_schema=Order, output_schema=Order))
        .commit()
    )
    approval = create_workflow(id="approval", input_schema=Priced, output_schema=Priced).then(approve).commit()
    return [
        create_workflow(id="orders", input_schema=Order, description="Prices and ships", metadata={"team": "sales"})
        .then(price)
        .then(ship)
        .commit(),
        create_workflow(id="approvals", input_schema=Order).then(price).then(approve).then(ship).commit(),
        create_workflow(id="nested", input_schema=Order).then(price).then(approval).then(ship).commit(),
        create_workflow(id="failing", input_schema=Order).then(explode).commit(),
        create_workflow(id="sleepy", input_schema=Order).then(explode).sleep(600_000).commit(),
        gated,
    ]
