"""Going back to a step: what runs again, what is kept, and that a refused journey changes nothing."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from mastra_temporal import (
    SchemaValidationError,
    StepContext,
    TimeTravelConflictError,
    TimeTravelError,
    create_step,
    create_workflow,
)
from tests.support import Stage, within


def flows(stage: Stage) -> Any:
    """A run of every construct, whose steps note that they ran."""

    def noting(step_id: str, change: Any, **settings: Any) -> Any:
        async def execute(value: Any, ctx: StepContext) -> Any:
            stage.effects.add(step_id)
            return change(value)

        return create_step(id=step_id, execute=execute, **settings)

    item = create_workflow(id="item").then(noting("double", lambda v: v * 2)).then(noting("plus", lambda v: v + 1))
    return (
        create_workflow(id="travels", state_schema=None)
        .then(noting("split", lambda v: [v, v + 1, v + 2], input_schema=int))
        .foreach(item.commit(), concurrency=3)
        .then(noting("total", sum))
        .parallel([noting("left", lambda v: v - 1), noting("right", lambda v: v + 1)])
        .map({"a": {"step": "left"}, "b": {"step": "right"}})
        .commit()
    )


async def ran(stage: Stage) -> dict[str, int]:
    """What has run since the last look."""
    counts = stage.effects.counts()
    (stage.effects.folder / "effects").unlink(missing_ok=True)
    return dict(counts)


@pytest.mark.parity("run.timeTravel({step, inputData})")
async def test_every_kind_of_target(stage: Stage):
    flow = flows(stage)
    async with stage.worker(flow):
        run = await flow.create_run()
        assert (await within(run.start(input_data=1))).result == {"a": 14, "b": 16}
        await ran(stage)

        assert (await within(run.time_travel(step="item[1].plus"))).result == {"a": 14, "b": 16}
        assert await ran(stage) == {"plus": 1, "total": 1, "left": 1, "right": 1}

        assert (await within(run.time_travel(step="item[1].plus", input_data=99))).result == {"a": 109, "b": 111}
        assert await ran(stage) == {"plus": 1, "total": 1, "left": 1, "right": 1}

        assert (await within(run.time_travel(step="item[0]", input_data=0))).result == {"a": 107, "b": 109}
        assert await ran(stage) == {"double": 1, "plus": 1, "total": 1, "left": 1, "right": 1}

        assert (await within(run.time_travel(step="right", input_data=5))).result == {"a": 107, "b": 6}
        assert await ran(stage) == {"right": 1}

        assert (await within(run.time_travel(step=flow.steps["total"]))).result == {"a": 107, "b": 109}
        assert await ran(stage) == {"total": 1, "left": 1, "right": 1}


async def test_the_execution_before_stays_readable_and_is_named(stage: Stage):
    flow = flows(stage)
    async with stage.worker(flow):
        run = await flow.create_run()
        await within(run.start(input_data=1))
        handle = stage.client.get_workflow_handle(run.run_id)
        first = (await handle.describe()).run_id
        await within(run.time_travel(step="total"))
        now = await handle.describe()
        assert now.run_id != first
        assert (await now.memo())["mastraContinuedFrom"] == first
        before = await stage.client.get_workflow_handle(run.run_id, run_id=first).describe()
        assert before.status == WorkflowExecutionStatus.COMPLETED


@pytest.mark.parametrize(
    ("journey", "error", "words"),
    [
        ({"step": "nope"}, TimeTravelError, "Cannot time travel to step 'nope': the step does not exist"),
        ({"step": "item.plus"}, TimeTravelError, "name the item to travel to, for example 'item[0].plus'"),
        ({"step": "item[3]"}, TimeTravelError, "`item` has 3 items"),
        ({"step": "item[0].nope"}, TimeTravelError, "Cannot time travel to step 'nope'"),
        ({"step": "total.plus"}, TimeTravelError, "`total` is not a nested workflow"),
        ({"step": ""}, TimeTravelError, "Step is required and must be a valid step or array of steps"),
        ({"step": []}, TimeTravelError, "Step is required and must be a valid step or array of steps"),
        ({"step": "split", "input_data": "x"}, SchemaValidationError, "Invalid inputData: \n- "),
    ],
)
async def test_a_refused_journey_changes_nothing(stage: Stage, journey: Any, error: type[Exception], words: str):
    flow = flows(stage)
    async with stage.worker(flow):
        run = await flow.create_run()
        await within(run.start(input_data=1))
        before = await stage.client.get_workflow_handle(run.run_id).describe()
        with pytest.raises(error) as caught:
            await within(run.time_travel(**journey))
        assert words in str(caught.value)
        after = await stage.client.get_workflow_handle(run.run_id).describe()
        assert (after.run_id, after.history_length) == (before.run_id, before.history_length)


def waiting(stage: Stage) -> Any:
    async def ask(value: int, ctx: StepContext) -> Any:
        if ctx.resume_data is None:
            return await ctx.suspend({"why": value})
        return value + ctx.resume_data

    async def plus(value: int) -> int:
        stage.effects.add("plus")
        await stage.effects.opened("go")
        return value + 1

    return (
        create_workflow(id="waiting")
        .then(create_step(id="plus", execute=plus))
        .then(create_step(id="ask", execute=ask, resume_schema=int))
        .commit()
    )


async def test_a_running_run_is_left_alone(stage: Stage):
    flow = waiting(stage)
    async with stage.worker(flow):
        run = await flow.create_run()
        started = asyncio.create_task(run.start(input_data=1))
        await stage.effects.seen("plus")
        with pytest.raises(TimeTravelConflictError, match="This workflow run is still running, cannot time travel"):
            await within(run.time_travel(step="plus"))
        stage.effects.open("go")
        assert (await within(started)).status == "suspended"


@pytest.mark.parity("run.timeTravel({resumeData})")
async def test_a_suspended_run_goes_back_and_keeps_the_answer(stage: Stage):
    flow = waiting(stage)
    stage.effects.open("go")
    async with stage.worker(flow):
        run = await flow.create_run()
        assert (await within(run.start(input_data=1))).status == "suspended"
        again = await within(run.time_travel(step="plus", input_data=10))
        assert (again.status, again.suspend_payload) == ("suspended", {"ask": {"why": 11}})
        assert (await within(run.resume(resume_data=100))).result == 111
        other = await flow.create_run()
        await within(other.start(input_data=1))
        with pytest.raises(SchemaValidationError, match="Invalid resume data"):
            await within(other.time_travel(step="ask", resume_data="x"))
        assert (await within(other.time_travel(step="ask", resume_data=5))).result == 7


@pytest.mark.parity("run.start({perStep})", "run.timeTravel({perStep})")
async def test_a_paused_run_is_continued_step_by_step(stage: Stage):
    flow = flows(stage)
    async with stage.worker(flow):
        run = await flow.create_run()
        assert (await within(run.start(input_data=1, per_step=True))).status == "paused"
        paused = await within(run.time_travel(step="item", per_step=True))
        assert (paused.status, paused.step_execution_path) == ("paused", ["split"])
        assert await ran(stage) == {"split": 1, "double": 3}


async def test_the_worker_is_killed_on_the_way(stage: Stage):
    """The new execution is a run like any other: a restart goes on where it stood."""
    flow = waiting(stage)
    async with stage.worker(flow):
        run = await flow.create_run()
        started = asyncio.create_task(run.time_travel(step="plus", input_data=1))
        await stage.effects.seen("plus")

    async with stage.worker(flow):
        stage.effects.open("go")
        restarted = await within(run.restart(force=True))
        assert restarted.status == "suspended"
        assert (await within(started)).status == "suspended"
        assert stage.effects.counts()["plus"] == 2
