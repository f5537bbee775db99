"""`Run.restart()`, by the state in which it finds the run."""

import asyncio
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from mastra_temporal import Run, RunError, RunNotActiveError, StepContext, create_step, create_workflow
from tests.support import Effects, Stage, count_events, history, until, within

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


async def waits_for_retry(stage: Stage, run_id: str) -> bool:
    description = await stage.client.get_workflow_handle(run_id).describe()
    return any(item.attempt == 2 for item in description.raw_description.pending_activities)


class TestRunning:
    @pytest.mark.parity("run.restart()")
    async def test_a_step_on_a_live_worker_is_joined(self, stage: Stage):
        workflow = gated(stage.effects)
        async with stage.worker(workflow):
            run = await begun(stage, workflow)
            restarts = [asyncio.create_task((await workflow.create_run(run_id=run.run_id)).restart()) for _ in range(2)]

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
            assert time.monotonic() - began < 2  # a verdict on the worker takes longer
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
            await until(lambda: waits_for_retry(stage, run.run_id))
            began = time.monotonic()
            result = await within(run.restart())
        assert time.monotonic() - began < 5
        assert (result.status, result.result) == ("success", 1)

    async def test_what_the_caller_says_reaches_a_step_that_waits_for_its_retry(self, stage: Stage):
        async def fail(value: Any, ctx: StepContext) -> Any:
            if stage.effects.add("fail") == 1:
                ctx.checkpoint("kept")
                raise RuntimeError("no")
            return [ctx.retry_count, ctx.last_checkpoint, ctx.request_context["by"]]

        workflow = create_workflow(id="failing", retry_config={"attempts": 1, "delay": 60_000})
        workflow.then(create_step(id="fail", execute=fail)).commit()
        async with stage.worker(workflow):
            run = await workflow.create_run()
            await run.start_async(request_context={"by": "recorded"})
            await until(lambda: waits_for_retry(stage, run.run_id))
            callers = [await workflow.create_run(run_id=run.run_id) for _ in range(2)]
            results = await within(asyncio.gather(*(run.restart(request_context={"by": "caller"}) for run in callers)))
        assert [result.result for result in results] == [[1, "kept", "caller"]] * 2
        assert stage.effects.counts() == {"fail": 2}

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
