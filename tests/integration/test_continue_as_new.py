"""Runs with long histories go on in new executions, and nobody who waits for them notices."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from mastra_temporal import RunNotSuspendedError, StepContext, WorkflowEvent, create_step, create_workflow, devserver
from mastra_temporal._protocol.names import QUERY_STATUS
from mastra_temporal._worker.workflow import history_size
from mastra_temporal.plugin import heartbeating_runtime
from tests.file_storage import with_storage
from tests.support import Effects, Stage, within
from tests.tracing import SpanMemory


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch, mastra_task_queue: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    """A worker that finds histories of 60 events long."""
    monkeypatch.setattr(history_size, "LONG_EVENTS", 60)
    async with devserver.start_dev_server() as server:
        client = await Client.connect(server.address, runtime=heartbeating_runtime())
        stage = Stage(client, mastra_task_queue, Effects(tmp_path))
        yield stage
        stage.close()


def steps(stage: Stage):
    async def plus(value: int) -> int:
        stage.effects.add(f"plus {value}")
        return value + 1

    async def ask(value: int, ctx: StepContext) -> int:
        if value == 21 and ctx.resume_data is None:
            return await ctx.suspend({"at": value}, resume_label="half way")
        return value

    return create_step(id="plus", execute=plus), create_step(id="ask", execute=ask)


async def executions(stage: Stage, run_id: str) -> list[str]:
    """How the executions of a run ended, the first one first."""
    found = [item async for item in stage.client.list_workflows(f"WorkflowId = '{run_id}'")]
    return [item.status.name for item in sorted(found, key=lambda item: item.start_time) if item.status]


async def test_a_loop_over_a_nested_workflow_that_suspends_half_way(stage: Stage):
    plus, ask = steps(stage)
    body = create_workflow(id="body").then(plus).then(ask).commit()
    flow = create_workflow(id="looping").dowhile(body, lambda value: value < 40).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        suspended = await within(run.start(input_data=0), 40)
        assert (suspended.status, suspended.suspend_payload) == ("suspended", {"body": {"at": 21}})
        result = await within(run.resume(label="half way", resume_data="go on"), 40)
    assert (result.status, result.result) == ("success", 40)
    assert result.steps["body"].metadata == {"iterationCount": 40}
    assert stage.effects.counts() == {f"plus {value}": 1 for value in range(40)}
    ends = await executions(stage, run.run_id)
    assert len(ends) > 3
    assert set(ends[:-1]) == {"CONTINUED_AS_NEW"}


async def test_a_foreach_over_many_items(stage: Stage):
    plus, _ = steps(stage)
    flow = create_workflow(id="many").foreach(plus, concurrency=5).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        result = await within(run.start(input_data=list(range(100))), 40)
    assert result.result == list(range(1, 101))
    assert stage.effects.counts() == {f"plus {value}": 1 for value in range(100)}
    assert len(await executions(stage, run.run_id)) > 2


async def test_a_sleep_beside_a_loop_keeps_its_deadline(stage: Stage):
    plus, _ = steps(stage)
    loop = create_workflow(id="loop").dowhile(plus, lambda value: value < 40).commit()
    nap = create_workflow(id="nap").sleep(timedelta(seconds=3)).commit()
    flow = create_workflow(id="both").parallel([loop, nap]).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        began = asyncio.get_running_loop().time()
        result = await within(run.start(input_data=0), 40)
        took = asyncio.get_running_loop().time() - began
    assert result.result == {"loop": 40, "nap": 0}
    assert 3 <= took < 6
    assert stage.effects.counts() == {f"plus {value}": 1 for value in range(40)}


async def test_its_spans_are_those_of_one_run(stage: Stage):
    async def plus(value: int) -> int:
        return value + 1

    body = create_workflow(id="traced-body").then(create_step(id="plus", execute=plus)).commit()
    flow = create_workflow(id="traced").dowhile(body, lambda value: value < 20).commit()
    memory = SpanMemory()
    async with stage.worker(flow, tracing=memory.provider):
        run = await flow.create_run()
        result = await within(run.start(input_data=0, tracing_options={"tags": ["long"], "parent_span_id": "1"}), 40)
    assert (result.status, result.result) == ("success", 20)
    assert set((await executions(stage, run.run_id))[:-1]) == {"CONTINUED_AS_NEW"}
    spans = memory.spans
    assert len(spans.by_id) == len(spans.all)
    iteration = [
        "workflow step: 'traced-body'",
        ["workflow run: 'traced-body'", ["workflow step: 'plus'", ["attempt 1"]]],
    ]
    assert spans.tree() == [
        "workflow run: 'traced'",
        ["loop: 'dowhile'", *[part for _ in range(20) for part in (iteration, ["condition: 'dowhile'"])]],
    ]
    root = spans.named("workflow run: 'traced'")
    assert (root.parent_id, root.attributes["mastra.tags"]) == ("1".rjust(16, "0"), '["long"]')
    assert (result.trace_id, result.span_id) == (root.trace_id, root.span_id)
    assert all(root.start <= span.start <= span.end <= root.end for span in spans.all)


async def test_readers_follow_and_see_each_event_once(stage: Stage):
    plus, _ = steps(stage)
    loop = create_workflow(id="loop").dowhile(plus, lambda value: value < 40).commit()
    flow = create_workflow(id="told").then(loop).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        output = run.stream(input_data=0)
        live = await within(all_of(output.full_stream), 40)
        late = await within(all_of(run.observe_stream()), 40)
        rest = await within(all_of(run.observe_stream(from_offset=50)), 40)
    assert len(await executions(stage, run.run_id)) > 2
    assert late == live
    assert rest == live[50:]
    assert [event.offset for event in live] == list(range(len(live)))
    told = [(event.type, event.payload.get("id")) for event in live]
    iteration = [("workflow-step-start", "loop.plus"), ("workflow-step-result", "loop.plus")]
    start, result = ("workflow-step-start", "loop"), ("workflow-step-result", "loop")
    assert told == [("workflow-start", None), start, *iteration * 40, result, ("workflow-finish", None)]
    assert live[1].payload["stepCallId"] == live[-2].payload["stepCallId"]


async def all_of(events: AsyncIterator[WorkflowEvent]) -> list[WorkflowEvent]:
    """Without times: after a local activity, Temporal's clock is some milliseconds off in a replay."""
    times = {"startedAt", "endedAt"}
    return [
        event.model_copy(update={"payload": {key: value for key, value in event.payload.items() if key not in times}})
        async for event in events
    ]


