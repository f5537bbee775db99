"""A restart by force at a random moment around the completion of the steps that it wants to bring back."""

import asyncio
import random
from typing import Any

from temporalio.api.enums.v1 import EventType

from mastra_temporal import StepContext, create_step, create_workflow
from tests.support import Stage, history, within

RUNS = 25


async def test_a_finished_step_never_runs_again(stage: Stage):
    chance = random.Random(7)

    async def work(value: Any, ctx: StepContext) -> str:
        stage.effects.add(ctx.idempotency_key)
        await asyncio.sleep(chance.uniform(0, 1))
        return ctx.step_id

    async def after(value: Any, ctx: StepContext) -> Any:
        stage.effects.add(ctx.idempotency_key)
        return value

    workflow = create_workflow(id="race").parallel([create_step(id=id, execute=work) for id in ("one", "two")])
    workflow.then(create_step(id="after", execute=after)).commit()

    async def race() -> int:
        run = await workflow.create_run()
        await run.start_async()
        await stage.effects.seen(f"{run.run_id}/one")
        await asyncio.sleep(chance.uniform(0, 0.5))
        result = await within(run.restart(force=True), 40)
        assert (result.status, result.result) == ("success", {"one": "one", "two": "two"})
        attempts = await attempts_of_steps(stage, run.run_id)
        counts = stage.effects.counts()
        assert all(1 <= counts[f"{run.run_id}/{step}"] <= times for step, times in attempts.items())
        return attempts["one"] + attempts["two"]

    async with stage.worker(workflow):
        attempts = await asyncio.gather(*(race() for _ in range(RUNS)))
    # The moments were such that it mattered: some steps were brought back, others had just finished.
    assert min(attempts) < 4
    assert max(attempts) > 2


async def attempts_of_steps(stage: Stage, run_id: str) -> dict[str, int]:
    """How often each step was scheduled, after a look at whether it had to be.

    Again is right only for an attempt that had not completed when it was given up.
    """
    attempts: dict[str, list[int]] = {}
    given_up: dict[int, int] = {}
    completed: dict[int, int] = {}
    for event in await history(stage.client, run_id):
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            name = event.activity_task_scheduled_event_attributes.activity_type.name.removeprefix("race.")
            attempts.setdefault(name, []).append(event.event_id)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
            given_up[event.activity_task_cancel_requested_event_attributes.scheduled_event_id] = event.event_id
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            completed[event.activity_task_completed_event_attributes.scheduled_event_id] = event.event_id
    for *earlier, last in attempts.values():
        assert all(attempt not in completed or given_up[attempt] < completed[attempt] for attempt in earlier)
        assert last in completed
        assert last not in given_up
    return {step: len(events) for step, events in attempts.items()}
