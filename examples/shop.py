"""Orders that wait for a person: the app of docs/cli.md.

mastra-temporal dev --app examples.shop:mastra
"""

import asyncio
from typing import Any, Literal

from pydantic import BaseModel, Field

from mastra_temporal import Mastra, StepContext, create_step, create_workflow, step


class Order(BaseModel):
    """What a customer wants."""

    item: str
    total: float


class Decision(BaseModel):
    """What a person answers."""

    approved: bool = Field(description="whether we sell it")
    priority: Literal["low", "high"] = "low"
    note: str | None = None


@step
async def pack(order: Order) -> Order:
    """Pack an order, which takes a while."""
    await asyncio.sleep(order.total)
    return order


async def approve(order: Order, ctx: StepContext) -> Any:
    """Ask a person."""
    if ctx.resume_data is None:
        return await ctx.suspend({"question": f"Sell {order.item}?"}, resume_label="approval")
    return {"item": order.item, **ctx.resume_data.model_dump()}


class Writer:
    """An agent without a model."""

    id = "writer"

    async def generate(self, prompt: str, *, write: Any, **options: Any) -> str:
        """Write a letter word by word."""
        words = f"Dear customer, {prompt}".split()
        for word in words:
            await write(f"{word} ")
        return " ".join(words)


orders = (
    create_workflow(id="orders", input_schema=Order)
    .then(pack)
    .then(create_step(id="approve", execute=approve, resume_schema=Decision))
    .commit()
)
letters = create_workflow(id="letters").then(create_step(Writer())).commit()

mastra = Mastra(workflows=[orders, letters])