async def test_a_loop_that_asks_in_every_iteration(stage: Stage):
    """Of two who answer each question at once one is taken, in whatever execution the run is by then."""

    async def ask(value: int, ctx: StepContext) -> int:
        stage.effects.add(f"{'asked' if ctx.suspend_data is None else 'answered'} {value}")
        return await ctx.suspend({"at": value}) if ctx.suspend_data is None else value + ctx.resume_data

    step = create_step(id="ask", execute=ask)
    body = create_workflow(id="body").then(step).commit()
    flow = create_workflow(id="asking").dowhile(body, lambda value: value < 20).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        while (result := await within(run.start(input_data=0))).status == "suspended":
            other = await flow.create_run(run_id=run.run_id)
            answers = await within(
                asyncio.gather(run.resume(resume_data=1), other.resume(resume_data=1), return_exceptions=True)
            )
            refused = [answer for answer in answers if isinstance(answer, BaseException)]
            assert [isinstance(error, RunNotSuspendedError) for error in refused] in ([], [True]), refused
    assert (result.status, result.result) == ("success", 20)
    assert stage.effects.counts() == {f"{what} {value}": 1 for what in ("asked", "answered") for value in range(20)}
    assert len(await executions(stage, run.run_id)) > 3


async def test_a_run_that_an_external_storage_keeps(stage: Stage, tmp_path: Path):
    stage.client = with_storage(stage.client, tmp_path)
    large = "x" * 3_000_000

    async def plus(value: int, ctx: StepContext) -> int:
        ctx.set_state({"large": large})
        return value + 1

    flow = create_workflow(id="large").dowhile(create_step(id="plus", execute=plus), lambda value: value < 20).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        result = await within(run.start(input_data=0, output_options={"include_state": True}), 40)
    assert (result.error, result.result, result.state) == (None, 20, {"large": large})
    assert len(await executions(stage, run.run_id)) > 1


@pytest.mark.any_cache  # without one, each query evicts the run in the middle of its local activities
async def test_a_run_that_is_asked_while_a_condition_is_evaluated(stage: Stage):
    """The SDK then tells the run of the condition in a later workflow task than a replay does."""

    plus, _ = steps(stage)
    flow = create_workflow(id="asked").dowhile(plus, lambda value: value < 40).commit()

    async def ask(run_id: str, started: "asyncio.Task[object]") -> None:
        while not started.done():
            with contextlib.suppress(RPCError):  # not there yet
                await stage.client.get_workflow_handle(run_id).query(QUERY_STATUS)

    async def asked() -> None:
        run = await flow.create_run()
        started = asyncio.create_task(run.start(input_data=0))
        await asyncio.gather(*(ask(run.run_id, started) for _ in range(3)))
        assert (await started).result == 40
        events = await all_of(run.observe_stream())
        assert len([event for event in events if event.type == "workflow-step-result"]) == 40
        assert len(await executions(stage, run.run_id)) > 2

    async with stage.worker(flow):
        await within(asyncio.gather(*(asked() for _ in range(2))), 50)


async def test_a_loop_without_a_step(stage: Stage):
    """Nothing in it makes an event that would tell the run how long its history is."""
    body = create_workflow(id="body").map(lambda value: value + 1).commit()
    flow = create_workflow(id="mapping").dowhile(body, lambda value: value < 200).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        assert (await within(run.start(input_data=0), 50)).result == 200
        assert len(await executions(stage, run.run_id)) > 2
