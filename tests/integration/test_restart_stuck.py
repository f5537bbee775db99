"""A deploy that makes workflow tasks fail: `restart()` brings the run back, once, and repeats nothing."""

import asyncio
from typing import Any

import pytest
from temporalio.api.enums.v1 import PendingWorkflowTaskState
from temporalio.service import RPCError

from mastra_temporal import StepContext, create_step, create_workflow
from mastra_temporal._worker.workflow import interpreter
from tests.support import Stage, scheduled, until, within

pytestmark = pytest.mark.any_cache


class Deploy:
    """Workflow code that is broken between two calls: it fails at every entry but the first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bad = False
        good = interpreter.HANDLERS["step"]

        async def execute(engine: Any, scope: Any, progress: Any, entry: Any) -> Any:
            if self.bad and scope.position > 0:
                raise RuntimeError("a bad deploy")
            return await good(engine, scope, progress, entry)

        monkeypatch.setitem(interpreter.HANDLERS, "step", execute)


async def stuck(stage: Stage, run_id: str) -> None:
    """Wait until a second attempt has failed, too: that one is no event, and its worker does not report it."""

    async def tried_twice() -> bool:
        try:
            description = await stage.client.get_workflow_handle(run_id).describe()
        except RPCError:
            return False  # the start is under way
        task = description.raw_description.pending_workflow_task
        return task.attempt == 2 and task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED

    await until(tried_twice)
    await asyncio.sleep(0.2)


@pytest.mark.failed_workflow_tasks
async def test_a_run_whose_workflow_task_keeps_failing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    deploy = Deploy(monkeypatch)

    async def work(value: Any, ctx: StepContext) -> Any:
        stage.effects.add(ctx.step_id)
        return [*(value or []), ctx.step_id]

    workflow = create_workflow(id="deployed")
    for step_id in ("one", "two", "three"):
        workflow.then(create_step(id=step_id, execute=work))
    workflow.commit()
    async with stage.worker(workflow):
        deploy.bad = True
        run = await workflow.create_run()
        waiting = asyncio.create_task(run.start())

        await stuck(stage, run.run_id)
        before = (await stage.client.get_workflow_handle(run.run_id).describe()).run_id
        deploy.bad = False
        callers = [await workflow.create_run(run_id=run.run_id) for _ in range(3)]
        results = await within(asyncio.gather(*(caller.restart() for caller in callers), waiting))
        after = (await stage.client.get_workflow_handle(run.run_id).describe()).run_id
    assert [result.result for result in results] == [["one", "two", "three"]] * 4
    assert stage.effects.counts() == {"one": 1, "two": 1, "three": 1}
    assert before != after
    assert await scheduled(stage.client, run.run_id) == {"deployed.one": 1, "deployed.two": 1, "deployed.three": 1}
    executions = [item async for item in stage.client.list_workflows(f"WorkflowId = '{run.run_id}'")]
    assert len(executions) <= 2, "one of all callers reset it"
    assert "a bad deploy" in caplog.text


@pytest.mark.failed_workflow_tasks
async def test_a_step_that_is_alive_is_waited_for_before_the_reset(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    deploy = Deploy(monkeypatch)

    async def work(value: Any, ctx: StepContext) -> Any:
        stage.effects.add(ctx.step_id)
        if ctx.step_id == "slow":
            await stage.effects.opened("slow")
        return ctx.step_id

    quick, slow, last = (create_step(id=step_id, execute=work) for step_id in ("quick", "slow", "last"))
    inner = create_workflow(id="inner").then(quick).then(last).commit()
    workflow = create_workflow(id="deployed").parallel([inner, slow]).commit()
    async with stage.worker(workflow):
        deploy.bad = True
        run = await workflow.create_run()
        await run.start_async()

        await stuck(stage, run.run_id)
        restarting = asyncio.create_task(run.restart())
        await stage.effects.seen("slow")
        await asyncio.sleep(0.5)
        deploy.bad = False
        stage.effects.open("slow")
        result = await within(restarting, 40)
    assert result.result == {"inner": "last", "slow": "slow"}
    assert stage.effects.counts() == {"quick": 1, "slow": 1, "last": 1}
