"""The work of `benchmarks.overhead`: five steps in sequence, and ten in parallel.

All steps are the same function. On our side they are steps of a workflow, on the other side Temporal activities.
"""

from __future__ import annotations

from pydantic import BaseModel

__all__ = ["PARALLEL", "SEQUENTIAL", "Item", "one_more"]

SEQUENTIAL = [f"step_{number}" for number in range(1, 6)]
PARALLEL = [f"part_{number}" for number in range(1, 11)]


class Item(BaseModel):
    """The data that each step passes to the next."""

    count: int
    name: str = "an item with a name of ordinary length"


async def one_more(item: Item) -> Item:
    """Return the item with its count increased by one. This is the body of every step."""
    return Item(count=item.count + 1, name=item.name)
