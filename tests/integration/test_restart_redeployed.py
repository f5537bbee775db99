"""Runs that were started before a deploy: they follow their own graph, and wait for the steps that nobody has."""

import asyncio
from typing import Any

from temporalio.api.workflow.v1 import PendingActivityInfo

from mastra_temporal import StepContext, create_step, create_workflow
from tests.support import Effects, Stage, scheduled, until, within


def steps(effects: Effects) -> Any:
    """Steps that note that they ran; one of them hangs, the first time."""

    async def work(value: list[str], ctx: StepContext) -> list[str]:
        if effects.add(ctx.step_id) == 1 and ctx.step_id == "hang":
            await asyncio.sleep(600)
        return [*value, ctx.step_id]

    return lambda step_id: create_step(id=step_id, execute=work)


def started(effects: Effects) -> Any:
    """What the run is started with."""
    a = steps(effects)
    workflow = create_workflow(id="deployed").then(a("one")).then(a("hang")).then(a("two")).then(a("three"))
    return [workflow.commit()]


def reordered(effects: Effects) -> Any:
    """Steps are added, and the others come in another order."""
    a = steps(effects)
    workflow = create_workflow(id="deployed").then(a("new")).then(a("three")).then(a("hang")).then(a("newer"))
    return [workflow.then(a("two")).then(a("one")).commit()]


def removed(effects: Effects) -> Any:
    """A step is gone that the run still needs."""
    a = steps(effects)
    return [create_workflow(id="deployed").then(a("hang")).then(a("one")).then(a("three")).commit()]


async def orphaned(stage: Stage) -> str:
    """A run whose worker was killed in its second step."""
    mastra = await stage.app(started)
    worker = stage.worker_process(started)
    run = await mastra.get_workflow("deployed").create_run()
    await run.start_async(input_data=[])
    await stage.effects.seen("hang")
    worker.kill()
    return run.run_id


async def test_a_run_restarts_on_the_graph_that_it_was_started_with(stage: Stage):
    run_id = await orphaned(stage)
    stage.worker_process(reordered)
    later = (await stage.app(reordered)).get_workflow("deployed")
    result = await within((await later.create_run(run_id=run_id)).restart(force=True))
    assert (result.status, result.result) == ("success", ["one", "hang", "two", "three"])
    assert list(result.steps) == result.step_execution_path == ["one", "hang", "two", "three"]
    assert stage.effects.counts() == {"one": 1, "hang": 2, "two": 1, "three": 1}


async def test_a_step_that_no_worker_has_is_an_error_that_heals(stage: Stage):
    run_id = await orphaned(stage)
    without = stage.worker_process(removed)
    run = await (await stage.app(removed)).get_workflow("deployed").create_run(run_id=run_id)
    restarting = asyncio.create_task(run.restart(force=True))

    async def missed() -> PendingActivityInfo | None:
        description = await stage.client.get_workflow_handle(run_id).describe()
        pending = description.raw_description.pending_activities
        return next((item for item in pending if item.HasField("last_failure")), None)

    async def is_missed() -> bool:
        return await missed() is not None

    await until(is_missed)
    item = await missed()
    assert item is not None
    assert item.last_failure.message.startswith("The step `deployed.two` is not registered on this worker")
    assert item.last_failure.application_failure_info.type == "StepNotRegistered"
    assert await run.fetch_status() == "running"
    without.kill()
    stage.worker_process(started)
    # By itself it would be tried again after some seconds.
    results = await within(asyncio.gather(restarting, run.restart()))
    assert [result.result for result in results] == [["one", "hang", "two", "three"]] * 2
    assert stage.effects.counts() == {"one": 1, "hang": 2, "two": 1, "three": 1}
    assert (await scheduled(stage.client, run_id))["deployed.two"] == 1
