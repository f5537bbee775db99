"""The work that both sides of `benchmarks.overhead` do: five steps in sequence, and ten at once.

The steps are one function; on our side they are steps of a workflow, on the other plain Temporal activities.
"""

from __future__ import annotations

from pydantic import BaseModel

__all__ = ["PARALLEL", "SEQUENTIAL", "Item", "one_more"]

SEQUENTIAL = [f"step_{number}" for number in range(1, 6)]
PARALLEL = [f"part_{number}" for number in range(1, 11)]


class Item(BaseModel):
    """What goes from step to step."""

    count: int
    name: str = "an item with a name of ordinary length"


async def one_more(item: Item) -> Item:
    """The body of every step."""
    return Item(count=item.count + 1, name=item.name)
