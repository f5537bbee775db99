"""A data converter with an external storage takes what no payload can hold; nothing of ours refuses it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from mastra_temporal import (
    CallbackInfo,
    DataConversionError,
    FunctionContext,
    Mastra,
    StepContext,
    WorkflowOptions,
    create_step,
    create_workflow,
    step,
)
from mastra_temporal.testing import worker_for
from tests.file_storage import with_storage
from tests.integration.test_callers_encoding import Locked, with_codec
from tests.support import Effects, Stage, history, run, until, within

LARGE = "x" * 3_000_000


@pytest.fixture
def plain(mastra_client: Client) -> Client:
    """A client without the storage."""
    return mastra_client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (folder := tmp_path / "storage").mkdir()
    return folder


@pytest.fixture
def stage(mastra_client: Client, mastra_task_queue: str, tmp_path: Path, folder: Path) -> Stage:
    return Stage(with_storage(mastra_client, folder), mastra_task_queue, Effects(tmp_path))


def is_large(value: Any) -> bool:
    return value == LARGE


@pytest.mark.parametrize(
    ("give", "read"),
    [
        (lambda ctx: LARGE, lambda value, ctx: value),
        (lambda ctx: ctx.set_state({"a": LARGE}), lambda value, ctx: ctx.state["a"]),
        (lambda ctx: ctx.request_context.set("a", LARGE), lambda value, ctx: ctx.request_context["a"]),
    ],
    ids=["result", "state", "request context"],
)
async def test_what_a_step_gives_comes_to_the_next(stage: Stage, give: Any, read: Any):
    giving = create_step(id="give", execute=lambda value, ctx: give(ctx))

    async def after(value: Any, ctx: StepContext) -> list[bool]:
        return [is_large(read(value, ctx)), is_large(await ctx.get_init_data())]

    def check(value: Any, ctx: FunctionContext) -> Any:
        return [*value, is_large(read(ctx.get_step_result("give"), ctx)), is_large(ctx.get_init_data())]

    workflow = create_workflow(id="large").then(giving).then(create_step(id="after", execute=after))
    workflow = workflow.map(check).commit()
    async with stage.worker(workflow):
        result = await run(workflow, input_data=LARGE)
    assert (result.error, result.result) == (None, [True] * 4)


async def test_what_a_run_is_started_with_and_what_functions_give(stage: Stage):
    @step
    async def read(value: Any, ctx: StepContext) -> Any:
        return [is_large(value), is_large(ctx.state["a"]), is_large(ctx.request_context["b"])]

    seen: list[bool] = []

    def on_finish(info: CallbackInfo) -> None:
        seen.extend([is_large(info.init_data), is_large(info.state["a"]), is_large(info.result[-1])])

    workflow = create_workflow(id="large", options=WorkflowOptions(on_finish=on_finish))
    workflow = workflow.map(lambda value: value).then(read).map(lambda value: [*value, LARGE]).commit()
    async with stage.worker(workflow):
        result = await run(
            workflow, input_data=LARGE, initial_state={"a": LARGE}, request_context={"b": LARGE},
            output_options={"include_state": True},
        )  # fmt: skip
        await until(lambda: len(seen) == 3)
    assert result.error is None
    assert result.result == [True, True, True, LARGE]
    assert result.state == {"a": LARGE}
    assert seen == [True] * 3


async def test_what_a_run_suspends_with_and_is_resumed_with(stage: Stage):
    @step
    async def ask(value: Any, ctx: StepContext) -> Any:
        if ctx.resume_data is None:
            return await ctx.suspend({"a": LARGE})
        return [is_large(ctx.suspend_data["a"]), is_large(ctx.resume_data), is_large(ctx.request_context["b"])]

    workflow = create_workflow(id="large").then(ask).commit()
    async with stage.worker(workflow):
        made = await workflow.create_run()
        suspended = await within(made.start())
        assert suspended.suspend_payload == {"ask": {"a": LARGE}}
        result = await within(made.resume(resume_data=LARGE, request_context={"b": LARGE}))
    assert (result.error, result.result) == (None, [True] * 3)


async def test_items_and_branches_that_are_large_together(stage: Stage):
    @step
    async def give(item: int) -> str:
        return LARGE

    @step
    async def count(items: list[Any]) -> int:
        return sum(map(is_large, items))

    workflow = create_workflow(id="large").foreach(give, concurrency=6).then(count).commit()
    async with stage.worker(workflow):
        assert (await run(workflow, input_data=list(range(6)))).result == 6


async def test_how_a_run_ends(stage: Stage):
    @step
    async def bail(value: Any, ctx: StepContext) -> Any:
        return ctx.bail(LARGE)

    @step
    async def fail(value: Any) -> None:
        raise ValueError("no")

    bails, fails = create_workflow(id="bails").then(bail).commit(), create_workflow(id="fails").then(fail).commit()
    async with stage.worker(bails, fails):
        assert (await run(bails)).result == LARGE
        failed = await run(fails, input_data=LARGE)
        assert failed.error
        assert (failed.error["message"], failed.input) == ("no", LARGE)
        record = await fails.get_workflow_run_by_id(failed.run_id)
        assert record
        assert record.payload == LARGE


async def test_a_checkpoint(stage: Stage):
    @step(retries=1)
    async def save(value: Any, ctx: StepContext) -> bool:
        if ctx.retry_count == 0:
            ctx.checkpoint(LARGE)
            raise ValueError("once more")
        return is_large(ctx.last_checkpoint)

    workflow = create_workflow(id="large").then(save).commit()
    async with stage.worker(workflow):
        assert (await run(workflow)).result is True


async def test_nested_runs_and_time_travel(stage: Stage):
    @step
    async def give(value: Any) -> str:
        return LARGE

    @step
    async def ask(value: Any, ctx: StepContext) -> Any:
        return [is_large(value), is_large(ctx.resume_data)] if ctx.resume_data else await ctx.suspend()

    @step
    async def after(value: Any) -> Any:
        return [value, stage.effects.add("after")]

    inner = create_workflow(id="inner").then(give).then(ask).then(after).commit()
    outer = create_workflow(id="outer").then(inner).commit()
    async with stage.worker(inner, outer):
        made = await outer.create_run()
        assert (await within(made.start(input_data=LARGE))).status == "suspended"
        assert (await within(made.time_travel(step="inner.give"))).status == "suspended"
        assert (await within(made.resume(resume_data=LARGE))).result == [[True, True], 1]
        assert (await within(made.time_travel(step="inner.after"))).result == [[True, True], 2]


async def test_a_terminated_run_goes_on(stage: Stage):
    @step
    async def give(value: Any) -> str:
        return LARGE

    @step
    async def wait(value: Any) -> bool:
        stage.effects.add("wait")
        await stage.effects.opened("gate")
        return is_large(value)

    workflow = create_workflow(id="large").then(give).then(wait).commit()
    async with stage.worker(workflow):
        made = await workflow.create_run()
        await within(made.start_async(input_data=LARGE))
        await stage.effects.seen("wait")
        await stage.client.get_workflow_handle(made.run_id).terminate()
        stage.effects.open("gate")
        assert (await within(made.restart())).result is True


async def test_a_run_that_another_client_or_a_schedule_starts(stage: Stage):
    """Without a graph: what the worker can do counts."""

    @step
    async def give(value: Any) -> str:
        return LARGE

    workflow = create_workflow(id="large").then(give).map(lambda value: [is_large(value), value]).commit()
    async with stage.worker(workflow) as mastra:
        envelope = {"inputData": LARGE}
        handle = await stage.client.start_workflow("large", envelope, id="foreign-large", task_queue=stage.task_queue)
        assert (await within(handle.result()))["result"] == [True, LARGE]
        schedule = await mastra.schedules.create(workflow_id="large", cron="0 0 1 1 *", input_data=LARGE)
        assert schedule.input_data == LARGE
        started = await mastra.schedules.run(schedule.id)
        assert (await within(started.join())).result == [True, LARGE]
        await mastra.schedules.delete(schedule.id)


async def test_a_threshold_above_the_limit_leaves_a_gap(stage: Stage, plain: Client, folder: Path):
    stage.client = with_storage(plain, folder, payload_size_threshold=4_000_000)
    workflow = create_workflow(id="gap").map(lambda size: "x" * size, id="give").commit()
    async with stage.worker(workflow):
        refused = await run(workflow, input_data=3_000_000)
        assert (await run(workflow, input_data=5_000_000)).result == "x" * 5_000_000
    assert refused.error
    assert refused.error["name"] == "PayloadTooLargeError"


async def test_a_worker_without_the_storage_refuses_what_it_cannot_send(
    stage: Stage, plain: Client, mastra_task_queue: str
):
    giving = create_step(id="give", execute=lambda value: LARGE)
    workflow = create_workflow(id="large").then(giving).commit()
    await Mastra(workflows=[workflow], task_queue=mastra_task_queue).connect(stage.client)
    worker = Mastra(workflows=[workflow], task_queue=mastra_task_queue)
    async with worker_for(worker, plain):
        caller = Mastra(workflows=[workflow], task_queue=mastra_task_queue)
        await caller.connect(stage.client)
        result = await run(workflow)
    assert result.error
    assert result.error["name"] == "PayloadTooLargeError"
    assert "step `give` of workflow `large`" in result.error["message"]
    assert "all clients and workers" in result.error["message"]


async def test_a_client_without_the_storage_cannot_read_the_run(stage: Stage, plain: Client):
    workflow = create_workflow(id="large").then(create_step(id="give", execute=lambda value: LARGE)).commit()
    async with stage.worker(workflow):
        made = await workflow.create_run()
        await within(made.start())
        await Mastra(workflows=[workflow], task_queue=stage.task_queue).connect(plain)
        reads: list[Callable[[], Awaitable[Any]]] = [
            lambda: workflow.create_run(run_id=made.run_id),
            lambda: workflow.get_workflow_run_by_id(made.run_id),
        ]
        for read in reads:
            with pytest.raises(DataConversionError, match="external storage must be those of the workers"):
                await within(read())


@pytest.mark.failed_workflow_tasks
async def test_a_worker_without_the_storage_leaves_a_run_that_it_cannot_read_to_one_with_it(
    stage: Stage, plain: Client
):
    workflow = create_workflow(id="large").map(lambda value: [value]).commit()
    worker, able = (Mastra(workflows=[workflow], task_queue=stage.task_queue) for _ in range(2))

    async def failures() -> list[str]:
        events = await history(plain, made.run_id)
        return [event.workflow_task_failed_event_attributes.failure.message for event in events]

    async def has_said_so() -> bool:
        return any("external storage is not configured" in message for message in await failures())

    async with worker_for(worker, plain):
        await Mastra(workflows=[workflow], task_queue=stage.task_queue).connect(stage.client)
        made = await workflow.create_run()
        await within(made.start_async(input_data=LARGE))
        await until(has_said_so)
    async with worker_for(able, stage.client):
        assert (await within(made.join(), 40)).result == [LARGE]


async def test_the_stream_of_a_run(stage: Stage):
    workflow = create_workflow(id="large").then(create_step(id="give", execute=lambda value: value)).commit()
    async with stage.worker(workflow):
        made = await workflow.create_run()
        stream = made.stream(input_data=LARGE)
        outputs = [event.payload.get("output") async for event in stream if event.type == "workflow-step-result"]
        assert (await within(stream.result)).result == LARGE
    assert outputs == [LARGE]


async def test_with_a_payload_codec(stage: Stage):
    stage.client = with_codec(stage.client, Locked())
    workflow = create_workflow(id="large").then(create_step(id="give", execute=lambda value: LARGE)).commit()
    async with stage.worker(workflow):
        assert (await run(workflow)).result == LARGE


async def test_a_literal_of_the_graph(stage: Stage):
    workflow = create_workflow(id="large").map({"a": {"value": LARGE}}).commit()
    async with stage.worker(workflow):
        assert (await run(workflow)).result == {"a": LARGE}


async def test_a_storage_that_takes_everything(stage: Stage, plain: Client, folder: Path):
    """Also the memo, in which a run tells that it is suspended."""
    stage.client = with_storage(plain, folder, payload_size_threshold=0)

    @step
    async def ask(value: Any, ctx: StepContext) -> Any:
        return ctx.resume_data or await ctx.suspend({"q": 1})

    workflow = create_workflow(id="small").then(ask).commit()
    async with stage.worker(workflow):
        made = await workflow.create_run()
        assert (await within(made.start())).status == "suspended"
        assert await made.fetch_status() == "suspended"
        assert (await within(made.resume(resume_data=5))).result == 5
        record = await workflow.get_workflow_run_by_id(made.run_id)
    assert record
    assert (record.status, record.result) == ("success", 5)


async def test_a_run_that_was_started_without_the_storage(stage: Stage, plain: Client):
    """It refuses what is too large between its steps, until a client with the storage resumes it."""

    @step
    async def ask(value: Any, ctx: StepContext) -> Any:
        return ctx.resume_data or await ctx.suspend()

    give, read = create_step(id="give", execute=lambda value: LARGE), create_step(id="read", execute=is_large)
    refusing = create_workflow(id="refusing").then(give).then(read).commit()
    resumed = create_workflow(id="resumed").then(ask).then(give).then(read).commit()
    async with stage.worker(refusing, resumed):
        await Mastra(workflows=[refusing, resumed], task_queue=stage.task_queue).connect(plain)
        failed, made = await refusing.create_run(), await resumed.create_run()
        await within(failed.start_async())
        assert (await within(made.start())).status == "suspended"
        await Mastra(workflows=[refusing, resumed], task_queue=stage.task_queue).connect(stage.client)
        again = await resumed.create_run(run_id=made.run_id)
        assert (await within(again.resume(resume_data=LARGE))).result is True
        refused = await within((await refusing.create_run(run_id=failed.run_id)).join())
    assert refused.error
    assert refused.error["name"] == "PayloadTooLargeError"
    assert "The input of step `read` of workflow `refusing`" in refused.error["message"]
