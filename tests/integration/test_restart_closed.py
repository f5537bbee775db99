"""Runs that Temporal closed without their own say are restarted in a new execution, and keep everything."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from mastra_temporal import RunNotActiveError, StepContext, StepOptions, create_step, create_workflow
from mastra_temporal._client.replay import replay
from mastra_temporal._worker.workflow.temporal_workflow import MastraWorkflow
from tests.support import Effects, Stage, count_events, until, within

CLOSINGS = ["terminated", "timed out"]


def elsewhere(effects: Effects) -> str:
    return f"elsewhere {effects.folder}"


def build(effects: Effects, **options: Any) -> Any:
    """A finished sibling, one inside a nested workflow that had begun, and one that waits."""

    async def body(value: Any, ctx: StepContext) -> Any:
        effects.add(ctx.step_id)
        ctx.set_state({ctx.step_id: True})
        if ctx.step_id in ("b", "z"):
            await effects.opened(ctx.step_id)
        return f"{value} {ctx.step_id}"

    def a(step_id: str, **settings: Any) -> Any:
        return create_step(id=step_id, execute=body, **settings)

    away = StepOptions(task_queue=elsewhere(effects))
    inner = create_workflow(id="inner").then(a("a")).then(a("b")).commit()
    workflow = create_workflow(id="closed", options=options).then(a("first"))
    return workflow.parallel([inner, a("c"), a("z", options=away)]).then(a("last")).commit()


def app(effects: Effects) -> Any:
    return [build(effects)]


RESULT = "{'inner': '1 first a b', 'c': '1 first c', 'z': '1 first z'} last"


@pytest.mark.parametrize("closing", CLOSINGS)
async def test_finished_steps_are_kept(stage: Stage, closing: str):
    limit = {"execution_timeout": timedelta(seconds=3)} if closing == "timed out" else {}
    workflow = build(stage.effects, **limit)
    async with stage.worker(workflow) as mastra:
        mastra_elsewhere = stage.worker_process(app, task_queue=elsewhere(stage.effects))
        run = await workflow.create_run(resource_id="someone")
        await run.start_async(input_data=1, request_context={"kept": 1, "changed": 1})
        for step_id in ("b", "c", "z"):
            await stage.effects.seen(step_id)

        async def recorded() -> bool:
            return await count_events(stage.client, run.run_id, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED) == 3

        await until(recorded)
        if closing == "terminated":
            await stage.client.get_workflow_handle(run.run_id).terminate("by mistake")
        await until(lambda: is_closed(stage, run.run_id))
        for gate in ("b", "z"):
            stage.effects.open(gate)
        callers = [await mastra.get_workflow("closed").create_run(run_id=run.run_id) for _ in range(3)]
        results = await within(asyncio.gather(*(caller.restart(request_context={"changed": 2}) for caller in callers)))
        mastra_elsewhere.kill()
    for result in results:
        assert (result.status, result.result) == ("success", RESULT)
        assert result.state == dict.fromkeys(("first", "a", "b", "c", "z", "last"), True)
    assert stage.effects.counts() == {"first": 1, "a": 1, "b": 2, "c": 1, "z": 2, "last": 1}


async def is_closed(stage: Stage, run_id: str) -> bool:
    description = await stage.client.get_workflow_handle(run_id).describe()
    return description.status is not None and description.status.name in ("TERMINATED", "TIMED_OUT")


async def test_a_result_that_came_after_the_last_workflow_task_is_kept(stage: Stage):
    """The run's worker dies, a step on another queue completes, and then the run is terminated."""
    mastra = await stage.app(app)
    worker = stage.worker_process(app)
    stage.worker_process(app, task_queue=elsewhere(stage.effects))
    run = await mastra.get_workflow("closed").create_run()
    await run.start_async(input_data=1)
    for step_id in ("b", "c", "z"):
        await stage.effects.seen(step_id)
    worker.kill()
    stage.effects.open("z")

    async def recorded() -> bool:
        return await count_events(stage.client, run.run_id, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED) >= 4

    await until(recorded)
    await stage.client.get_workflow_handle(run.run_id).terminate("by mistake")
    stage.effects.open("b")
    stage.worker_process(app)
    result = await within(run.restart())
    assert (result.status, result.result) == ("success", RESULT)
    assert stage.effects.counts() == {"first": 1, "a": 1, "b": 2, "c": 1, "z": 1, "last": 1}


