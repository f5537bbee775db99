"""An application for Mastra's Studio, with everything that Studio can show, fill in, watch and resume.

::

    mastra-temporal dev --app examples.studio:mastra --cors-origin http://localhost:3000
    npx mastra studio --port 3000 --server-port 4111
"""

from __future__ import annotations

import asyncio
from typing import Literal

from pydantic import BaseModel, Field

from mastra_temporal import Mastra, StepContext, create_workflow, step


class Order(BaseModel):
    customer: str = Field(description="Who ordered")
    total: int = Field(description="In euros", ge=1)
    express: bool = False
    country: Literal["DE", "FR", "SE"] = "DE"


class Approval(BaseModel):
    approved: bool
    by: str = "nobody"


class Checked(BaseModel):
    order: Order
    score: int


class Shipment(BaseModel):
    customer: str
    carrier: str


@step(description="Looks the customer up")
async def check(order: Order) -> Checked:
    await asyncio.sleep(2)
    if order.customer == "nobody":
        raise ValueError("there is no customer of that name")
    return Checked(order=order, score=len(order.customer))


@step(resume_schema=Approval, description="Asks a person")
async def approve(checked: Checked, ctx: StepContext) -> Checked:
    if ctx.resume_data is None:
        return await ctx.suspend({"question": f"Ship for {checked.order.total} euros?"})
    if not ctx.resume_data.approved:
        raise ValueError(f"{ctx.resume_data.by} does not approve")
    return checked


@step
async def reserve(checked: Checked) -> str:
    await asyncio.sleep(1)
    return f"shelf {checked.score}"


@step
async def charge(checked: Checked) -> str:
    await asyncio.sleep(2)
    return f"{checked.order.total} euros"


wants_express = {"predicate": {"op": "truthy", "value": {"path": "initData.express"}}}
wants_time = {"predicate": {"op": "falsy", "value": {"path": "initData.express"}}}


@step
async def by_plane(parcel: dict[str, str], ctx: StepContext) -> Shipment:
    return Shipment(customer=(await ctx.get_init_data()).customer, carrier="plane")


@step
async def by_train(parcel: dict[str, str], ctx: StepContext) -> Shipment:
    await ctx.writer.write({"packed": parcel["reserve"]})
    return Shipment(customer=(await ctx.get_init_data()).customer, carrier="train")


class Greeting(BaseModel):
    name: str


@step
async def greet(greeting: Greeting) -> str:
    return f"Hello, {greeting.name}!"


approval = create_workflow(id="approval", input_schema=Checked, output_schema=Checked).then(approve).commit()
orders = (
    create_workflow(id="order-to-shipment", input_schema=Order, description="Checks, asks, charges and ships an order")
    .then(check)
    .then(approval)
    .parallel([reserve, charge])
    .branch([(wants_express, by_plane), (wants_time, by_train)])
    .commit()
)
greeting = create_workflow(id="greeting", input_schema=Greeting, output_schema=str).then(greet).commit()

mastra = Mastra(workflows=[orders, greeting])
