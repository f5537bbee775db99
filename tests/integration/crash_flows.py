"""Workflows for tests that kill workers. Each hangs at its fragile steps, the first time that they run.

A step notes its idempotency key: so the effects tell how often each step of each run was executed.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mastra_temporal import FunctionContext, StepContext, SyncStepContext, create_step, create_workflow
from tests.support import Effects

SLEEP = timedelta(seconds=4)


@dataclass(frozen=True)
class Scenario:
    """A run whose worker is killed while `hanging` of its steps hang."""

    result: Any
    counts: dict[str, int]
    """How often each step, and each condition, must have been executed in the end."""
    hanging: int = 1
    input_data: Any = 1
    heartbeat: bytes = b""
    """What a hanging step must have recorded before the worker is killed."""
    restart: dict[str, Any] | None = field(default_factory=dict)
    """The arguments of `restart()`; None: nobody calls it."""
    state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None


SCENARIOS = {
    "sequence": Scenario(4, {"a": 1, "b": 2, "c": 1}),
    "threaded": Scenario(2, {"b": 2}),
    "parallel": Scenario({"a": 2, "b": 2, "c": 2, "d": 2}, {"a": 1, "b": 2, "c": 1, "d": 2}, hanging=2),
    "branch": Scenario({"a": 2, "b": 2}, {"a": 1, "b": 2, "a condition": 1, "b condition": 1, "c condition": 1}),
    "loop": Scenario(4, {"b#1": 1, "b#2": 2, "b#3": 1, "b condition": 3}),
    "foreach": Scenario(
        [2, 3, 4, 5, 6],
        {"b[0]": 1, "b[1]": 1, "b[2]": 2, "b[3]": 2, "b[4]": 1},
        hanging=2,
        input_data=[1, 2, 3, 4, 5],
    ),
    "nested": Scenario(
        7,
        {"a": 1, "middle.a": 1, "middle.inner.a": 1, "middle.inner.b": 2, "middle.c": 1, "c": 1},
        state={"start": 0, "a": 3, "c": 6},
    ),
    "foreach-nested": Scenario(
        [4, 5, 6],
        {f"items[{index}].{step}": 1 + ((index, step) == (1, "b")) for index in range(3) for step in "abc"},
        input_data=[1, 2, 3],
    ),
    "loop-nested": Scenario(
        4,
        {"round#1.b": 1, "round#2.b": 2, "round#3.b": 1},
    ),
    "sleep": Scenario(3, {"a": 1, "c": 1}, hanging=0),
    "context": Scenario(
        {"set": "by a", "kept": "recorded", "changed": "by the caller", "new": 1},
        {"a": 1, "b": 2},
        request_context={"kept": "recorded", "changed": "recorded", "gone": 1},
        restart={"request_context": {"changed": "by the caller", "new": 1}},
    ),
    "retried": Scenario([2, "second"], {"b": 4}, heartbeat=b"second"),
    "unattended": Scenario([0, "seen"], {"b": 2}, heartbeat=b"seen", restart=None),
}


def build(effects: Effects) -> list[Any]:
    return Flows(effects).all()


class Flows:
    def __init__(self, effects: Effects) -> None:
        self.effects = effects

    def work(self, id: str) -> Any:
        async def work(value: int, ctx: StepContext) -> int:
            self.effects.add(ctx.idempotency_key)
            ctx.set_state({ctx.step_id: value})
            return value + 1

        return create_step(id=id, execute=work)

    def fragile(self, id: str = "b", when: Callable[[int], bool] = lambda value: True) -> Any:
        async def body(value: int, ctx: StepContext) -> int:
            self.effects.add(ctx.idempotency_key)
            if when(value):
                await self.hang(ctx)
            return value + 1

        return create_step(id=id, execute=body)

    def note(self, name: str, holds: Callable[[Any], bool]) -> Any:
        def condition(value: Any, ctx: FunctionContext) -> bool:
            self.effects.add(f"{ctx.run_id}/{name} condition")
            return holds(value)

        return condition

    def all(self) -> list[Any]:
        a, b, c = self.work("a"), self.fragile(), self.work("c")
        inner = create_workflow(id="inner").then(a).then(b).commit()
        middle = create_workflow(id="middle").then(a).then(inner).then(c).commit()
        items = create_workflow(id="items").then(a).then(self.fragile(when=lambda value: value == 3)).then(c).commit()
        at_two = self.fragile(when=lambda value: value == 2)
        round = create_workflow(id="round").then(at_two).commit()
        flows = (
            create_workflow(id="sequence").then(a).then(b).then(c),
            create_workflow(id="threaded").then(create_step(id="b", execute=self.hang_in_thread)),
            create_workflow(id="parallel").parallel([a, b, c, self.fragile("d")]),
            create_workflow(id="branch").branch(
                [
                    (self.note("a", lambda value: True), a),
                    (self.note("b", lambda value: True), b),
                    (self.note("c", lambda value: False), c),
                ]
            ),
            create_workflow(id="loop").dountil(at_two, self.note("b", lambda value: value == 4)),
            create_workflow(id="foreach").foreach(self.fragile(when=lambda value: value in (3, 4)), concurrency=2),
            create_workflow(id="nested").then(a).then(middle).then(c),
            create_workflow(id="foreach-nested").foreach(items, concurrency=3),
            create_workflow(id="loop-nested").dowhile(round, lambda value: value < 4),
            create_workflow(id="sleep").then(a).sleep(SLEEP, id="nap").then(c),
            create_workflow(id="context")
            .then(create_step(id="a", execute=self.change_context))
            .then(b)
            .map(lambda value, ctx: ctx.request_context.to_json()),
            create_workflow(id="retried").then(create_step(id="b", execute=self.fail_and_hang, retries=2)),
            create_workflow(id="unattended", step_options={"heartbeat_timeout": timedelta(seconds=2)}).then(
                create_step(id="b", execute=self.hang_with_checkpoint)
            ),
        )
        return [flow.commit() for flow in flows]

    async def hang(self, ctx: StepContext) -> None:
        """Hang until the worker is killed, once."""
        if self.effects.add(f"hangs {ctx.idempotency_key}") == 1:
            await asyncio.sleep(600)

    def hang_in_thread(self, value: int, ctx: SyncStepContext) -> int:
        self.effects.add(ctx.idempotency_key)
        if self.effects.add(f"hangs {ctx.idempotency_key}") == 1:
            threading.Event().wait(600)
        return value + 1

    async def change_context(self, value: int, ctx: StepContext) -> int:
        self.effects.add(ctx.idempotency_key)
        ctx.request_context["set"] = "by a"
        del ctx.request_context["gone"]
        return value

    async def fail_and_hang(self, value: int, ctx: StepContext) -> Any:
        """Fails, hangs, fails again: the crash must not count."""
        execution = self.effects.add(ctx.idempotency_key)
        if execution == 1:
            ctx.checkpoint("first")
            raise RuntimeError("first")
        if execution == 2:
            ctx.checkpoint("second")
            await self.hang(ctx)
        if execution == 3:
            raise RuntimeError("third")
        return [ctx.retry_count, ctx.last_checkpoint]

    async def hang_with_checkpoint(self, value: int, ctx: StepContext) -> Any:
        self.effects.add(ctx.idempotency_key)
        if ctx.last_checkpoint is None:
            ctx.checkpoint("seen")
            await self.hang(ctx)
        return [ctx.retry_count, ctx.last_checkpoint]
