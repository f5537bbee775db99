"""The hand-written workflows of `benchmarks.overhead`, which use only the Temporal SDK.

Each workflow is there twice: with the SDK's sandbox, which is the default, and without it. Our own workflows need no
sandbox, because no user code runs in them.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from benchmarks.work import PARALLEL, SEQUENTIAL, Item

__all__ = ["WORKFLOWS", "Parallel", "ParallelWithoutSandbox", "Sequential", "SequentialWithoutSandbox"]

LIMIT = timedelta(hours=1)


@workflow.defn
class Sequential:
    """Run five activities one after the other."""

    @workflow.run
    async def run(self, item: Item) -> Item:
        for name in SEQUENTIAL:
            item = await workflow.execute_activity(name, item, result_type=Item, start_to_close_timeout=LIMIT)
        return item


@workflow.defn(sandboxed=False)
class SequentialWithoutSandbox(Sequential):
    @workflow.run
    async def run(self, item: Item) -> Item:
        return await super().run(item)


@workflow.defn
class Parallel:
    """Run ten activities at the same time."""

    @workflow.run
    async def run(self, item: Item) -> dict[str, Item]:
        outputs = await asyncio.gather(
            *(
                workflow.execute_activity(name, item, result_type=Item, start_to_close_timeout=LIMIT)
                for name in PARALLEL
            )
        )
        return dict(zip(PARALLEL, outputs, strict=True))


@workflow.defn(sandboxed=False)
class ParallelWithoutSandbox(Parallel):
    @workflow.run
    async def run(self, item: Item) -> dict[str, Item]:
        return await super().run(item)


WORKFLOWS = [Sequential, SequentialWithoutSandbox, Parallel, ParallelWithoutSandbox]
