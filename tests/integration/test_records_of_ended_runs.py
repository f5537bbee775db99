"""The record of an ended run: the same from its result as from its history, which is replayed only where it must be."""

from typing import Any

import pytest

from mastra_temporal import Run, StepContext, Workflow, WorkflowState, create_step, create_workflow
from mastra_temporal._client import outcome
from mastra_temporal._client.records import reader
from tests.support import Stage, until, within


async def add(value: int) -> int:
    return value + 1


async def same(value: Any) -> Any:
    return value


async def nothing(value: Any) -> None:
    return None


async def one(ctx: StepContext) -> int:
    return 1


async def fail(value: Any) -> Any:
    raise ValueError("no")


async def note(value: Any, ctx: StepContext) -> Any:
    ctx.set_state({"seen": value})
    return value


async def ask(value: Any, ctx: StepContext) -> Any:
    return await ctx.suspend({"how": value}, resume_label="go") if ctx.resume_data is None else ctx.resume_data


async def leave(value: Any, ctx: StepContext) -> Any:
    ctx.bail("early")


def s(body: Any, step_id: str | None = None, **settings: Any) -> Any:
    return create_step(id=step_id or body.__name__, execute=body, **settings)


def sequence(*bodies: Any) -> Workflow[Any, Any, Any]:
    workflow = create_workflow(id="sequence")
    for body in bodies:
        workflow = workflow.then(s(body))
    return workflow.commit()


def flow() -> Any:
    return create_workflow(id="flow")


FROM_THE_RESULT: dict[str, Any] = {
    "steps": sequence(add, same, note),
    "no outputs": sequence(add, nothing, same, one),
    "failed": sequence(add, same, fail),
    "bailed": sequence(add, leave, same),
    "suspended and resumed": sequence(add, ask, same),
    "map and sleep": flow().then(s(add)).map(lambda value: value).sleep(1).then(s(same)).commit(),
    "parallel": flow().then(s(add)).parallel([s(same), s(one), s(add, "more")]).then(s(same, "last")).commit(),
    "branch": flow().branch([(lambda value: False, s(same)), (lambda value: True, s(add))]).then(s(one)).commit(),
    "no branch": flow().branch([(lambda value: False, s(same))]).then(s(one)).commit(),
    "foreach": flow().map(lambda value: [1, 2]).foreach(s(add)).then(s(same)).commit(),
    "loop": flow().dountil(s(add), lambda value: value > 4).then(s(same)).commit(),
    "loop of the same": flow().dountil(s(same), lambda value: True).commit(),
    "equal outputs": flow().parallel([s(one), s(same)]).map(lambda value: value["one"]).then(s(same, "last")).commit(),
}
FROM_THE_HISTORY: dict[str, Any] = {
    "nested": flow().then(create_workflow(id="inner").then(s(add)).commit()).commit(),
    "failed parallel": flow().parallel([s(same), s(fail)]).commit(),
}


async def ended(workflow: Workflow[Any, Any, Any]) -> Run[Any]:
    run = await workflow.create_run(resource_id="ann")
    result = await within(run.start(input_data=1, initial_state={"seen": None}, request_context={"user": "ann"}))
    if result.status == "suspended":
        await within(run.resume(label="go", resume_data=2))
    return run


async def record(workflow: Workflow[Any, Any, Any], run: Run[Any], **options: Any) -> WorkflowState:
    state = await within(workflow.get_workflow_run_by_id(run.run_id, **options))
    assert state is not None
    return state


@pytest.mark.parametrize("name", [*FROM_THE_RESULT, *FROM_THE_HISTORY])
async def test_the_result_gives_the_record_that_a_replay_gives(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
):
    workflow = {**FROM_THE_RESULT, **FROM_THE_HISTORY}[name]
    replays: list[Any] = []
    replay = reader.replay
    monkeypatch.setattr(reader, "replay", lambda *arguments: replays.append(1) or replay(*arguments))
    async with stage.worker(workflow):
        run = await ended(workflow)
        of_result = await record(workflow, run)
        assert bool(replays) == (name in FROM_THE_HISTORY)
        of_history = await record(workflow, run, fields=["request_context", *WorkflowState.model_fields])
        assert replays
    assert of_history.request_context == {"user": "ann"}
    assert of_result == of_history.model_copy(update={"request_context": None})


async def test_some_fields_never_need_a_replay(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    workflow = FROM_THE_HISTORY["nested"]
    monkeypatch.setattr(reader, "replay", None)
    async with stage.worker(workflow):
        run = await ended(workflow)
        state = await record(workflow, run, fields=["result", "payload", "serialized_step_graph"])
        assert (state.status, state.result, state.payload, state.steps) == ("success", 2, 1, None)
        assert state.serialized_step_graph == workflow.serialized_step_graph
        shallow = await record(workflow, run, with_nested_workflows=False)
        assert list(shallow.steps or ()) == ["inner"]


async def test_after_a_time_travel(stage: Stage):
    workflow = FROM_THE_RESULT["branch"]
    async with stage.worker(workflow):
        run = await ended(workflow)
        await within(run.time_travel(step="same", input_data=7))
        state = await record(workflow, run)
        of_history = await record(workflow, run, fields=["request_context", *WorkflowState.model_fields])
        assert state.steps == of_history.steps
        assert state.result == of_history.result


async def test_the_status_of_a_run_that_temporal_closed_needs_no_replay(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outcome, "recorded_result", None)
    workflow = sequence(add, ask)
    async with stage.worker(workflow):
        runs = [await workflow.create_run() for _ in range(2)]
        for run in runs:
            await within(run.start(input_data=1))
        await stage.client.get_workflow_handle(runs[0].run_id).terminate(reason="enough")
        await runs[1].cancel()
        for run, status in zip(runs, ("failed", "canceled"), strict=True):

            async def has_ended(run: Run[Any] = run, status: str = status) -> bool:
                return await run.fetch_status() == status

            await until(has_ended)
        state = await record(workflow, runs[0])
        assert (state.status, state.error) == (
            "failed",
            {"name": "RunTerminatedError", "message": "The run was terminated: enough"},
        )
        assert list(state.steps or ()) == ["add", "ask"]
