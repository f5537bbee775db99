"""The events of runs: read by many, late, again after a break, and without a trace in the history."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.contrib.workflow_streams import WorkflowStreamClient

from mastra_temporal import (
    Mastra,
    RunError,
    RunNotFoundError,
    SchemaValidationError,
    StepContext,
    SyncStepContext,
    Workflow,
    WorkflowEvent,
    create_step,
    create_workflow,
)
from mastra_temporal._worker.workflow.events import RunStream
from tests.support import PROCESSES, Effects, Stage, history, until, within

CHUNKS = 1000


async def write_chunks(ctx: StepContext) -> str:
    for number in range(CHUNKS):
        await ctx.writer.write(number)
        await asyncio.sleep(0.002)
    return "done"


async def double(ctx: StepContext) -> int:
    return ctx.input_data * 2


async def ask(ctx: StepContext) -> Any:
    return ctx.resume_data if ctx.resume_data is not None else await ctx.suspend({"question": "?"})


def flow(workflow_id: str, *bodies: Callable[..., Any]) -> Workflow[Any, Any, Any]:
    built = create_workflow(id=workflow_id)
    for body in bodies:
        built = built.then(create_step(id=body.__name__, execute=body))
    return built.commit()


def app(effects: Effects) -> list[Workflow[Any, Any, Any]]:
    async def wait(ctx: StepContext) -> str:
        await ctx.writer.write(effects.add("waited"))
        await effects.opened("go")
        return "went"

    return [flow("chunks", write_chunks), flow("waiting", double, wait, double_text)]


async def double_text(ctx: StepContext) -> str:
    return ctx.input_data * 2


def kinds(events: list[WorkflowEvent]) -> list[str]:
    return [event.type for event in events]


def written(events: list[WorkflowEvent]) -> list[Any]:
    return [event.payload["output"] for event in events if event.type == "workflow-step-output"]


async def all_of(events: AsyncIterable[WorkflowEvent]) -> list[WorkflowEvent]:
    async def collect() -> list[WorkflowEvent]:
        return [event async for event in events]

    return await within(collect(), 40)


def read_into(file: Path, address: str, run_id: str) -> None:
    """The main function of a reader process: notes each chunk with its offset until it is killed."""
    os.environ |= {"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull}

    async def read() -> None:
        mastra = Mastra(workflows=[flow("chunks", write_chunks)])
        await mastra.connect()
        run = await mastra.get_workflow("chunks").create_run(run_id=run_id)
        with file.open("a") as notes:
            async for event in run.observe_stream():
                if event.type == "workflow-step-output":
                    notes.write(json.dumps([event.offset, event.payload["output"]]) + "\n")
                    notes.flush()

    asyncio.run(read())


def notes_in(file: Path) -> list[list[int]]:
    return [json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]


async def test_a_reader_that_is_killed_and_comes_back_sees_each_chunk_once_and_in_order(stage: Stage, tmp_path: Path):
    file = tmp_path / "notes"
    file.touch()
    async with stage.worker(flow("chunks", write_chunks)) as mastra:
        run = await mastra.get_workflow("chunks").create_run()
        await run.start_async()
        reader = PROCESSES.Process(target=read_into, args=(file, stage.address, run.run_id), daemon=True)
        reader.start()
        await until(lambda: len(notes_in(file)) > 50)
        reader.kill()
        reader.join()
        seen = notes_in(file)
        assert len(seen) < CHUNKS
        rest = await all_of(run.observe_stream(from_offset=seen[-1][0] + 1))
    assert [chunk for _, chunk in seen] + written(rest) == list(range(CHUNKS))
    assert kinds(rest)[-2:] == ["workflow-step-result", "workflow-finish"]


async def test_output_is_batched_and_readers_leave_no_trace(stage: Stage):
    async with stage.worker(flow("chunks", write_chunks)) as mastra:
        workflow = mastra.get_workflow("chunks")
        alone, watched = await workflow.create_run(), await workflow.create_run()
        output = watched.stream()
        readers = [asyncio.create_task(all_of(output)) for _ in range(5)]
        await until(lambda: output.status != "running" or bool(written(output_so_far(output))))
        readers += [asyncio.create_task(all_of(watched.observe_stream())) for _ in range(10)]
        await within(alone.start(), 30)
        for reader in readers:
            assert written(await reader) == list(range(CHUNKS))
    # A batch every 0.2 seconds, with the workflow task that takes it, is four events.
    for run in (alone, watched):
        kinds_of_events = Counter(event.event_type for event in await history(stage.client, run.run_id))
        assert kinds_of_events[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED] < 40
        assert kinds_of_events[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED] == 1  # the one who started it
        assert sum(kinds_of_events.values()) < 160


def output_so_far(output: Any) -> list[WorkflowEvent]:
    return list(output._events)


@pytest.mark.parity("run.observeStream()")
async def test_late_observers_see_everything_without_a_worker(stage: Stage):
    async with stage.worker(flow("chunks", write_chunks)) as mastra:
        run = await mastra.get_workflow("chunks").create_run()
        live = await all_of(run.stream())
    late = await (await stage.app(app)).get_workflow("chunks").create_run(run_id=run.run_id)
    assert await all_of(late.observe_stream()) == live
    assert await all_of(late.observe_stream(from_offset=500)) == live[500:]
    assert await all_of(late.observe_stream(from_offset=live[-1].offset + 1)) == []


@pytest.mark.any_cache
async def test_an_open_run_is_read_while_no_worker_is_there(stage: Stage):
    mastra = await stage.app(app)
    worker = stage.worker_process(app)
    run = await mastra.get_workflow("waiting").create_run()
    output = run.stream(input_data=2)
    await until(lambda: len(output_so_far(output)) >= 5)
    worker.kill()
    reader = run.observe_stream()
    seen = [await within(anext(reader)) for _ in range(5)]
    assert seen == output_so_far(output)[:5]
    assert kinds(seen)[-1] == "workflow-step-output"
    stage.effects.open("go")
    stage.worker_process(app)
    await within(run.restart())
    rest = await all_of(reader)
    assert kinds(rest)[-1] == "workflow-finish"
    assert await all_of(output) == seen + rest
    await output.aclose()


@pytest.mark.parity("run.watch()")
@pytest.mark.any_cache
async def test_watch_tells_what_a_restart_does(stage: Stage):
    mastra = await stage.app(app)
    worker = stage.worker_process(app)
    run = await mastra.get_workflow("waiting").create_run()
    await run.start_async(input_data=2)
    await stage.effects.seen("waited")
    worker.kill()
    stage.effects.open("go")
    stage.worker_process(app)
    events: list[WorkflowEvent] = []
    unwatch = await run.watch(events.append)
    assert (await within(run.restart())).result == "wentwent"
    await within(unwatch())
    assert [(event.type, event.payload["id"]) for event in events] == [
        ("workflow-step-result", "wait"),
        ("workflow-step-finish", "wait"),
        ("workflow-step-start", "double_text"),
        ("workflow-step-result", "double_text"),
        ("workflow-step-finish", "double_text"),
    ]


async def test_a_watcher_may_be_a_coroutine_and_its_errors_change_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
):
    seen: list[str] = []

    async def watcher(event: WorkflowEvent) -> None:
        seen.append(event.type)
        raise ValueError("no")

    async with stage.worker(flow("doubling", double)) as mastra:
        run = await mastra.get_workflow("doubling").create_run()
        unwatch = await run.watch(watcher)
        assert (await within(run.start(input_data=2))).result == 4
        await within(unwatch())
    assert seen == ["workflow-step-start", "workflow-step-result", "workflow-step-finish"]
    assert "changes nothing" in caplog.text


@pytest.mark.parity("run.stream()", "run.resumeStream()", "workflow-step-suspended")
async def test_a_suspension_is_an_event_and_not_the_end(stage: Stage):
    async with stage.worker(flow("asking", double, ask)) as mastra:
        run = await mastra.get_workflow("asking").create_run()
        observed = asyncio.create_task(all_of(run_when_started(run)))
        first = run.stream(input_data=1)
        open_end = (await mastra.get_workflow("asking").create_run(run_id=run.run_id)).stream(
            input_data=1, close_on_suspend=False
        )
        assert kinds(await all_of(first))[-2:] == ["workflow-step-suspended", "workflow-finish"]
        assert (first.status, (await first.result).status) == ("suspended", "suspended")
        assert (await within(open_end.result)).status == "suspended"
        second = run.resume_stream(resume_data={"yes": True})
        assert kinds(await all_of(second)) == [
            "workflow-start",
            "workflow-step-start",
            "workflow-step-result",
            "workflow-finish",
        ]
        assert (await second.result).result == {"yes": True}
        assert (await second.usage)["totalTokens"] == 0
        both = await all_of(first) + await all_of(second)
        assert await observed == both
        assert await all_of(open_end) == [
            event for event in both if event.offset not in (first_finish(both), first_finish(both) + 1)
        ]


def first_finish(events: list[WorkflowEvent]) -> int:
    return next(event.offset for event in events if event.type == "workflow-finish")


async def run_when_started(run: Any) -> AsyncIterator[WorkflowEvent]:
    await until(lambda: started(run))
    async for event in run.observe_stream():
        yield event


async def started(run: Any) -> bool:
    return await run.fetch_status() != "pending"


@pytest.mark.parity(
    "run.timeTravelStream()", "workflow-start, workflow-finish", "workflow-step-start, workflow-step-result"
)
async def test_a_journey_in_time_is_a_stream_of_its_own_and_watchers_follow(stage: Stage):
    async with stage.worker(flow("two", double, double_text)) as mastra:
        run = await mastra.get_workflow("two").create_run()
        first = await all_of(run.stream(input_data=1))
        watched: list[WorkflowEvent] = []
        unwatch = await run.watch(watched.append)
        journey = run.time_travel_stream(step="double_text")
        second = await all_of(journey)
        assert (await journey.result).result == 4
        assert kinds(second) == ["workflow-start", "workflow-step-start", "workflow-step-result", "workflow-finish"]
        await within(unwatch())
        assert kinds(watched) == ["workflow-step-start", "workflow-step-result", "workflow-step-finish"]
        assert await all_of(run.observe_stream()) == second != first


async def test_what_the_server_ends_is_ended_for_its_readers_too(stage: Stage):
    async with stage.worker(*app(stage.effects)) as mastra:
        run = await mastra.get_workflow("waiting").create_run()
        output = run.stream(input_data=1)
        await stage.effects.seen("waited")
        await stage.client.get_workflow_handle(run.run_id).terminate(reason="enough")
        for events in (await all_of(output), await all_of(run.observe_stream())):
            assert kinds(events)[-1] == "workflow-finish"
            assert events[-1].payload["workflowStatus"] == "failed"
        assert "enough" in str((await output.result).error)
        stage.effects.open("go")


async def test_a_run_that_is_refused_says_so_in_its_stream(stage: Stage):
    step = create_step(id="a", execute=double)
    workflow = create_workflow(id="strict", input_schema=int).then(step).commit()
    async with stage.worker(workflow):
        output = (await workflow.create_run()).stream(input_data="x")  # pyright: ignore[reportArgumentType]
        events = await all_of(output)
        assert kinds(events) == ["workflow-start", "workflow-finish"]
        assert "Invalid input data" in events[1].payload["metadata"]["errorMessage"]
        with pytest.raises(SchemaValidationError):
            await output.result
        assert output.status == "failed"


async def test_what_a_worker_no_longer_holds_is_read_from_the_history(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(RunStream, "retained", 300)  # bytes: no more than two events
    async with stage.worker(flow("asking", double, ask)) as mastra:
        run = await mastra.get_workflow("asking").create_run()
        await within(run.start(input_data=1))
        reader = run.observe_stream()
        seen = [await within(anext(reader)) for _ in range(6)]
        assert [event.offset for event in seen] == list(range(6))
        await reader.aclose()


async def test_a_reader_of_the_sdk_does_not_keep_the_run_from_ending(stage: Stage):
    async with stage.worker(flow("doubling", double)) as mastra:
        run = await mastra.get_workflow("doubling").create_run()
        await run.start_async(input_data=2)
        client = WorkflowStreamClient.create(stage.client, run.run_id)

        async def read() -> list[Any]:
            return [item.data["type"] async for item in client.subscribe("events")]

        assert (await within(read()))[-1] == "workflow-finish"
        assert (await within(run.restart())).result == 4


@pytest.mark.parity("writer.write()", "writer.custom()", "workflow-step-output, data-*")
async def test_written_chunks_of_threads_custom_events_and_their_mistakes(stage: Stage):
    def report(ctx: SyncStepContext) -> list[str]:
        ctx.writer.custom({"type": "data-progress", "data": {"percent": 50}})
        ctx.writer.write("a chunk")
        mistakes: list[str] = []
        for wrong in ("text", {"data": 1}):
            with pytest.raises(Exception, match="takes a dictionary with a `type`") as caught:
                ctx.writer.custom(wrong)  # type: ignore[arg-type]
            mistakes.append(type(caught.value).__name__)
        with pytest.raises(Exception, match="Write it in smaller chunks"):
            ctx.writer.write("x" * 1_100_000)
        return mistakes

    async with stage.worker(flow("reporting", report)) as mastra:
        output = (await mastra.get_workflow("reporting").create_run()).stream()
        events = await all_of(output)
        assert (await output.result).result == ["SerializationError"] * 2
    custom, chunk = events[2:4]
    assert custom.model_dump(by_alias=True) == {
        "type": "data-progress",
        "runId": output.run_id,
        "from": "WORKFLOW",
        "data": {"percent": 50},
    }
    assert (chunk.source, chunk.payload["stepName"]) == ("USER", "report")


async def test_more_than_one_message_of_output_is_sent_in_several(stage: Stage):
    async def pour(ctx: StepContext) -> None:
        for number in range(6):
            await ctx.writer.write(f"{number}" * 200_000)

    async with stage.worker(flow("pouring", pour)) as mastra:
        run = await mastra.get_workflow("pouring").create_run()
        assert [chunk[0] for chunk in written(await all_of(run.stream()))] == list("012345")


async def test_nothing_to_observe_is_said(mastra_client: Client, stage: Stage):
    mastra = await stage.app(app)
    run = await mastra.get_workflow("chunks").create_run(run_id="no-such-run")
    with pytest.raises(RunNotFoundError, match="no-such-run"):
        await anext(run.observe_stream())
    with pytest.raises(RunError, match="counts from 0"):
        await anext(run.observe_stream(from_offset=-1))


@pytest.mark.parity("workflow-step-progress", "workflow-step-waiting", "nested workflows' events")
async def test_foreach_sleep_and_nested_workflows_are_told_as_in_mastra(stage: Stage):
    doubling = create_step(id="double", execute=double)
    inner = create_workflow(id="inner").foreach(doubling).sleep(10).commit()
    workflow = create_workflow(id="outer").then(inner).commit()
    async with stage.worker(workflow):
        events = await all_of((await workflow.create_run()).stream(input_data=[1, 2]))
    sleep = events[6].payload["id"]
    assert [(event.type.removeprefix("workflow-"), event.payload.get("id")) for event in events] == [
        ("start", None),
        ("step-start", "inner"),
        ("step-start", "inner.double"),
        ("step-progress", "inner.double"),
        ("step-progress", "inner.double"),
        ("step-result", "inner.double"),
        ("step-waiting", sleep),
        ("step-result", sleep),
        ("step-result", "inner"),
        ("finish", None),
    ]
    assert sleep.startswith("inner.sleep")
    assert [event.payload["completedCount"] for event in events[3:5]] == [1, 2]


@pytest.mark.parity("workflow-canceled, workflow-paused")
async def test_canceled_and_paused_runs_say_so(stage: Stage):
    async with stage.worker(*app(stage.effects), flow("two", double, double_text)) as mastra:
        paused = (await mastra.get_workflow("two").create_run()).stream(input_data=1, per_step=True)
        assert kinds(await all_of(paused))[-2:] == ["workflow-paused", "workflow-finish"]
        run = await mastra.get_workflow("waiting").create_run()
        output = run.stream(input_data=1)
        await stage.effects.seen("waited")
        await run.cancel()
        stage.effects.open("go")
        assert kinds(await all_of(output))[-2:] == ["workflow-canceled", "workflow-finish"]
        assert (paused.status, output.status) == ("paused", "canceled")


async def test_readers_follow_a_run_that_is_reset(stage: Stage):
    async with stage.worker(*app(stage.effects)) as mastra:
        run = await mastra.get_workflow("waiting").create_run()
        await run.start_async(input_data=1)
        reader = asyncio.create_task(all_of(run.observe_stream()))
        await stage.effects.seen("waited")
        events = await history(stage.client, run.run_id)
        tasks = [event for event in events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
        await stage.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=stage.client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=run.run_id),
                workflow_task_finish_event_id=tasks[1].event_id,
                request_id=run.run_id,
            )
        )
        stage.effects.open("go")
        told = await reader
    step_events = [event for event in told if event.type in ("workflow-step-start", "workflow-step-result")]
    assert [event.payload["id"] for event in step_events] == [
        step for step in ("double", "wait", "double_text") for _ in ("start", "result")
    ]
    assert told[-1].payload["workflowStatus"] == "success"
