"""An order workflow: validate, reserve and charge in parallel, price every line, pack (express or standard), ship.

Run a worker for it with ``mastra-temporal worker --app examples.orders:mastra`` in a checkout of the repository.

Instead of calling a stock system or a bank, the steps write their effects to the file in ``ORDERS_EFFECTS``.
``ORDERS_PRICING_SECONDS`` is the time for pricing a line.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from mastra_temporal import FunctionContext, Mastra, StepContext, create_workflow, step


class Line(BaseModel):
    sku: str
    quantity: int


class PricedLine(Line):
    price: int
    """The price of the whole line in cents."""


class Order(BaseModel):
    id: str
    lines: list[Line]
    express: bool = False


class Parcel(BaseModel):
    order_id: str
    carrier: str
    total: int


class Shipment(BaseModel):
    order_id: str
    tracking: str
    total: int


PRICES = {"kettle": 3900, "teapot": 2450, "cup": 650, "tray": 1800}


def record(effect: str, ctx: StepContext) -> None:
    """Record the effect of a step as a line in a file."""
    path = os.environ.get("ORDERS_EFFECTS")
    if path:
        line = json.dumps({"step": ctx.step_id, "effect": effect, "key": ctx.idempotency_key})
        with Path(path).open("a") as file:
            file.write(line + "\n")


@step
async def validate(order: Order, ctx: StepContext) -> Order:
    """Refuse orders that cannot be priced."""
    unknown = [line.sku for line in order.lines if line.sku not in PRICES]
    if unknown:
        raise ValueError(f"order {order.id} has unknown articles: {', '.join(unknown)}")
    record(f"order {order.id} is valid", ctx)
    return order


@step(retries=3)
async def reserve(order: Order, ctx: StepContext) -> str:
    """Reserve the articles in the stock."""
    record(f"reserved {len(order.lines)} lines", ctx)
    return f"shelf-{len(order.lines)}"


@step(retries=3)
async def charge(order: Order, ctx: StepContext) -> str:
    """Charge the card. The bank gets the idempotency key, so a repeated call charges nothing."""
    record(f"charged for {order.id}", ctx)
    return f"receipt-{order.id}"


@step
async def price_line(line: Line, ctx: StepContext) -> PricedLine:
    """Price one line."""
    record(f"pricing {line.sku}", ctx)
    await asyncio.sleep(float(os.environ.get("ORDERS_PRICING_SECONDS", "0.1")))
    return PricedLine(sku=line.sku, quantity=line.quantity, price=PRICES[line.sku] * line.quantity)


@step
async def pack_express(lines: list[PricedLine], ctx: StepContext) -> Parcel:
    """Pack for the courier."""
    record("packed for the courier", ctx)
    order: Order = await ctx.get_init_data()
    return Parcel(order_id=order.id, carrier="courier", total=sum(line.price for line in lines) + 990)


@step
async def pack_standard(lines: list[PricedLine], ctx: StepContext) -> Parcel:
    """Pack for the post."""
    record("packed for the post", ctx)
    order: Order = await ctx.get_init_data()
    return Parcel(order_id=order.id, carrier="post", total=sum(line.price for line in lines))


@step
async def ship(parcel: Parcel, ctx: StepContext) -> Shipment:
    """Hand the parcel over."""
    record(f"handed to the {parcel.carrier}", ctx)
    return Shipment(order_id=parcel.order_id, tracking=f"{parcel.carrier}-{parcel.order_id}", total=parcel.total)


def lines_of(_: Any, ctx: FunctionContext) -> list[Any]:
    return ctx.get_init_data().lines


def is_express(_: Any, ctx: FunctionContext) -> bool:
    return ctx.get_init_data().express


def is_standard(_: Any, ctx: FunctionContext) -> bool:
    return not ctx.get_init_data().express


def parcel_of(packed: dict[str, Any]) -> Any:
    return packed.get("pack_express") or packed.get("pack_standard")


orders = (
    create_workflow(id="orders", input_schema=Order, output_schema=Shipment, description="From an order to a parcel")
    .then(validate)
    .parallel([reserve, charge])
    .map(lines_of, id="lines")
    .foreach(price_line, concurrency=2)
    .branch([(is_express, pack_express), (is_standard, pack_standard)])
    .map(parcel_of, id="parcel")
    .then(ship)
    .commit()
)

mastra = Mastra(workflows=[orders], task_queue="orders")
