"""Run records: one run read out of its history, with and without a worker."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mastra_temporal import (
    Mastra,
    RunError,
    StepContext,
    WorkflowState,
    create_step,
    create_workflow,
    create_workflow_state_reader,
)
from tests.support import Stage, history, run, until, within

FAR = datetime(2100, 1, 1, tzinfo=timezone.utc)


async def add(value: int) -> int:
    return value + 1


async def ask(value: int, ctx: StepContext) -> Any:
    if ctx.resume_data is None:
        return await ctx.suspend({"how": value}, resume_label="approval")
    return value + ctx.resume_data


async def fail(value: int) -> int:
    raise ValueError(f"no {value}")


async def count(value: int, ctx: StepContext) -> int:
    ctx.set_state({"seen": value})
    return value


def a(body: Any, step_id: str) -> Any:
    return create_step(id=step_id, execute=body)


def numbers(value: int) -> list[int]:
    return list(range(value))


async def record(workflow: Any, run_id: str, **options: Any) -> WorkflowState:
    state = await within(workflow.get_workflow_run_by_id(run_id, **options))
    assert state is not None
    return state


@pytest.mark.parity("getWorkflowRunById()")
async def test_a_finished_run(stage: Stage):
    workflow = create_workflow(id="finished").then(a(count, "count")).then(a(add, "add")).commit()
    async with stage.worker(workflow):
        run_ = await workflow.create_run(resource_id="ann")
        await within(run_.start(input_data=2, initial_state={"k": 1}, request_context={"user": "ann"}))
        state = await record(workflow, run_.run_id)
        assert (state.status, state.payload, state.result, state.resource_id) == ("success", 2, 3, "ann")
        assert state.workflow_name == "finished"
        assert state.initial_state == {"k": 1, "seen": 2}
        assert state.created_at <= state.updated_at
        assert state.steps is not None
        assert [(name, step.payload, step.output) for name, step in state.steps.items()] == [
            ("count", 2, 2),
            ("add", 2, 3),
        ]
        assert state.serialized_step_graph == workflow.serialized_step_graph
        assert state.request_context is None
        shown = state.model_dump(by_alias=True, mode="json")
        assert {"runId", "workflowName", "createdAt", "activeStepsPath", "serializedStepGraph"} <= shown.keys()


@pytest.mark.parity("getWorkflowRunById({fields})")
async def test_only_the_fields_that_are_wanted(stage: Stage):
    workflow = create_workflow(id="fields").then(a(add, "add")).commit()
    async with stage.worker(workflow):
        run_id = (await run(workflow, input_data=1, request_context={"user": "ann"})).run_id
        state = await record(workflow, run_id, fields=["result", "requestContext"])
        assert (state.result, state.request_context) == (2, {"user": "ann"})
        assert (state.steps, state.payload, state.serialized_step_graph) == (None, None, None)
        assert await record(workflow, run_id, fields=[]) == await record(workflow, run_id)
        with pytest.raises(RunError, match=r"no field `stepz`.*`steps`"):
            await workflow.get_workflow_run_by_id(run_id, fields=["stepz"])


async def test_what_sleeps_is_active(stage: Stage):
    inner = create_workflow(id="inner").sleep(timedelta(hours=1), id="deep").commit()
    workflow = create_workflow(id="sleeps").then(a(add, "add")).sleep_until(lambda _: FAR, id="nap").commit()
    outer = create_workflow(id="outer").then(inner).commit()
    async with stage.worker(workflow, outer):
        for each, active in ((workflow, {"nap": [1]}), (outer, {"inner": [0]})):
            run_ = await each.create_run()
            await run_.start_async(input_data=1)

            async def waits(run_: Any = run_) -> bool:
                return await run_.fetch_status() == "waiting"

            await until(waits)
            state = await record(each, run_.run_id)
            assert (state.status, state.active_steps_path) == ("waiting", active)


@pytest.mark.parity("getWorkflowRunById({withNestedWorkflows})")
async def test_nested_steps_are_flattened(stage: Stage):
    deep = create_workflow(id="deep").then(a(add, "y")).commit()
    inner = create_workflow(id="inner").then(a(add, "x")).then(deep).commit()
    again = create_workflow(id="again").then(a(add, "z")).commit()
    outer = (
        create_workflow(id="outer")
        .then(inner)
        .dountil(again, lambda value: value > 5)
        .map(lambda value: [value, 2])
        .foreach(create_workflow(id="each").then(a(add, "w")).commit(), concurrency=2)
        .commit()
    )
    async with stage.worker(outer):
        run_id = (await run(outer, input_data=1)).run_id
        steps = (await record(outer, run_id)).steps or {}
        flat = {name: step.output for name, step in steps.items() if not name.startswith("mapping")}
        assert flat == {
            "inner": 3,
            "inner.x": 2,
            "inner.deep": 3,
            "inner.deep.y": 3,
            "again": 6,
            "again.z": 6,
            "each": [7, 3],
            "each[0].w": 7,
            "each[1].w": 3,
        }
        assert (steps["again"].metadata, steps["again.z"].payload) == ({"iterationCount": 3}, 5)
        top = await record(outer, run_id, with_nested_workflows=False)
        assert set(top.steps or {}) == {"inner", "again", "mapping_outer_0", "each"}


async def test_a_nested_workflow_has_a_record_under_its_parents_run_id(stage: Stage):
    inner = create_workflow(id="part").then(a(add, "x")).commit()
    outer = create_workflow(id="whole").then(a(add, "a")).then(inner).then(a(ask, "b")).commit()
    async with stage.worker(outer, inner):
        run_id = (await run(outer, input_data=1)).run_id
        state = await record(inner, run_id)
        assert (state.status, state.payload, state.result, state.workflow_name) == ("success", 2, 3, "part")
        assert set(state.steps or {}) == {"x"}
        assert state.serialized_step_graph == inner.serialized_step_graph
        other = create_workflow(id="other").then(a(add, "x")).commit()
        await Mastra(workflows=[other], task_queue=stage.task_queue).connect(stage.client)
        assert await other.get_workflow_run_by_id(run_id) is None


async def test_a_running_run_whose_workers_are_gone(stage: Stage):
    async def hang(value: int, ctx: StepContext) -> int:
        stage.effects.add("hangs")
        await ctx.abort_signal.wait()
        return value

    nested = create_workflow(id="nested").then(a(add, "x")).then(a(hang, "y")).commit()
    workflow = create_workflow(id="gone").then(a(add, "a")).parallel([nested, a(add, "b")]).commit()
    async with stage.worker(workflow, graceful_shutdown_timeout=timedelta(milliseconds=1)):
        run_ = await workflow.create_run()
        await run_.start_async(input_data=1)
        await stage.effects.seen("hangs")
    before = len(await history(stage.client, run_.run_id))
    state = await record(workflow, run_.run_id)
    assert state.status == "running"
    assert {name: step.status for name, step in (state.steps or {}).items()} == {
        "a": "success",
        "b": "success",
        "nested": "running",
        "nested.x": "success",
        "nested.y": "running",
    }
    assert state.active_steps_path == {"nested": [1, 0]}
    assert len(await history(stage.client, run_.run_id)) == before


async def test_a_run_that_no_worker_has_ever_seen(stage: Stage):
    workflow = create_workflow(id="unseen", input_schema=int).then(a(add, "add")).commit()
    await Mastra(workflows=[workflow], task_queue=stage.task_queue).connect(stage.client)
    run_ = await workflow.create_run(resource_id="ann")
    pending = await record(workflow, run_.run_id)
    assert (pending.status, pending.is_from_in_memory, pending.steps) == ("pending", True, {})
    await run_.start_async(input_data=1)
    state = await record(workflow, run_.run_id)
    assert (state.status, state.payload, state.is_from_in_memory) == ("running", 1, None)
    assert await workflow.get_workflow_run_by_id("nobody") is None


@pytest.mark.parity("createWorkflowStateReader()")
async def test_a_suspended_run_and_its_reader(stage: Stage):
    inner = create_workflow(id="inner").then(a(add, "x")).then(a(ask, "ask")).commit()
    workflow = create_workflow(id="suspended").then(a(add, "a")).parallel([inner, a(add, "b")]).commit()
    async with stage.worker(workflow):
        run_id = (await run(workflow, input_data=1)).run_id
    state = await record(workflow, run_id)
    steps = state.steps or {}
    assert (state.status, state.suspended_paths) == ("suspended", {"inner": [1, 0]})
    assert (steps["inner"].status, steps["inner.ask"].status) == ("running", "suspended")
    reader = create_workflow_state_reader(state)
    assert (reader.get_status(), reader.get_result(), reader.get_error()) == ("suspended", None, None)
    assert (reader.get_step_output("inner.x"), reader.get_step_payload("inner.x")) == (3, 2)
    assert reader.get_step_output("unknown") is None
    suspended = reader.get_suspended_step()
    assert suspended is not None
    assert (suspended.path, suspended.execution_path) == (["inner", "ask"], [1, 0])
    assert suspended.suspend_payload["how"] == 3
    assert reader.get_resume_label("approval") == {"stepId": "inner.ask"} or reader.get_resume_labels()
    async with stage.worker(workflow):
        run_ = await workflow.create_run(run_id=run_id)
        await within(run_.resume(step=suspended.path, resume_data=10))
        done = await record(workflow, run_id)
    assert (done.status, done.suspended_paths, done.resume_labels) == ("success", {}, {})
    assert create_workflow_state_reader(done).get_suspended_step() is None


async def test_a_failed_a_canceled_and_a_terminated_run(stage: Stage):
    failing = create_workflow(id="failing").then(a(add, "a")).then(a(fail, "b")).commit()
    sleeping = create_workflow(id="sleeping").then(a(add, "a")).sleep(timedelta(days=1)).commit()
    async with stage.worker(failing, sleeping):
        failed = await record(failing, (await run(failing, input_data=1)).run_id)
        assert (failed.status, (failed.error or {})["message"]) == ("failed", "no 2")
        canceled, ended = await sleeping.create_run(), await sleeping.create_run()
        for run_ in (canceled, ended):
            await run_.start_async(input_data=1)

            async def sleeps(run_: Any = run_) -> bool:
                return await run_.fetch_status() == "waiting"

            await until(sleeps)
        assert (await record(sleeping, ended.run_id)).status == "waiting"
        await canceled.cancel()
        await stage.client.get_workflow_handle(ended.run_id).terminate(reason="by the operator")

        async def closed() -> bool:
            return (await record(sleeping, canceled.run_id)).status == "canceled"

        await until(closed)
        terminated = await record(sleeping, ended.run_id)
        assert (terminated.status, (terminated.error or {})["name"]) == ("failed", "RunTerminatedError")
        assert (terminated.steps or {})["a"].output == 2


async def test_a_run_that_on_start_refused(stage: Stage):
    def refuse(info: Any) -> None:
        raise ValueError("not today")

    workflow = create_workflow(id="refused", options={"on_start": refuse}).then(a(add, "a")).commit()
    async with stage.worker(workflow):
        run_ = await workflow.create_run()
        await run_.start_async(input_data=1)

        async def closed() -> bool:
            return (await record(workflow, run_.run_id)).status == "failed"

        await until(closed)
        state = await record(workflow, run_.run_id)
    assert "not today" in (state.error or {})["message"]


@pytest.mark.any_cache  # it is the reader that replays here
async def test_a_run_of_thousands_of_events(stage: Stage):
    workflow = create_workflow(id="large").map(numbers).foreach(a(add, "add"), concurrency=50).commit()
    async with stage.worker(workflow):
        run_id = (await run(workflow, input_data=500)).run_id
    assert len(await history(stage.client, run_id)) > 1500  # with more, the run may go on in a new execution
    for fields in (None, ["request_context", "result"]):  # from the result, and by replay
        state = await record(workflow, run_id, fields=fields)
        assert (state.status, state.result) == ("success", list(range(1, 501)))


@pytest.mark.parity("deleteWorkflowRunById()")
async def test_deleting_a_run(stage: Stage):
    workflow = create_workflow(id="deleted").then(a(fail, "a")).sleep(timedelta(days=1)).commit()
    other = create_workflow(id="kept").then(a(add, "a")).sleep(timedelta(days=1)).commit()
    async with stage.worker(workflow, other):
        run_ = await workflow.create_run()
        for _ in range(2):  # a failed run is started anew: two executions
            await within(run_.start(input_data=1))
        open_ = await other.create_run()
        await open_.start_async(input_data=1)
        await within(workflow.delete_workflow_run_by_id(run_.run_id))
        assert await workflow.get_workflow_run_by_id(run_.run_id) is None
        assert (await workflow.list_workflow_runs()).total == 0
        await workflow.delete_workflow_run_by_id(open_.run_id)
        assert (await record(other, open_.run_id)).status in ("running", "waiting")
        await within(other.delete_workflow_run_by_id(open_.run_id))
        assert await other.get_workflow_run_by_id(open_.run_id) is None
        await other.delete_workflow_run_by_id("nobody")
