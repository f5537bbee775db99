"""`Run.restart()`, by the state in which it finds the run."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateHandle  # noqa: F401

from mastra_temporal import Run, RunError, RunNotActiveError, StepContext, create_step, create_workflow
from tests.support import Effects, Stage, count_events, history, scheduled, until, within

ACCEPTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED


def gated(effects: Effects, **settings: Any) -> Any:
    """A step that waits at a gate, and hears of an abort; then another step."""

    async def wait(value: Any, ctx: StepContext) -> str:
        execution = effects.add("wait")
        aborted = asyncio.create_task(ctx.abort_signal.wait())
        opened = asyncio.create_task(effects.opened("go" if execution == 1 else "go again"))
        await asyncio.wait((aborted, opened), return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        aborted.cancel()
        if ctx.abort_signal.aborted:
            effects.add(f"aborted {execution}")
        return f"execution {execution}"

    workflow = create_workflow(id="gated", **settings).then(create_step(id="wait", execute=wait))
    return workflow.then(create_step(id="after", execute=lambda value: effects.add("after") and value)).commit()


async def begun(stage: Stage, workflow: Any) -> Run[Any]:
    run = await workflow.create_run()
    await run.start_async()
    await stage.effects.seen("wait")
    return run


class TestRunning:
    async def test_a_step_on_a_live_worker_is_joined(self, stage: Stage):
        workflow = gated(stage.effects)
        async with stage.worker(workflow):
            run = await begun(stage, workflow)
            restarts = [
                asyncio.create_task((await workflow.create_run(run_id=run.run_id)).restart()) for _ in range(2)
            ]

            # Both wait for the run's end: they share one update.
            async def joined() -> bool:
                return await count_events(stage.client, run.run_id, ACCEPTED) == 1

            await until(joined)
            stage.effects.open("go")
            results = await within(asyncio.gather(*restarts))
        assert [result.result for result in results] == ["execution 1", "execution 1"]
        assert stage.effects.counts() == {"wait": 1, "after": 1}

    async def test_by_force_it_runs_again_and_the_old_attempt_hears_of_it(self, stage: Stage):
        stage.effects.open("go again")
        workflow = gated(stage.effects)
        async with stage.worker(workflow):
            run = await begun(stage, workflow)
            began = time.monotonic()
            result = await within(run.restart(force=True))
            assert time.monotonic() - began < 1
            await stage.effects.seen("aborted 1")
            assert time.monotonic() - began < 3
        assert (result.status, result.result) == ("success", "execution 2")
        assert stage.effects.counts() == {"wait": 2, "aborted 1": 1, "after": 1}

    async def test_a_step_that_waits_for_its_retry_runs_now(self, stage: Stage):
        async def fail(value: Any, ctx: StepContext) -> int:
            if stage.effects.add("fail") == 1:
                raise RuntimeError("no")
            return ctx.retry_count

        workflow = create_workflow(id="failing", retry_config={"attempts": 1, "delay": 60_000})
        workflow.then(create_step(id="fail", execute=fail)).commit()
        async with stage.worker(workflow):
            run = await workflow.create_run()
            await run.start_async()

            async def waits() -> bool:
                description = await stage.client.get_workflow_handle(run.run_id).describe()
                return any(item.attempt == 2 for item in description.raw_description.pending_activities)

            await until(waits)
            began = time.monotonic()
            result = await within(run.restart())
        assert time.monotonic() - began < 5
        assert (result.status, result.result) == ("success", 1)

    async def test_a_sleep_is_joined(self, stage: Stage):
        workflow = create_workflow(id="sleepy").sleep(timedelta(seconds=1), id="nap").commit()
        async with stage.worker(workflow):
            run = await workflow.create_run()
            await run.start_async(input_data="rested")
            result = await within(run.restart())
        nap = result.steps["nap"]
        assert result.result == "rested"
        assert nap.ended_at
        assert 1000 <= nap.ended_at - nap.started_at < 2000

    async def test_the_caller_may_stop_waiting(self, stage: Stage):
        workflow = gated(stage.effects)
        async with stage.worker(workflow):
            run = await begun(stage, workflow)
            with pytest.raises(asyncio.TimeoutError):
                await run.restart(timeout=timedelta(milliseconds=100))
            stage.effects.open("go")
            assert (await within(run.restart())).result == "execution 1"


class TestEnded:
    async def test_a_finished_run_gives_its_stored_result(self, stage: Stage):
        async def body(value: Any) -> str:
            if value == "fail":
                raise RuntimeError("no")
            return "done"

        workflow = create_workflow(id="ending").then(create_step(id="work", execute=body)).commit()
        async with stage.worker(workflow):
            for given, status in (("succeed", "success"), ("fail", "failed")):
                run = await workflow.create_run()
                stored = await within(run.start(input_data=given))
                events = len(await history(stage.client, run.run_id))
                for force in (False, True):
                    again = await within((await workflow.create_run(run_id=run.run_id)).restart(force=force))
                    assert again.status == stored.status == status
                    assert (again.result, again.error, again.steps) == (stored.result, stored.error, stored.steps)
                assert len(await history(stage.client, run.run_id)) == events

    @pytest.mark.parametrize("state", ["never started", "suspended", "canceled", "paused"])
    async def test_what_is_not_active_is_refused(self, stage: Stage, state: str):
        async def body(value: Any, ctx: StepContext) -> Any:
            stage.effects.add("body")
            return await ctx.suspend({"why": "ask"}) if state == "suspended" else "done"

        workflow = create_workflow(id="resting").then(create_step(id="a", execute=body))
        workflow.then(create_step(id="b", execute=lambda value: value)).commit()
        async with stage.worker(workflow):
            run = await workflow.create_run()
            if state == "canceled":
                await run.cancel()
            if state != "never started":
                assert (await within(run.start(per_step=state == "paused"))).status == state
            handles = [run] if state == "never started" else [run, await workflow.create_run(run_id=run.run_id)]
            for handle in handles:
                for force in (False, True):
                    with pytest.raises(RunNotActiveError, match="This workflow run was not active"):
                        await within(handle.restart(force=force))
        assert stage.effects.counts()["body"] <= 1

    async def test_an_unknown_run_is_refused(self, stage: Stage):
        workflow = gated(stage.effects)
        async with stage.worker(workflow):
            with pytest.raises(RunError):
                await within((await workflow.create_run(run_id=f"unknown-{uuid.uuid4()}")).restart())


class TestRace:
    """A restart by force at a random moment around the step's own completion."""

    async def test_a_finished_step_never_runs_again(self, stage: Stage):
        chance = random.Random(7)

        async def work(value: float, ctx: StepContext) -> float:
            stage.effects.add(f"{ctx.idempotency_key} began")
            await asyncio.sleep(chance.uniform(0, 0.06))
            return value

        async def after(value: Any, ctx: StepContext) -> Any:
            stage.effects.add(ctx.idempotency_key)
            return value

        workflow = create_workflow(id="race").parallel([create_step(id=id, execute=work) for id in ("one", "two")])
        workflow.then(create_step(id="after", execute=after)).commit()
        outcomes: list[int] = []

        async def race(number: int) -> None:
            run = await workflow.create_run()
            await run.start_async()
            await stage.effects.seen(f"{run.run_id}/one began")
            await asyncio.sleep(chance.uniform(0, 0.05))
            result = await within(run.restart(force=True))
            assert (result.status, result.result) == ("success", {"one": None, "two": None})
            outcomes.append(await assert_no_finished_step_ran_again(stage, run.run_id))
            assert stage.effects.counts()[f"{run.run_id}/after"] == 1

        async with stage.worker(workflow):
            for batch in range(10):
                await asyncio.gather(*(race(batch * 4 + number) for number in range(4)))
        # Both happened: steps that were scheduled again, and steps that had just finished.
        assert min(outcomes) < 4 <= max(outcomes) or sum(outcomes) > 2 * len(outcomes)


