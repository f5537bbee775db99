"""A step whose code blocks is alive: it runs once, it does not pull its neighbours down, and it is told of."""

import asyncio
import logging
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mastra_temporal import StepContext, StepOptions, SyncStepContext, create_step, create_workflow
from mastra_temporal._worker.activities import heartbeat
from tests.support import Effects, Stage, run, until, within

TIMEOUT = timedelta(seconds=3)
SHORT = {"heartbeat_timeout": TIMEOUT}
LONGER = 3 * TIMEOUT.total_seconds()


def blocking(effects: Effects, seconds: float = LONGER, id: str = "block") -> Any:
    async def block(value: Any) -> str:
        effects.add(id)
        time.sleep(seconds)
        effects.add(f"{id} ended")
        return id

    return create_step(id=id, execute=block)


async def test_a_step_that_blocks_the_event_loop_runs_once(stage: Stage):
    workflow = create_workflow(id="blocking", step_options=SHORT).then(blocking(stage.effects)).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert (result.status, result.result) == ("success", "block")
    assert stage.effects.counts() == {"block": 1, "block ended": 1}


async def test_what_blocked_the_event_loop_is_logged_with_the_remedy(stage: Stage, caplog: pytest.LogCaptureFixture):
    async def nap(value: Any) -> int:
        for _ in range(3):
            time.sleep(0.1)
            await asyncio.sleep(0)
        return 1

    workflow = (
        create_workflow(id="telling")
        .then(blocking(stage.effects, 1.5))
        .then(create_step(id="nap", execute=nap))
        .map(condition)
        .commit()
    )
    async with stage.worker(workflow):
        with caplog.at_level(logging.WARNING, "mastra_temporal.worker"):
            assert (await run(workflow)).status == "success"
    told = [
        record.getMessage() for record in caplog.records if "blocked the worker's event loop" in record.getMessage()
    ]
    assert len(told) == 2
    assert "step `block` of workflow `telling` (block()" in told[0]
    assert "for 1." in told[0]
    assert "`def` instead of `async def`" in told[0]
    assert "function `" in told[1]


async def condition(value: Any) -> Any:
    time.sleep(1.3)
    return value


async def test_a_function_that_blocks_the_event_loop_runs_once(stage: Stage):
    """For longer than a workflow task may take."""

    async def block(value: Any) -> str:
        stage.effects.add("block")
        time.sleep(12)
        return "mapped"

    workflow = create_workflow(id="blocked-task").map(block, id="block").commit()
    async with stage.worker(workflow):
        result = await within((await workflow.create_run()).start(), 60)
    assert (result.status, result.result) == ("success", "mapped")
    assert stage.effects.counts() == {"block": 1}


def crowd(effects: Effects) -> Any:
    """One step that blocks, among others that do not."""

    async def wait(value: Any) -> str:
        effects.add("async")
        await asyncio.sleep(0.1)
        return "async"

    def work(value: Any) -> str:
        effects.add("sync")
        time.sleep(0.1)
        return "sync"

    steps = [blocking(effects), create_step(id="async", execute=wait), create_step(id="sync", execute=work)]
    return [create_workflow(id="crowd", step_options=SHORT).parallel(steps).commit()]


async def test_a_step_that_blocks_does_not_pull_its_neighbours_down(stage: Stage):
    mastra = await stage.app(crowd)
    for _ in range(2):
        stage.worker_process(crowd)
    runs = [await mastra.get_workflow("crowd").create_run() for _ in range(2)]
    results = await within(asyncio.gather(*(item.start() for item in runs)), 90)
    assert [item.status for item in results] == ["success"] * 2
    assert results[0].result == {"block": "block", "async": "async", "sync": "sync"}
    counts = stage.effects.counts()
    assert (counts["block"], counts["block ended"], counts["async"], counts["sync"]) == (2, 2, 2, 2)


async def test_a_checkpoint_of_a_step_that_blocks_is_recorded(stage: Stage):
    async def count(value: Any, ctx: StepContext) -> Any:
        if stage.effects.add("count") == 1:
            for number in range(4):
                ctx.checkpoint(number)
                time.sleep(0.5)
            raise RuntimeError("once")
        return ctx.last_checkpoint

    workflow = create_workflow(id="counting", step_options=SHORT)
    workflow.then(create_step(id="count", execute=count, retries=1)).commit()
    async with stage.worker(workflow):
        run = await workflow.create_run()
        await run.start_async()
        recorded = await within(first_details(stage, run.run_id))
        assert (await within(run.join())).result == 3
    assert recorded


async def first_details(stage: Stage, run_id: str) -> bool:
    """Wait until the server has heard of a checkpoint, asked from a thread: this event loop is the worker's."""
    handle = stage.client.get_workflow_handle(run_id)

    async def there() -> bool:
        pending = (await handle.describe()).raw_description.pending_activities
        return any(item.HasField("heartbeat_details") for item in pending)

    await until(there)
    return True


async def test_a_cancellation_reaches_a_thread_while_the_event_loop_is_blocked(stage: Stage):
    """The signal of the one is set although the other keeps the worker's event loop."""

    def listen(value: Any, ctx: SyncStepContext) -> float:
        deadline = time.monotonic() + 10
        stage.effects.add("listen")
        while not ctx.abort_signal.aborted and time.monotonic() < deadline:
            time.sleep(0.01)
        heard.append(ctx.abort_signal.reason)
        return time.monotonic()

    heard: list[Any] = []
    workflow = create_workflow(id="deaf", step_options=SHORT)
    workflow.parallel([create_step(id="listen", execute=listen), blocking(stage.effects, 6)]).commit()
    async with stage.worker(workflow):
        run = await workflow.create_run()
        await run.start_async()
        await stage.effects.seen("listen")
        await stage.effects.seen("block")
        await within(run.cancel())
        ended = await within(run.join())
    assert ended.status == "canceled"
    assert heard == ["canceled"]


async def test_an_event_loop_that_is_blocked_for_too_long_does_not_hold_its_steps(stage: Stage):
    mastra = await stage.app(deadlock)
    stage.worker_process(limited_deadlock)
    run = await mastra.get_workflow("deadlock").create_run()
    await run.start_async()
    await stage.effects.seen("deadlock")
    stage.worker_process(deadlock)
    result = await within(run.join(), 30)
    assert (result.result, stage.effects.counts()["deadlock"]) == ("elsewhere", 2)


def deadlock(effects: Effects) -> Any:
    async def stand_still(value: Any) -> str:
        if effects.add("deadlock") == 1:
            time.sleep(600)
        return "elsewhere"

    step = create_step(id="stand-still", execute=stand_still)
    return [create_workflow(id="deadlock", step_options=SHORT).then(step).commit()]


def limited_deadlock(effects: Effects) -> Any:
    heartbeat.BLOCKED_LIMIT_SECONDS = 1.0
    return deadlock(effects)


async def test_a_step_that_blocks_for_longer_than_its_time_limit_fails(stage: Stage):
    """Nobody on its worker can say so: the event loop is blocked."""
    step = replace(
        blocking(stage.effects, 14), retries=1, options=StepOptions(start_to_close_timeout=timedelta(seconds=1))
    )
    workflow = create_workflow(id="overdue").then(step).commit()
    async with stage.worker(workflow):
        result = await within((await workflow.create_run()).start(), 90)
    assert result.error is not None
    assert result.error["name"] == "StepTimeoutError"
    assert "exceeded its start-to-close timeout of 1000 ms" in result.error["message"]
    assert stage.effects.counts()["block"] == 2
