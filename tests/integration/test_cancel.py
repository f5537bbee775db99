"""`Run.cancel()`: what is told to the steps, what is kept, and how soon it is over."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus

from mastra_temporal import Run, StepContext, SyncStepContext, WorkflowResult, clone_step, create_step, create_workflow
from tests.support import Effects, Stage, count_events, until, within


async def started(workflow: Any) -> tuple[Run[Any], asyncio.Task[WorkflowResult[Any]]]:
    run = await workflow.create_run()
    await run.start_async()
    return run, asyncio.create_task(run.start())


async def is_cancelled(stage: Stage, run: Run[Any]) -> bool:
    description = await stage.client.get_workflow_handle(run.run_id).describe()
    return description.status == WorkflowExecutionStatus.CANCELED


def listening(effects: Effects, id: str = "listen") -> Any:
    """A step that goes on until it hears of the cancellation, and then ends properly."""

    async def listen(value: Any, ctx: StepContext) -> str:
        effects.add(id)
        await ctx.abort_signal.wait()
        assert ctx.abort_signal.aborted
        await asyncio.sleep(0.05)  # it is not interrupted
        effects.add(f"{id} heard")
        return "ended properly"

    return create_step(id=id, execute=listen)


def never(effects: Effects) -> Any:
    return create_step(id="never", execute=lambda value: effects.add("never"))


@pytest.mark.parity("run.cancel()", "abortSignal")
async def test_a_step_hears_of_it_and_its_result_is_kept(stage: Stage):
    workflow = create_workflow(id="hearing").then(listening(stage.effects)).then(never(stage.effects)).commit()
    async with stage.worker(workflow):
        run, result = await started(workflow)
        await stage.effects.seen("listen")
        began = time.monotonic()
        assert await within(run.cancel()) == "accepted"
        assert run.status == "canceled"
        await stage.effects.seen("listen heard")
        assert time.monotonic() - began < 2
        ended = await within(result)
        assert await is_cancelled(stage, run)
        # Elsewhere it is known as well.
        assert (await workflow.create_run(run_id=run.run_id)).status == "canceled"
    assert ended.status == "canceled"
    assert ended.result is None
    assert (ended.steps["listen"].status, ended.steps["listen"].output) == ("success", "ended properly")
    assert stage.effects.counts() == {"listen": 1, "listen heard": 1}


@pytest.mark.parity("abortSignal")
async def test_a_thread_hears_of_it(stage: Stage):
    def poll(value: Any, ctx: SyncStepContext) -> str:
        stage.effects.add("poll")
        deadline = time.monotonic() + 10
        while not ctx.abort_signal.aborted and time.monotonic() < deadline:
            time.sleep(0.01)
        return "heard" if ctx.abort_signal.aborted else "not heard"

    workflow = create_workflow(id="polling").then(create_step(id="poll", execute=poll)).commit()
    async with stage.worker(workflow):
        run, result = await started(workflow)
        await stage.effects.seen("poll")
        began = time.monotonic()
        await within(run.cancel())
        ended = await within(result)
    assert time.monotonic() - began < 3
    assert (ended.status, ended.steps["poll"].output) == ("canceled", "heard")


def elsewhere(effects: Effects) -> str:
    return f"elsewhere {effects.folder}"


def away(effects: Effects) -> Any:
    """Its steps run on another queue, so that they can end while the run itself has no worker."""

    async def work(value: Any, ctx: StepContext) -> str:
        effects.add("work")
        await effects.opened("go")
        return "worked"

    first, second = (create_step(id=id, execute=work, options={"task_queue": elsewhere(effects)}) for id in ("a", "b"))
    return [create_workflow(id="away").parallel([first, second]).then(never(effects)).commit()]


async def test_a_result_that_comes_with_the_cancellation_is_kept(stage: Stage):
    mastra = await stage.app(away)
    worker = stage.worker_process(away)
    stage.worker_process(away, task_queue=elsewhere(stage.effects))
    run = await mastra.get_workflow("away").create_run()
    await run.start_async()
    await stage.effects.seen("work", 2)
    worker.kill()
    stage.effects.open("go")

    async def recorded() -> bool:
        return await count_events(stage.client, run.run_id, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED) == 2

    await until(recorded)
    await stage.client.get_workflow_handle(run.run_id).cancel()
    stage.worker_process(away)
    ended = await within(run.join())
    assert (ended.status, stage.effects.counts()["never"]) == ("canceled", 0)
    assert [(ended.steps[id].status, ended.steps[id].output) for id in ("a", "b")] == [("success", "worked")] * 2


async def test_after_the_grace_a_step_is_interrupted(stage: Stage):
    async def ignore(value: Any) -> None:
        stage.effects.add("ignore")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stage.effects.add("interrupted")
            raise

    workflow = create_workflow(id="graceful", options={"cancel_grace": timedelta(milliseconds=300)})
    workflow.then(create_step(id="ignore", execute=ignore, retries=3)).then(never(stage.effects)).commit()
    async with stage.worker(workflow):
        run, result = await started(workflow)
        await stage.effects.seen("ignore")
        began = time.monotonic()
        await within(run.cancel())
        ended = await within(result)
        assert await is_cancelled(stage, run)
    assert 0.3 <= time.monotonic() - began < 4
    assert (ended.status, ended.steps["ignore"].status) == ("canceled", "canceled")
    assert stage.effects.counts() == {"ignore": 1, "interrupted": 1}


async def test_a_failure_after_the_cancellation_is_neither_retried_nor_the_runs_status(stage: Stage):
    async def fail(value: Any, ctx: StepContext) -> None:
        stage.effects.add("fail")
        await ctx.abort_signal.wait()
        raise RuntimeError("stopped half way")

    workflow = create_workflow(id="failing").then(create_step(id="fail", execute=fail, retries=3)).commit()
    async with stage.worker(workflow):
        run, result = await started(workflow)
        await stage.effects.seen("fail")
        await within(run.cancel())
        ended = await within(result)
    assert (ended.status, ended.steps["fail"].status) == ("canceled", "failed")
    assert ended.steps["fail"].error == {"name": "RuntimeError", "message": "stopped half way"}
    assert stage.effects.counts() == {"fail": 1}


async def test_a_step_that_waits_for_its_retry_is_not_tried_again(stage: Stage):
    async def fail(value: Any) -> None:
        stage.effects.add("fail")
        raise RuntimeError("no")

    workflow = create_workflow(id="failing", retry_config={"attempts": 5, "delay": 60_000})
    workflow.then(create_step(id="fail", execute=fail)).commit()
    async with stage.worker(workflow):
        run, result = await started(workflow)
        await stage.effects.seen("fail")
        await until(lambda: retries(stage, run))
        began = time.monotonic()
        await within(run.cancel())
        ended = await within(result)
    assert time.monotonic() - began < 3
    assert ended.status == "canceled"
    assert stage.effects.counts() == {"fail": 1}


@pytest.mark.parametrize("what", ["nested", "mapping"])
async def test_what_waits_for_its_retry_as_a_whole_is_not_tried_again(stage: Stage, what: str):
    async def fail(value: Any) -> None:
        stage.effects.add("fail")
        raise RuntimeError("no")

    retries = {"attempts": 5, "delay": 60_000}
    inner = create_workflow(id="inner").then(create_step(id="fail", execute=fail, retries=0)).commit()
    workflow = create_workflow(id="failing", retry_config=retries)
    workflow = (workflow.then(inner) if what == "nested" else workflow.map(fail)).commit()
    async with stage.worker(workflow):
        run, result = await started(workflow)

        async def waits() -> bool:
            return await count_events(stage.client, run.run_id, EventType.EVENT_TYPE_TIMER_STARTED) == 1

        await until(waits)
        began = time.monotonic()
        await within(run.cancel())
        ended = await within(result)
    assert time.monotonic() - began < 3
    assert ended.status == "canceled"
    assert stage.effects.counts() == {"fail": 1}


async def retries(stage: Stage, run: Run[Any]) -> bool:
    description = await stage.client.get_workflow_handle(run.run_id).describe()
    return any(activity.attempt > 1 for activity in description.raw_description.pending_activities)


async def test_siblings_hear_of_it_and_waiting_items_do_not_start(stage: Stage):
    first, second, item = (listening(stage.effects, id) for id in ("first", "second", "item"))
    inner = create_workflow(id="inner").then(clone_step(first, id="deep")).then(never(stage.effects)).commit()
    items = create_workflow(id="items").map(lambda value: [1, 2, 3]).foreach(item, concurrency=2).commit()
    workflow = create_workflow(id="siblings").parallel([second, inner, items]).then(never(stage.effects)).commit()
    async with stage.worker(workflow):
        run, result = await started(workflow)
        await asyncio.gather(*(stage.effects.seen(id) for id in ("first", "second")), stage.effects.seen("item", 2))
        await within(run.cancel())
        ended = await within(result)
    assert ended.status == "canceled"
    assert ended.steps["second"].output == "ended properly"
    assert {ended.steps[id].status for id in ("inner", "items")} == {"canceled"}
    counts = stage.effects.counts()
    assert (counts["item"], counts["item heard"], counts["first heard"], counts["never"]) == (2, 2, 1, 0)


async def test_a_sleep_ends_at_once(stage: Stage):
    workflow = create_workflow(id="sleepy").sleep(timedelta(days=1)).then(never(stage.effects)).commit()
    async with stage.worker(workflow):
        run, result = await started(workflow)

        async def sleeps() -> bool:
            return await run.fetch_status() == "waiting"

        await until(sleeps)
        began = time.monotonic()
        await within(run.cancel())
        assert (await within(result)).status == "canceled"
        assert time.monotonic() - began < 2
    assert not stage.effects.counts()


@pytest.mark.parity("run.cancel()")
async def test_a_finished_run_stays_what_it_is(stage: Stage):
    workflow = create_workflow(id="done").then(create_step(id="work", execute=lambda value: "done")).commit()
    async with stage.worker(workflow):
        run, result = await started(workflow)
        assert (await within(result)).status == "success"
        for handle in (run, await workflow.create_run(run_id=run.run_id)):
            assert await within(handle.cancel()) == "already_finished"
            assert await handle.fetch_status() == "success"


async def test_while_the_start_is_on_its_way(stage: Stage):
    workflow = create_workflow(id="begun").then(listening(stage.effects)).commit()
    async with stage.worker(workflow):
        run = await workflow.create_run()
        result = asyncio.create_task(run.start())
        await asyncio.sleep(0)
        assert await run.fetch_status() in ("pending", "running")
        assert await within(run.cancel()) == "accepted"
        assert (await within(result)).status == "canceled"


@pytest.mark.parity("abort()")
async def test_a_step_can_cancel_its_run(stage: Stage):
    async def stop(value: Any, ctx: StepContext) -> str:
        await stage.effects.seen("beside")
        ctx.abort()
        return "stopped it"

    steps = [create_step(id="stop", execute=stop), listening(stage.effects, "beside")]
    workflow = create_workflow(id="stopping").parallel(steps).then(never(stage.effects)).commit()
    async with stage.worker(workflow):
        run, result = await started(workflow)
        ended = await within(result)
        await until(lambda: is_cancelled(stage, run))
    assert ended.status == "canceled"
    assert (ended.steps["stop"].output, ended.steps["beside"].output) == ("stopped it", "ended properly")
    assert stage.effects.counts()["never"] == 0


def two_steps(effects: Effects) -> Any:
    async def quick(value: Any) -> str:
        return "done"

    async def hang(value: Any) -> None:
        effects.add("hang")
        await asyncio.sleep(600)

    workflow = create_workflow(id="hanging").then(create_step(id="quick", execute=quick))
    return [workflow.then(create_step(id="hang", execute=hang)).then(never(effects)).commit()]


async def test_a_dead_worker_delays_it_no_longer_than_the_verdict(stage: Stage):
    mastra = await stage.app(two_steps)
    worker = stage.worker_process(two_steps)
    run, result = await started(mastra.get_workflow("hanging"))
    await stage.effects.seen("hang")
    worker.kill()
    stage.worker_process(two_steps)
    began = time.monotonic()
    assert await within(run.cancel()) == "accepted"
    ended = await within(result)
    assert time.monotonic() - began < 6
    assert (ended.status, ended.steps["quick"].output) == ("canceled", "done")
    assert stage.effects.counts() == {"hang": 1}


@pytest.mark.any_cache
async def test_without_any_worker_it_is_accepted_all_the_same(stage: Stage):
    mastra = await stage.app(two_steps)
    worker = stage.worker_process(two_steps)
    run, result = await started(mastra.get_workflow("hanging"))
    await stage.effects.seen("hang")
    worker.kill()
    assert await within(run.cancel(), 8) == "accepted"
    assert await within(run.fetch_status(), 5) == "canceled"
    stage.worker_process(two_steps)
    assert (await within(result)).status == "canceled"
    await until(lambda: is_cancelled(stage, run))
    assert stage.effects.counts() == {"hang": 1}
