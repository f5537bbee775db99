"""Starting runs, joining them, and how they end."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from mastra_temporal import RunAlreadyStartedError, StepContext, create_step, create_workflow, step
from tests.support import Stage, history, run, scheduled, until, within


class Order(BaseModel):
    total: int
    note: str = "none"


def waiting(stage: Stage, **settings: Any) -> Any:
    """A workflow whose first step waits at the gate `go`, and notes how often it ran."""

    async def wait(order: Order, ctx: StepContext) -> Order:
        stage.effects.add(ctx.run_id)
        await stage.effects.opened("go")
        return order

    async def end(order: Order) -> Order:
        if order.total < 0:
            raise ValueError("below zero")
        return order.model_copy(update={"total": order.total + 1})

    workflow = create_workflow(id="waiting", input_schema=Order, output_schema=Order, **settings)
    return workflow.then(create_step(id="wait", execute=wait)).then(create_step(id="end", execute=end)).commit()


async def closed_as(stage: Stage, run_id: str) -> Any:
    return (await stage.client.get_workflow_handle(run_id).describe()).status


@pytest.mark.parity("result.status, result.result")
async def test_a_result_is_an_instance_of_the_output_schema(stage: Stage):
    workflow = waiting(stage)
    stage.effects.open("go")
    async with stage.worker(workflow):
        run_ = await workflow.create_run(resource_id="ann")
        assert (run_.status, run_.workflow_id) == ("pending", "waiting")
        result = await within(run_.start(input_data={"total": 1}))
    assert result.result == Order(total=2)
    assert (result.status, run_.status, result.run_id) == ("success", "success", run_.run_id)
    assert result.step_execution_path == ["wait", "end"]
    assert result.model_dump(by_alias=True)["stepExecutionPath"] == ["wait", "end"]
    assert await closed_as(stage, run_.run_id) == WorkflowExecutionStatus.COMPLETED


@pytest.mark.parity("createRun()", "run.start({inputData})")
async def test_a_live_run_is_joined_and_never_runs_twice(stage: Stage):
    workflow = waiting(stage)
    async with stage.worker(workflow):
        first = await workflow.create_run()
        assert await first.start_async(input_data={"total": 1}) == first.run_id
        # The same input, defaults filled in, from anywhere.
        others = [await workflow.create_run(run_id=first.run_id) for _ in range(3)]
        joined = [asyncio.create_task(other.start(input_data=Order(total=1))) for other in others]
        assert await others[0].start_async(input_data={"total": 1}) == first.run_id
        for start in (others[0].start, others[0].start_async):
            with pytest.raises(RunAlreadyStartedError, match=f"Run `{first.run_id}` of workflow `waiting`"):
                await within(start(input_data={"total": 2}))
        await stage.effects.seen(first.run_id)
        stage.effects.open("go")
        results = await within(asyncio.gather(*joined))
        # Also when it has succeeded.
        results.append(await within(others[1].start(input_data={"total": 1})))
        with pytest.raises(RunAlreadyStartedError):
            await within(others[1].start(input_data={"total": 2}))
    assert [result.result for result in results] == [Order(total=2)] * 4
    assert await scheduled(stage.client, first.run_id) == {"waiting.wait": 1, "waiting.end": 1}


async def test_two_starts_at_once_are_one_run(stage: Stage):
    workflow = waiting(stage)
    stage.effects.open("go")
    async with stage.worker(workflow):
        runs = [await workflow.create_run(run_id=f"same-{stage.task_queue}") for _ in range(5)]
        results = await within(asyncio.gather(*(run_.start(input_data={"total": 1}) for run_ in runs)))
    assert [result.result for result in results] == [Order(total=2)] * 5
    assert stage.effects.counts() == {runs[0].run_id: 1}


async def test_many_waiters_cost_the_run_little(stage: Stage):
    workflow = waiting(stage)
    async with stage.worker(workflow):
        first = await workflow.create_run()
        await first.start_async(input_data={"total": 1})
        others = [await workflow.create_run(run_id=first.run_id) for _ in range(100)]
        waiters = [asyncio.create_task(other.start(input_data={"total": 1})) for other in others]
        await stage.effects.seen(first.run_id)
        waited = await stage.client.get_workflow_handle(first.run_id).describe()
        assert waited.status == WorkflowExecutionStatus.RUNNING
        stage.effects.open("go")
        results = await within(asyncio.gather(*waiters), 30)
    assert {result.status for result in results} == {"success"}
    assert len(await history(stage.client, first.run_id)) < 50


async def test_a_failed_run_is_red_in_temporal_and_starts_anew(stage: Stage):
    workflow = waiting(stage)
    stage.effects.open("go")
    async with stage.worker(workflow):
        run_ = await workflow.create_run()
        result = await within(run_.start(input_data={"total": -1}))
        assert (result.status, result.error) == ("failed", {"name": "ValueError", "message": "below zero"})
        assert result.steps["wait"].output == {"total": -1, "note": "none"}
        assert result.steps["end"].error == result.error
        assert await closed_as(stage, run_.run_id) == WorkflowExecutionStatus.FAILED
        with pytest.raises(WorkflowFailureError) as failure:
            await stage.client.get_workflow_handle(run_.run_id).result()
        cause = failure.value.cause
        assert isinstance(cause, ApplicationError)
        assert "below zero" in str(cause)
        assert cause.details[0]["steps"]["wait"]["status"] == "success"

        again = await within(run_.start(input_data={"total": 5}))
        assert (again.status, again.result) == ("success", Order(total=6))
        assert await run_.fetch_status() == "success"
    assert stage.effects.counts() == {run_.run_id: 2}


async def test_a_canceled_run_starts_anew(stage: Stage):
    workflow = waiting(stage)
    async with stage.worker(workflow):
        run_ = await workflow.create_run()
        started = asyncio.create_task(run_.start(input_data={"total": 1}))
        await stage.effects.seen(run_.run_id)
        assert await within(run_.cancel()) == "accepted"
        stage.effects.open("go")
        assert (await within(started)).status == "canceled"
        assert await closed_as(stage, run_.run_id) == WorkflowExecutionStatus.CANCELED
        again = await within((await workflow.create_run(run_id=run_.run_id)).start(input_data={"total": 2}))
    assert (again.status, again.result) == ("success", Order(total=3))


async def test_a_limit_of_the_whole_run(stage: Stage):
    workflow = waiting(stage)
    quick = create_step(id="quick", execute=lambda: "done")
    outer = create_workflow(id="outer", options={"execution_timeout": timedelta(milliseconds=600)})
    outer.then(quick).map(lambda value: {"total": 1}).then(workflow).commit()
    async with stage.worker(outer):
        run_ = await outer.create_run()
        result = await within(run_.start())
        stage.effects.open("go")
    assert result.status == "failed"
    assert result.error
    assert "execution timeout" in result.error["message"]
    assert result.steps["quick"].output == "done"
    assert await closed_as(stage, run_.run_id) == WorkflowExecutionStatus.TIMED_OUT


async def test_a_run_that_temporal_terminates_has_failed(stage: Stage):
    workflow = waiting(stage)
    async with stage.worker(workflow):
        run_ = await workflow.create_run()
        started = asyncio.create_task(run_.start(input_data={"total": 1}))
        await stage.effects.seen(run_.run_id)
        await stage.client.get_workflow_handle(run_.run_id).terminate(reason="by the operator")
        result = await within(started)
        stage.effects.open("go")
    assert result.status == "failed"
    assert result.error
    assert "by the operator" in result.error["message"]


@pytest.mark.parity("run.workflowRunStatus", "createRun()")
async def test_a_status_is_known_at_every_moment(stage: Stage):
    workflow = create_workflow(id="moments").then(waiting(stage)).sleep(timedelta(hours=1)).commit()
    async with stage.worker(workflow):
        run_ = await workflow.create_run()
        assert await run_.fetch_status() == "pending"
        await run_.start_async(input_data={"total": 1})
        await stage.effects.seen(run_.run_id)
        assert await run_.fetch_status() == "running"
        stage.effects.open("go")

        async def sleeps() -> bool:
            return await run_.fetch_status() == "waiting"

        await until(sleeps)
        # Another process knows it as well.
        assert (await workflow.create_run(run_id=run_.run_id)).status == "waiting"
        await within(run_.cancel())

        async def canceled() -> bool:
            return await closed_as(stage, run_.run_id) == WorkflowExecutionStatus.CANCELED

        await until(canceled)
        assert await run_.fetch_status() == "canceled"


@pytest.mark.parity("options.onStart", "options.onFinish")
async def test_callbacks_run_on_the_worker_after_the_client_is_gone(stage: Stage):
    def finish(info: Any) -> None:
        stage.effects.add(f"{info.status} {info.result} {info.init_data} {info.steps['wait'].status}")

    workflow = waiting(stage, options={"on_finish": finish})
    async with stage.worker(workflow):
        run_ = await workflow.create_run()
        started = asyncio.create_task(run_.start(input_data={"total": 1}))
        await stage.effects.seen(run_.run_id)
        started.cancel()
        stage.effects.open("go")
        await stage.effects.seen("success {'total': 2, 'note': 'none'} total=1 note='none' success")


@pytest.mark.parity("predicates")
async def test_a_workflow_of_pure_data_needs_no_activity(stage: Stage):
    @step
    async def never() -> None: ...

    predicate = {"predicate": {"op": "gt", "left": {"path": "inputData.total"}, "right": {"literal": 5}}}
    workflow = create_workflow(id="pure").branch([(predicate, never)])
    workflow.map(
        {"total": {"init_data": True, "path": "total"}, "text": {"template": "${initData.total} EUR"}}
    ).commit()
    async with stage.worker(workflow):
        result = await run(workflow, input_data={"total": 1})
    assert result.result == {"total": 1, "text": "1 EUR"}
    assert await scheduled(stage.client, result.run_id) == {}
