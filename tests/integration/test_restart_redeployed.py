"""Runs that were started before a deploy: they follow their own graph, and wait for what no worker has any more."""

import asyncio
from typing import Any

import pytest

from mastra_temporal import Run, StepContext, create_step, create_workflow
from tests.support import Build, Effects, Stage, pending_failures, scheduled, until, within


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


async def orphaned(stage: Stage, build: Build) -> str:
    """A run whose worker was killed in the step that hangs."""
    mastra = await stage.app(build)
    worker = stage.worker_process(build)
    run = await mastra.get_workflow("deployed").create_run()
    await run.start_async(input_data=[])
    await stage.effects.seen("hang")
    worker.kill()
    return run.run_id


async def handle_of(stage: Stage, build: Build, run_id: str) -> Run[Any]:
    """The run as a process of this version sees it."""
    return await (await stage.app(build)).get_workflow("deployed").create_run(run_id=run_id)


async def test_a_run_restarts_on_the_graph_that_it_was_started_with(stage: Stage):
    run_id = await orphaned(stage, started)
    stage.worker_process(reordered)
    result = await within((await handle_of(stage, reordered, run_id)).restart(force=True))
    assert (result.status, result.result) == ("success", ["one", "hang", "two", "three"])
    assert list(result.steps) == result.step_execution_path == ["one", "hang", "two", "three"]
    assert stage.effects.counts() == {"one": 1, "hang": 2, "two": 1, "three": 1}


async def is_missed(stage: Stage, run_id: str, what: str) -> bool:
    """Whether the run waits for this, and says so where people look."""
    return any(
        failure.message.startswith(f"{what} is not registered on this worker")
        and failure.application_failure_info.type.endswith("NotRegistered")
        for failure in await pending_failures(stage.client, run_id)
    )


async def test_a_step_that_no_worker_has_is_an_error_that_heals(stage: Stage):
    run_id = await orphaned(stage, started)
    without = stage.worker_process(removed)
    run = await handle_of(stage, removed, run_id)
    restarting = asyncio.create_task(run.restart(force=True))
    await until(lambda: is_missed(stage, run_id, "The step `deployed.two`"))
    assert await run.fetch_status() == "running"
    without.kill()
    stage.worker_process(started)
    # By itself it would be tried again after some seconds.
    results = await within(asyncio.gather(restarting, run.restart()))
    assert [result.result for result in results] == [["one", "hang", "two", "three"]] * 2
    assert stage.effects.counts() == {"one": 1, "hang": 2, "two": 1, "three": 1}
    assert (await scheduled(stage.client, run_id))["deployed.two"] == 1


def mapping(effects: Effects) -> Any:
    workflow = create_workflow(id="deployed").then(steps(effects)("hang")).map(lambda value: [*value, "mapped"], id="m")
    return [workflow.then(steps(effects)("last")).commit()]


def condition(effects: Effects) -> Any:
    a = steps(effects)
    return [create_workflow(id="deployed").then(a("hang")).dowhile(a("last"), lambda value: len(value) < 2).commit()]


def nested(effects: Effects) -> Any:
    a = steps(effects)
    inner = create_workflow(id="inner", input_schema=list[str], output_schema=list[str]).then(a("last")).commit()
    return [create_workflow(id="deployed").then(a("hang")).then(inner).commit()]


@pytest.mark.parametrize(
    ("build", "missing", "result"),
    [
        (mapping, "The function `m` of workflow `deployed`", ["hang", "mapped", "last"]),
        (condition, "The function `last-condition` of workflow `deployed`", ["hang", "last"]),
        (nested, "The workflow `inner`", ["hang", "last"]),
    ],
)
async def test_what_is_no_step_heals_in_the_same_way(stage: Stage, build: Build, missing: str, result: list[str]):
    run_id = await orphaned(stage, build)
    only_steps = stage.worker_process(without)
    run = await handle_of(stage, build, run_id)
    restarting = asyncio.create_task(run.restart(force=True))
    await until(lambda: is_missed(stage, run_id, missing))
    only_steps.kill()
    stage.worker_process(build)
    results = await within(asyncio.gather(restarting, run.restart()))
    assert [item.result for item in results] == [result] * 2
    assert stage.effects.counts() == {"hang": 2, "last": 1}


def without(effects: Effects) -> Any:
    """The steps, and nothing between them."""
    a = steps(effects)
    return [create_workflow(id="deployed").then(a("hang")).then(a("last")).commit()]
