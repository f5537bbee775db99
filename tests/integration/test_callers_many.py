"""Any number of callers wait in one process: each gets its answer, and the server's limits are left alone."""

import asyncio
import gc
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowUpdateWithStartInput,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)

from mastra_temporal import Mastra, WorkflowResult, create_step, create_workflow
from mastra_temporal._client import waiting
from tests.integration.suspending import asking, flow, passing, suspended_run
from tests.support import Stage, count_events, pending, until, within


@pytest.fixture(autouse=True)
def few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PLACES", 5)


async def test_more_starts_than_places(stage: Stage):
    workflow = flow(passing(stage.effects))
    async with stage.worker(workflow):
        runs = [await workflow.create_run() for _ in range(60)]
        results = await within(asyncio.gather(*(run.start(input_data=i) for i, run in enumerate(runs))), 60)
    assert [result.result for result in results] == list(range(60))
    assert stage.effects.counts()["after"] == 60


async def test_those_behind_runs_that_last_get_their_answers(stage: Stage):
    """All places are taken by runs that sleep for an hour: the others look from time to time."""
    long, short = create_workflow(id="long").sleep(3_600_000).commit(), flow(passing(), asking())
    async with stage.worker(long, short):
        sleeping = [asyncio.create_task((await long.create_run()).start(input_data=1)) for _ in range(12)]
        await asyncio.sleep(0)
        runs = [await short.create_run() for _ in range(20)]
        results = await within(asyncio.gather(*(run.start(input_data=1) for run in runs)), 40)
        assert {result.status for result in results} == {"suspended"}
        resumed = await within(asyncio.gather(*(run.resume(resume_data=2) for run in runs)), 40)
        assert [result.result for result in resumed] == [[1, 2]] * 20
        assert not any(task.done() for task in sleeping)
        for task in sleeping:
            task.cancel()
        await asyncio.gather(*sleeping, return_exceptions=True)


async def test_more_streams_than_places(stage: Stage):
    workflow = flow(passing())
    async with stage.worker(workflow):
        outputs = [(await workflow.create_run()).stream(input_data=1) for _ in range(25)]
        for output in outputs:
            events = await within(_events(output), 60)
            assert (events[0], events[-1]) == ("workflow-start", "workflow-finish")


async def _events(output: Any) -> list[str]:
    return [event.type async for event in output]


async def test_the_waiters_on_one_run_share_one_poll(stage: Stage):
    """And have results of their own."""
    workflow = flow(asking(), asking(id="again"))
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow)
        held = [asyncio.create_task((await workflow.create_run(run_id=run.run_id)).join()) for _ in range(50)]
        first: WorkflowResult[Any] = (await within(asyncio.gather(*held)))[0]
        first.steps.clear()
        assert len((await held[1]).steps) == 1
        joined = [asyncio.create_task(_start(workflow, run.run_id)) for _ in range(50)]
        await within(asyncio.gather(*joined))
        accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
        assert await count_events(stage.client, run.run_id, accepted) <= 3


async def _start(workflow: Any, run_id: str) -> Any:
    return await (await workflow.create_run(run_id=run_id)).start(input_data=1)


async def test_a_waiter_that_leaves_takes_nobody_along(stage: Stage):
    workflow = create_workflow(id="long").sleep(3_600_000).commit()
    async with stage.worker(workflow):
        run = await workflow.create_run()
        await run.start_async(input_data=1)
        waiters = [asyncio.create_task(run.join()) for _ in range(5)]
        await asyncio.sleep(0)
        waiters[0].cancel()
        await within(asyncio.wait(waiters[:1]))
        assert not any(waiter.done() for waiter in waiters[1:])
        await run.cancel()
        assert {result.status for result in await within(asyncio.gather(*waiters[1:]))} == {"canceled"}


async def test_many_starts_that_are_given_up(stage: Stage):
    """Nothing is raised where nobody could catch it, and the others go on."""
    workflow = flow(asking())
    await Mastra(workflows=[workflow], task_queue=stage.task_queue).connect(stage.client)
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    starts = [asyncio.create_task((await workflow.create_run()).start(input_data=1)) for _ in range(30)]
    await asyncio.sleep(0.1)
    for start in starts[:20]:
        start.cancel()
    ended = await within(asyncio.gather(*starts[:20], return_exceptions=True))
    assert {type(each) for each in ended} == {asyncio.CancelledError}
    async with stage.worker(workflow):
        rest = await within(asyncio.gather(*starts[20:]), 60)
    assert {result.status for result in rest} == {"suspended"}
    assert errors == []