async def test_the_data_of_a_resume_are_kept(stage: Stage):
    async def ask(value: Any, ctx: StepContext) -> Any:
        stage.effects.add("ask")
        if ctx.resume_data is None:
            return await ctx.suspend({"why": "ask"})
        await stage.effects.opened("go")
        return ctx.resume_data

    inner = create_workflow(id="inner").then(create_step(id="ask", execute=ask)).commit()
    workflow = create_workflow(id="asking").then(inner).commit()
    async with stage.worker(workflow):
        run = await workflow.create_run()
        assert (await within(run.start())).status == "suspended"
        await run.resume_async(resume_data="yes")
        await stage.effects.seen("ask", 2)
        await stage.client.get_workflow_handle(run.run_id).terminate("by mistake")
        stage.effects.open("go")
        result = await within((await workflow.create_run(run_id=run.run_id)).restart())
    assert (result.status, result.result) == ("success", "yes")
    assert stage.effects.counts() == {"ask": 3}


async def test_a_step_that_is_alive_hears_of_it_before_it_runs_again(stage: Stage):
    async def listen(value: Any, ctx: StepContext) -> int:
        if stage.effects.add("listen") == 1:
            await ctx.abort_signal.wait()
            stage.effects.add("heard")
        return stage.effects.counts()["heard"]

    workflow = create_workflow(id="listening").then(create_step(id="listen", execute=listen)).commit()
    async with stage.worker(workflow):
        run = await workflow.create_run()
        await run.start_async()
        await stage.effects.seen("listen")
        await stage.client.get_workflow_handle(run.run_id).terminate("by mistake")
        assert (await within(run.restart())).result == 1
    assert stage.effects.counts() == {"listen": 2, "heard": 1}


async def test_one_that_was_canceled_before_is_not_brought_back(stage: Stage):
    workflow = create_workflow(id="napping").sleep(timedelta(hours=1)).commit()
    mastra = await stage.app(lambda effects: [workflow])
    run = await mastra.get_workflow("napping").create_run()
    await run.start_async()
    handle = stage.client.get_workflow_handle(run.run_id)
    await handle.cancel()  # no worker is there to hear of it
    await handle.terminate()
    with pytest.raises(RunNotActiveError):
        await within(run.restart())


@pytest.mark.any_cache
@pytest.mark.parametrize("lost_as", ["timed out", "failed", "under way"])
async def test_one_whose_first_workflow_task_was_lost_is_read_as_one_that_begins(stage: Stage, lost_as: str):
    """A run that was terminated while its first workflow task was under way, or had just been lost."""
    workflow = create_workflow(id="begun").then(create_step(id="work", execute=lambda value: value)).commit()
    async with stage.worker(workflow) as mastra:
        run = await workflow.create_run()
        await within(run.start(input_data=1))
    recorded = await stage.client.get_workflow_handle(run.run_id).fetch_history()
    events = list(recorded.events[:3])
    if lost_as != "under way":
        lost = HistoryEvent(event_id=4, event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED)
        lost.workflow_task_failed_event_attributes.scheduled_event_id = 2
        if lost_as == "timed out":
            lost.event_type = EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
            lost.workflow_task_timed_out_event_attributes.scheduled_event_id = 2
        events.append(lost)
    end = HistoryEvent(event_id=len(events) + 1, event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED)
    end.workflow_execution_terminated_event_attributes.reason = "by mistake"
    events.append(end)
    snapshot = await within(replay(mastra.client, WorkflowHistory(run.run_id, events), MastraWorkflow.snapshot))
    assert (snapshot.status, snapshot.step_execution_path) == ("running", ["work"])


@pytest.mark.parity("restart")
async def test_a_step_that_was_under_way_knows_that_it_is_a_restart(stage: Stage):
    async def note(value: Any, ctx: StepContext) -> Any:
        stage.effects.add(f"{ctx.step_id} {ctx.restart}")
        if ctx.step_id in ("deep", "side"):
            await stage.effects.opened("go")
        return value

    def noted(step_id: str) -> Any:
        return create_step(id=step_id, execute=note)

    inner = create_workflow(id="within").then(noted("shallow")).then(noted("deep")).commit()
    workflow = create_workflow(id="telling").then(noted("before")).parallel([inner, noted("side")])
    workflow.then(noted("after")).commit()
    async with stage.worker(workflow):
        run = await workflow.create_run()
        await run.start_async(input_data=1)
        for step_id in ("deep", "side"):
            await stage.effects.seen(f"{step_id} False")
        await stage.client.get_workflow_handle(run.run_id).terminate("by mistake")
        await until(lambda: is_closed(stage, run.run_id))
        stage.effects.open("go")
        assert (await within(run.restart())).status == "success"
    counts = stage.effects.counts()
    assert {"deep True", "side True", "after False"} <= set(counts)
    assert sum(counts.values()) == 7
