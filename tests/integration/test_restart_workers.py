"""Workers that die, come late or shut down while a run is under way."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from mastra_temporal import Run, StepContext, StepOptions, create_step, create_workflow
from mastra_temporal._client.recovery.liveness import worker_beats
from tests.support import Effects, Stage, count_events, scheduled, until, within


def gated(effects: Effects) -> Any:
    """Its first step waits to be killed, and runs through the second time."""

    async def wait(value: Any, ctx: StepContext) -> list[int]:
        execution = effects.add("wait")
        if execution == 1:
            await ctx.abort_signal.wait()
            effects.add("aborted")
        return [execution, ctx.retry_count]

    workflow = create_workflow(id="gated").then(create_step(id="wait", execute=wait))
    return [workflow.then(create_step(id="after", execute=lambda value: effects.add("after") and value)).commit()]


def hanging(effects: Effects) -> Any:
    """Its second step hangs three times."""

    async def hang(value: Any, ctx: StepContext) -> list[int]:
        execution = effects.add("hang")
        if execution < 4:
            await asyncio.sleep(600)
        return [execution, ctx.retry_count]

    workflow = create_workflow(id="hanging").then(create_step(id="before", execute=lambda: effects.add("before")))
    return [workflow.then(create_step(id="hang", execute=hang)).commit()]


async def begun(stage: Stage, workflow: Any) -> Run[Any]:
    run = await workflow.create_run()
    await run.start_async()
    await stage.effects.seen("wait")
    return run


@pytest.mark.any_cache
async def test_a_restart_may_come_before_the_new_worker(stage: Stage, caplog: pytest.LogCaptureFixture):
    mastra = await stage.app(gated)
    worker = stage.worker_process(gated)
    run = await begun(stage, mastra.get_workflow("gated"))

    async def beats() -> bool:
        return bool(await worker_beats(stage.client, f"TaskQueue = '{stage.task_queue}'"))

    await until(beats)  # of a worker that never did, the server only knows that it polled within the last minute
    worker.kill()
    restarting = asyncio.create_task(run.restart())
    await until(lambda: "no worker polls" in caplog.text)
    [warning] = [record for record in caplog.records if record.name == "mastra_temporal.restart"]
    assert warning.levelname == "WARNING"
    assert f"restart of run `{run.run_id}`: no worker polls the task queue `{stage.task_queue}`" in warning.message
    with pytest.raises(asyncio.TimeoutError, match="goes on, but was not over within"):
        await run.restart(timeout=timedelta(seconds=0.5))
    assert not restarting.done(), "it waits for a worker"
    assert await run.fetch_status() == "running"
    assert await scheduled(stage.client, run.run_id) == {"gated.wait": 1}
    stage.worker_process(gated)
    assert (await within(restarting)).result == [2, 0]
    assert stage.effects.counts() == {"wait": 2, "after": 1}


@pytest.mark.any_cache
@pytest.mark.parity("step.retries")
async def test_a_run_survives_any_number_of_crashes(stage: Stage):
    mastra = await stage.app(hanging)
    worker = stage.worker_process(hanging)
    run = await mastra.get_workflow("hanging").create_run()
    await run.start_async()
    restarts: list[asyncio.Task[Any]] = []
    for crash in range(1, 4):
        await stage.effects.seen("hang", crash)
        worker.kill()
        worker = stage.worker_process(hanging)
        restarts.append(asyncio.create_task(run.restart(force=True)))
    assert [result.result for result in await within(asyncio.gather(*restarts))] == [[4, 0]] * 3
    assert stage.effects.counts() == {"before": 1, "hang": 4}


async def test_a_worker_that_shuts_down_cancels_nothing(stage: Stage):
    mastra = await stage.app(gated)
    worker = stage.worker_process(gated)
    run = await begun(stage, mastra.get_workflow("gated"))
    stage.worker_process(gated)
    assert await asyncio.to_thread(worker.terminate) == 0
    result = await within((await mastra.get_workflow("gated").create_run(run_id=run.run_id)).start())
    # The step is interrupted, but not told that the run was canceled; and a shutdown is no failure of the step.
    assert (result.status, result.result) == ("success", [2, 0])
    assert stage.effects.counts() == {"wait": 2, "after": 1}
    assert await scheduled(stage.client, run.run_id) == {"gated.wait": 1, "gated.after": 1}


def elsewhere(effects: Effects) -> str:
    return f"elsewhere {effects.folder}"


def split(effects: Effects) -> Any:
    """Its first step runs on another queue, so that it can end while the run itself has no worker."""

    async def first(value: Any) -> str:
        effects.add("first")
        await effects.opened("first")
        return "first"

    async def second(value: Any) -> str:
        effects.add("second")
        return f"{value}, second"

    away = StepOptions(task_queue=elsewhere(effects))
    workflow = create_workflow(id="split").then(create_step(id="first", execute=first, options=away))
    return [workflow.then(create_step(id="second", execute=second)).commit()]


async def test_a_crash_between_two_steps_repeats_neither(stage: Stage):
    mastra = await stage.app(split)
    worker = stage.worker_process(split)
    stage.worker_process(split, task_queue=elsewhere(stage.effects))
    run = await mastra.get_workflow("split").create_run()
    await run.start_async()
    await stage.effects.seen("first")
    worker.kill()
    stage.effects.open("first")

    async def first_is_recorded() -> bool:
        return await count_events(stage.client, run.run_id, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED) == 1

    await until(first_is_recorded)
    stage.worker_process(split)
    assert (await within(run.restart())).result == "first, second"
    assert stage.effects.counts() == {"first": 1, "second": 1}
    assert await scheduled(stage.client, run.run_id) == {"split.first": 1, "split.second": 1}