@pytest.mark.parametrize("inner", [False, True], ids=["the callers", "all tasks, as at the end of a program"])
async def test_starts_that_are_canceled_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch, inner: bool):
    """The second time while the first cancellation is under way, as timeouts and task groups may do."""
    monkeypatch.setattr(waiting, "PLACES", 200)
    workflow = flow(asking())
    await Mastra(workflows=[workflow], task_queue=stage.task_queue).connect(stage.client)
    errors: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: errors.append(context))
    runs = [await workflow.create_run() for _ in range(100)]
    before = asyncio.all_tasks()
    starts = [asyncio.create_task(run.start(input_data=1)) for run in runs]
    await asyncio.sleep(0.5)
    for canceled in list(asyncio.all_tasks() - before if inner else starts):
        canceled.cancel()
        for milliseconds in range(0, 20, 2):  # one of them while `start()` cleans up
            loop.call_later(milliseconds / 1000, canceled.cancel)
    del canceled
    assert {type(each) for each in await asyncio.gather(*starts, return_exceptions=True)} == {asyncio.CancelledError}
    await until(lambda: asyncio.all_tasks() <= before)
    await asyncio.sleep(0.1)
    starts.clear()
    gc.collect()  # asyncio reports an exception that was not retrieved when its task is collected
    assert errors == []


async def test_two_hundred_different_restarts(stage: Stage):
    """The server takes ten messages at once to a run: the others come again."""

    async def held(value: Any) -> Any:
        await stage.effects.opened("go")
        return value

    workflow = flow(create_step(id="held", execute=held))
    async with stage.worker(workflow):
        run = await workflow.create_run()
        await run.start_async(input_data=1)
        await until(lambda: _is_under_way(stage, run.run_id))
        restarts = [asyncio.create_task(run.restart(request_context={"caller": number})) for number in range(200)]
        updates = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED
        await until(lambda: _any_failed(restarts) or _counted(stage, run.run_id, updates, 200), 40)
        stage.effects.open("go")
        results = await within(asyncio.gather(*restarts), 60)
    assert {(result.status, result.result) for result in results} == {("success", 1)}


def _any_failed(tasks: list["asyncio.Task[Any]"]) -> Any:
    return any(task.done() and task.exception() is not None for task in tasks)


async def _is_under_way(stage: Stage, run_id: str) -> bool:
    return await pending(stage.client, run_id) == {"held"}


async def _counted(stage: Stage, run_id: str, kind: "EventType.ValueType", number: int) -> bool:
    return await count_events(stage.client, run_id, kind) >= number


class Unanswered(Interceptor):
    """A server that does not answer the first message of a start in time: it came late, or its answer did."""

    def __init__(self, *, arrives: bool) -> None:
        self.arrives = arrives

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Unanswered(next, arrives=self.arrives)


class _Unanswered(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, *, arrives: bool) -> None:
        super().__init__(next)
        self.arrives = arrives

    async def start_update_with_start_workflow(self, input: StartWorkflowUpdateWithStartInput) -> Any:
        if self.arrives:
            input._on_start = lambda _: None  # pyright: ignore[reportPrivateUsage] - this answer is lost, too
            await super().start_update_with_start_workflow(input)
        raise WorkflowUpdateRPCTimeoutOrCancelledError


@pytest.mark.parametrize("arrives", [False, True])
async def test_a_start_that_is_not_answered_in_time(stage: Stage, arrives: bool):
    workflow = flow(passing(stage.effects))
    async with stage.worker(workflow) as mastra:
        client = Client(**{**mastra.client.config(), "interceptors": [Unanswered(arrives=arrives)]})
        await mastra.connect(client)
        result = await within((await workflow.create_run()).start(input_data=1))
        assert (result.status, stage.effects.counts()["after"]) == ("success", 1)
