"""The hand-written side of `benchmarks.overhead`: what one writes with nothing but the Temporal SDK."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from benchmarks.work import PARALLEL, SEQUENTIAL, Item, one_more

__all__ = ["ACTIVITIES", "Parallel", "Sequential"]

LIMIT = timedelta(hours=1)


def _activity(name: str) -> Callable[..., Any]:
    @activity.defn(name=name)
    async def body(item: Item) -> Item:
        return await one_more(item)

    return body


ACTIVITIES = [_activity(name) for name in (*SEQUENTIAL, *PARALLEL)]


@workflow.defn(name="sequential-by-hand", sandboxed=False)
class Sequential:
    """Five activities, one after the other."""

    @workflow.run
    async def run(self, item: Item) -> Item:
        for name in SEQUENTIAL:
            item = await workflow.execute_activity(name, item, result_type=Item, start_to_close_timeout=LIMIT)
        return item


@workflow.defn(name="parallel-by-hand", sandboxed=False)
class Parallel:
    """Ten activities at once."""

    @workflow.run
    async def run(self, item: Item) -> dict[str, Item]:
        outputs = await asyncio.gather(
            *(
                workflow.execute_activity(name, item, result_type=Item, start_to_close_timeout=LIMIT)
                for name in PARALLEL
            )
        )
        return dict(zip(PARALLEL, outputs, strict=True))