async def assert_no_finished_step_ran_again(stage: Stage, run_id: str) -> int:
    """An attempt that completed before it was given up is the step's last. Returns how many attempts there were."""
    events = await history(stage.client, run_id)
    of_step: dict[str, list[int]] = {}
    given_up: dict[int, int] = {}
    completed: dict[int, int] = {}
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            name = event.activity_task_scheduled_event_attributes.activity_type.name
            of_step.setdefault(name, []).append(event.event_id)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
            given_up[event.activity_task_cancel_requested_event_attributes.scheduled_event_id] = event.event_id
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            completed[event.activity_task_completed_event_attributes.scheduled_event_id] = event.event_id
    for attempts in of_step.values():
        for earlier in attempts[:-1]:
            assert given_up[earlier] < completed.get(earlier, len(events) + 1), f"{run_id}: ran again though finished"
        assert attempts[-1] in completed
        assert attempts[-1] not in given_up
    return sum(len(attempts) for attempts in of_step.values()) - 1


Gate = Callable[[], Awaitable[None]]


class TestOtherWorkers:
    async def test_a_restart_may_come_before_the_new_worker(self, stage: Stage):
        mastra = await stage.app(one_gated)
        worker = stage.worker_process(one_gated)
        run = await begun(stage, mastra.get_workflow("gated"))
        worker.kill()
        stage.effects.open("go again")
        result = asyncio.create_task(run.restart())

        async def asked() -> bool:
            """The restart has come to where it needs a worker."""
            return await count_events(stage.client, run.run_id, EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED) > 1

        with pytest.raises(AssertionError):
            await until(asked, seconds=4)  # an update is no event before a worker has accepted it
        stage.worker_process(one_gated)
        assert (await within(result)).result == "execution 2"
        assert stage.effects.counts() == {"wait": 2, "after": 1}

    async def test_a_worker_that_shuts_down_cancels_nothing(self, stage: Stage):
        mastra = await stage.app(one_gated)
        worker = stage.worker_process(one_gated)
        run = await begun(stage, mastra.get_workflow("gated"))
        stage.effects.open("go again")
        stage.worker_process(one_gated)
        assert worker.terminate() == 0
        result = await within((await mastra.get_workflow("gated").create_run(run_id=run.run_id)).start())
        assert (result.status, result.result) == ("success", "execution 2")
        # Interrupted, but not told that the run was canceled; and a shutdown is no failure of the step.
        assert stage.effects.counts() == {"wait": 2, "after": 1}
        assert await scheduled(stage.client, run.run_id) == {"gated.wait": 1, "gated.after": 1}

    async def test_a_crash_between_two_steps_repeats_neither(self, stage: Stage):
        """The first step runs elsewhere and ends after the run's own worker was killed."""
        elsewhere = f"{stage.task_queue}-elsewhere"
        mastra = await stage.app(step_elsewhere)
        worker = stage.worker_process(step_elsewhere)
        stage.worker_process(step_elsewhere, task_queue=elsewhere)
        run = await mastra.get_workflow("split").create_run()
        await run.start_async(input_data=elsewhere)
        raise NotImplementedError(worker)


def one_gated(effects: Effects) -> Any:
    return [gated(effects)]


def step_elsewhere(effects: Effects) -> Any:
    raise NotImplementedError
