"""Random workflows over all constructs. The same seed gives the same workflows in every process."""

import asyncio
import hashlib
import json
import threading
import time
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

from mastra_temporal import StepContext, StepOptions, SyncStepContext, Workflow, create_step, create_workflow
from tests.chaos.journal import Journal
from tests.support import Effects

HEARTBEAT_TIMEOUT = timedelta(seconds=5)
MOST_ENTRIES = 5
DEEPEST = 2
LONGEST_BLOCK = 0.5
"""Seconds for which a step may block its worker's event loop: the other steps there hear of nothing meanwhile."""
CALM = "calm"
"""The key of the request context of a run that nobody disturbs: its steps take no time."""


def name_of(seed: int, index: int) -> str:
    return f"chaos-{seed}-{index}"


def build(effects: Effects, *, seed: int, first: int, runs: int) -> list[Workflow[Any, Any, Any]]:
    journal = Journal(effects.folder)
    return [Generator(seed, index, journal).workflow() for index in range(first, first + runs)]


def digest(value: Any) -> int:
    return int(hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8], 16)


class Generator:
    """One random workflow."""

    def __init__(self, seed: int, index: int, journal: Journal) -> None:
        self.name = name_of(seed, index)
        self.chance = Random(self.name)
        self.journal = journal
        self.count = 0

    def workflow(self) -> Workflow[Any, Any, Any]:
        return self.filled(self.name, depth=0, most=MOST_ENTRIES)

    def new_id(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def filled(self, workflow_id: str, *, depth: int, most: int) -> Workflow[Any, Any, Any]:
        options = StepOptions(heartbeat_timeout=HEARTBEAT_TIMEOUT)
        callbacks = {"on_start": self.journal.callback, "on_finish": self.journal.callback}
        workflow = create_workflow(
            id=workflow_id,
            step_options=options,
            options=callbacks if self.chance.random() < 0.2 else None,
        )
        kinds = [self.step, self.parallel, self.branch, self.loop, self.foreach, self.nested, self.mapping, self.sleep]
        for _ in range(self.chance.randint(1, most)):
            self.chance.choices(kinds, weights=[6, 3, 2, 2, 3, 2 if depth < DEEPEST else 0, 2, 1])[0](workflow, depth)
        self.step(workflow, depth)
        return workflow.commit()

    # Entries

    def step(self, workflow: Any, depth: int) -> None:
        workflow.then(self.a_step())

    def nested(self, workflow: Any, depth: int) -> None:
        workflow.then(self.a_workflow(depth))

    def parallel(self, workflow: Any, depth: int) -> None:
        workflow.parallel([self.body(depth) for _ in range(self.chance.randint(2, 4))])

    def branch(self, workflow: Any, depth: int) -> None:
        def condition(remainder: int) -> Any:
            return lambda value: digest(value) % 2 != remainder % 2 or remainder == 0

        workflow.branch([(condition(number), self.body(depth)) for number in range(self.chance.randint(2, 3))])

    def loop(self, workflow: Any, depth: int) -> None:
        last = self.chance.randint(1, 3)
        if self.chance.random() < 0.5:
            workflow.dowhile(self.body(depth), lambda value, ctx: ctx.iteration_count < last)
        else:
            workflow.dountil(self.body(depth), lambda value, ctx: ctx.iteration_count >= last)

    def foreach(self, workflow: Any, depth: int) -> None:
        items = self.chance.randint(2, 6)
        workflow.map(lambda value: [digest([value, number]) for number in range(items)], id=self.new_id("m"))
        workflow.foreach(self.body(depth), concurrency=self.chance.randint(1, 3))

    def mapping(self, workflow: Any, depth: int) -> None:
        if self.chance.random() < 0.5:
            workflow.map(lambda value: {"mapped": value}, id=self.new_id("m"))
        else:
            workflow.map({"first": {"init_data": workflow, "path": ""}, "fixed": {"value": 7}}, id=self.new_id("m"))

    def sleep(self, workflow: Any, depth: int) -> None:
        duration = timedelta(milliseconds=self.chance.randint(10, 1500))
        kind = self.chance.randint(1, 3)
        if kind == 1:
            workflow.sleep(duration, id=self.new_id("z"))
        elif kind == 2:
            workflow.sleep(lambda value: duration, id=self.new_id("z"))
        else:
            workflow.sleep_until(lambda value: datetime.now(timezone.utc) + duration, id=self.new_id("z"))

    # Bodies

    def body(self, depth: int) -> Any:
        return self.a_workflow(depth) if depth < DEEPEST and self.chance.random() < 0.25 else self.a_step()

    def a_workflow(self, depth: int) -> Any:
        return self.filled(f"{self.name}-{self.new_id('w')}", depth=depth + 1, most=2)

    def a_step(self) -> Any:
        step_id, seconds = self.new_id("s"), self.chance.choice([0.0, 0.05, 0.2, 0.2, 0.5, 0.5, 2.0])
        kind = self.chance.choice(
            ["plain", "plain", "plain", "thread", "fails", "checkpoint", "asks", "blocks", "computes"]
        )
        body = self.in_thread(seconds) if kind == "thread" else self.on_loop(seconds, kind)
        return create_step(id=step_id, execute=body, retries=2 if kind == "fails" else 0)

    def on_loop(self, seconds: float, kind: str) -> Any:
        async def body(value: Any, ctx: StepContext) -> Any:
            with self.journal.attempt(ctx) as attempt:
                if ctx.request_context.get(CALM):
                    pass
                elif kind == "blocks":
                    time.sleep(min(seconds, LONGEST_BLOCK))
                elif kind == "computes":
                    until = time.monotonic() + min(seconds, LONGEST_BLOCK)
                    while time.monotonic() < until:
                        digest(value)
                else:
                    waiting = asyncio.ensure_future(ctx.abort_signal.wait())
                    await asyncio.wait({waiting}, timeout=seconds)
                    waiting.cancel()
                if ctx.abort_signal.aborted:
                    attempt.note("abort")
                if kind == "checkpoint":
                    ctx.checkpoint(digest(value))
                if kind == "fails" and ctx.retry_count < 2:
                    raise ValueError(f"failure {ctx.retry_count + 1} of 2")
                if kind == "asks" and ctx.resume_data is None:
                    return await ctx.suspend({"about": digest(value)})
                return effect([value, ctx.resume_data], ctx)

        return body

    def in_thread(self, seconds: float) -> Any:
        def body(value: Any, ctx: SyncStepContext) -> Any:
            with self.journal.attempt(ctx) as attempt:
                until = time.monotonic() + (0 if ctx.request_context.get(CALM) else seconds)
                while time.monotonic() < until:
                    if ctx.abort_signal.aborted:
                        attempt.note("abort")
                        break
                    threading.Event().wait(0.02)
                return effect(value, ctx)

        return body


def effect(value: Any, ctx: Any) -> int:
    """What a step gives: it tells its input, its place in the run, and no more."""
    place = ctx.idempotency_key.split("/", 1)[1]
    ctx.set_state({place: digest(value)})
    return digest([place.split(".")[-1], value])
