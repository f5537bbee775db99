"""The hand-written workflows of `benchmarks.workloads`, which use only the Temporal SDK.

Each is there twice: with the SDK's sandbox, which is the default, and without it. Our own workflows need no sandbox,
because no user code runs in them. What our side does in functions of the user (conditions, mappings) is plain workflow
code here.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from benchmarks.workloads_app import AT_ONCE, BRANCHES, LARGE, PARTS, STEPS, Item

__all__ = ["SANDBOXED", "UNSANDBOXED"]

LIMIT = timedelta(hours=1)


async def _do(name: str, item: Item) -> Item:
    return await workflow.execute_activity(name, item, result_type=Item, start_to_close_timeout=LIMIT)


class Sequential:
    """Run five activities one after the other."""

    async def work(self, item: Item) -> Any:
        for name in STEPS:
            item = await _do(name, item)
        return item


class Parallel:
    """Run ten activities at the same time."""

    async def work(self, item: Item) -> Any:
        return await asyncio.gather(*(_do(name, item) for name in PARTS))


class Branch:
    """Run an activity, and then one of three."""

    async def work(self, item: Item) -> Any:
        item = await _do(STEPS[0], item)
        if item.count < 0:
            return await _do(BRANCHES[0], item)
        if item.count == 0:
            return await _do(BRANCHES[1], item)
        return await _do(BRANCHES[2], item)


class Map:
    """Run three activities with a change of the data between them."""

    async def work(self, item: Item) -> Any:
        item = await _do(STEPS[0], item)
        for name in STEPS[1:3]:
            item = await _do(name, Item(count=item.count * 2, name=item.name))
        return item


class Suspend:
    """Run an activity, wait for an answer, and run two more activities with it."""

    def __init__(self) -> None:
        self._is_suspended = False
        self._answer: Item | None = None

    async def work(self, item: Item) -> Any:
        await _do(STEPS[0], item)
        self._is_suspended = True
        await workflow.wait_condition(lambda: self._answer is not None)
        assert self._answer is not None
        return await _do(STEPS[2], await _do(STEPS[1], self._answer))

    @workflow.update
    async def suspended(self) -> None:
        """Answer when the workflow waits."""
        await workflow.wait_condition(lambda: self._is_suspended)

    @workflow.update
    async def resume(self, item: Item) -> None:
        """Take the answer."""
        self._answer = item


class Foreach:
    """Run an activity for each of 200 items, with ten at the same time."""

    async def work(self, item: Item) -> Any:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> Item:
            async with room:
                return await _do(STEPS[0], Item(count=number, name=item.name))

        return await asyncio.gather(*(one(number) for number in range(LARGE)))


class Loop:
    """Run an activity until it has run 200 times."""

    async def work(self, item: Item) -> Any:
        while item.count < LARGE:
            item = await _do(STEPS[0], item)
        return item


def _generated(base: type[Any], *, sandboxed: bool) -> type[Any]:
    """Return a Temporal workflow that does this work."""
    name = f"{base.__name__}{'Sandboxed' if sandboxed else 'Unsandboxed'}"

    async def run(self: Any, item: Item) -> Any:
        return await self.work(item)

    run.__qualname__ = f"{name}.run"  # the SDK refuses a function that is local to another one
    run.__annotations__ = {"item": Item, "return": Any}  # as types, which the SDK decodes the argument with
    return workflow.defn(sandboxed=sandboxed)(type(name, (base,), {"run": workflow.run(run), "__module__": __name__}))


_WORK = {
    "5 steps": Sequential,
    "10 parallel": Parallel,
    "branch of 3": Branch,
    "map between steps": Map,
    "suspend and resume": Suspend,
    f"foreach of {LARGE}": Foreach,
    f"loop of {LARGE}": Loop,
}
SANDBOXED = {name: _generated(base, sandboxed=True) for name, base in _WORK.items()}
UNSANDBOXED = {name: _generated(base, sandboxed=False) for name, base in _WORK.items()}
globals().update({each.__name__: each for each in (*SANDBOXED.values(), *UNSANDBOXED.values())})
