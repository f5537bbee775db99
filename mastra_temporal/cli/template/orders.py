"""A workflow that checks an order, asks a person if it is large, and confirms it."""

from __future__ import annotations

from pydantic import BaseModel

from mastra_temporal import Mastra, StepContext, create_workflow, step


class Order(BaseModel):
    """The input of a run."""

    item: str
    total: float


class Approval(BaseModel):
    """What a person answers to a run that is suspended."""

    approved: bool


@step(retries=3)
async def check(order: Order) -> Order:
    """Check the order. A failure is tried again three times."""
    if order.total <= 0:
        raise ValueError("the total must be positive")
    return order


@step(resume_schema=Approval)
async def approve(order: Order, ctx: StepContext) -> Order:
    """Suspend the run until a person approves an order over 100. No worker is needed while it waits."""
    if order.total <= 100:
        return order
    if ctx.resume_data is None:
        return await ctx.suspend({"question": f"Approve {order.item} for {order.total:.2f}?"})
    if not ctx.resume_data.approved:
        raise ValueError("the order was not approved")
    return order


@step
async def confirm(order: Order) -> str:
    """Confirm the order."""
    return f"{order.item} is ordered"


orders = (
    create_workflow(id="orders", input_schema=Order, output_schema=str).then(check).then(approve).then(confirm).commit()
)
mastra = Mastra(workflows=[orders], task_queue="orders")
