"""A step's own failures: how often and when it is tried again, and its time limits."""

import asyncio
import itertools
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetActivityRequest
from temporalio.exceptions import ApplicationError

from mastra_temporal import (
    NonRetryableError,
    RetryConfig,
    StepContext,
    StepOptions,
    TripWire,
    WorkflowResult,
    clone_step,
    create_step,
    create_workflow,
)
from tests.support import Stage, run, within


class Refused(Exception):
    """A failure that no repetition mends."""


class RefusedForGood(Refused):
    """A kind of it."""


async def attempts(stage: Stage, error: Exception, retries: int | None = None, **settings: Any) -> list[float]:
    """After how many seconds a step that always raises the error was tried again, each time; the first entry is 0."""
    times: list[float] = []

    async def fail(value: Any, ctx: StepContext) -> None:
        assert ctx.retry_count == len(times)
        times.append(time.monotonic())
        raise error

    step = create_step(id="fail", execute=fail, retries=retries, options=settings.pop("options", None))
    workflow = create_workflow(id="failing", **settings).then(step).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert result.status in ("failed", "tripwire")
    return [0, *(later - moment for moment, later in itertools.pairwise(times))]


async def test_no_retries_by_default(stage: Stage):
    assert len(await attempts(stage, RuntimeError("no"))) == 1


async def test_a_workflows_retries_and_a_steps_own_win(stage: Stage):
    config = RetryConfig(attempts=2)
    assert len(await attempts(stage, RuntimeError("no"), retry_config=config)) == 3
    assert len(await attempts(stage, RuntimeError("no"), retries=0, retry_config=config)) == 1
    assert len(await attempts(stage, RuntimeError("no"), retries=1, retry_config={"attempts": 9})) == 2


async def test_the_delay_is_fixed_as_in_mastra(stage: Stage):
    """Temporal's own policy would double it."""
    _, *pauses = await attempts(stage, RuntimeError("no"), retry_config=RetryConfig(attempts=2, delay=500))
    assert [int(pause / 0.5) for pause in pauses] == [1, 1]


@pytest.mark.parity("createWorkflow({retryConfig})")
async def test_the_delay_grows_up_to_its_limit(stage: Stage):
    options = StepOptions(backoff_coefficient=3, maximum_interval=timedelta(milliseconds=400))
    config = RetryConfig(attempts=3, delay=timedelta(milliseconds=100))
    _, *pauses = await attempts(stage, RuntimeError("no"), retry_config=config, step_options=options)
    assert all(pause >= least for pause, least in zip(pauses, (0.1, 0.3, 0.4), strict=True))
    assert pauses[-1] < 0.9


@pytest.mark.parametrize("named", [Refused, "Refused"])
async def test_errors_that_are_not_retried(stage: Stage, named: Any):
    options = StepOptions(non_retryable_error_types=[named, "ZeroDivisionError"])
    config = {"attempts": 1}
    assert len(await attempts(stage, Refused("no"), options=options, retry_config=config)) == 1
    assert len(await attempts(stage, RefusedForGood("no"), options=options, retry_config=config)) == 1
    assert len(await attempts(stage, RuntimeError("no"), options=options, retry_config=config)) == 2
    assert len(await attempts(stage, ZeroDivisionError(), step_options=options, retry_config=config)) == 1


async def test_errors_that_say_themselves_whether_they_are_retried(stage: Stage):
    config = {"attempts": 1}
    assert len(await attempts(stage, NonRetryableError("no"), retry_config=config)) == 1
    assert len(await attempts(stage, ApplicationError("no", non_retryable=True), retry_config=config)) == 1
    assert len(await attempts(stage, TripWire("stop"), retry_config=config)) == 2
    later = ApplicationError("later", next_retry_delay=timedelta(milliseconds=300))
    _, second = await attempts(stage, later, retry_config=config)
    assert second >= 0.3


async def timed(stage: Stage, body: Any, *, retries: int, **options: Any) -> tuple[WorkflowResult[Any], float]:
    step = create_step(id="slow", execute=body, retries=retries, options=StepOptions(**options))
    workflow = create_workflow(id="timed", retry_config={"delay": 50}).then(step).commit()
    async with stage.worker(workflow):
        began = time.monotonic()
        result = await run(workflow)
    return result, time.monotonic() - began


async def test_an_attempt_that_takes_too_long_is_a_failure_of_the_step(stage: Stage):
    async def slow(value: Any, ctx: StepContext) -> Any:
        try:
            await asyncio.sleep(0 if ctx.retry_count == 2 else 60)
        except asyncio.CancelledError:
            stage.effects.add("interrupted")
            raise
        return ctx.retry_count

    limit = {"start_to_close_timeout": timedelta(milliseconds=200)}
    result, _ = await timed(stage, slow, retries=2, **limit)
    assert (result.status, result.result) == ("success", 2)
    result, took = await timed(stage, slow, retries=1, **limit)
    assert result.status == "failed"
    assert result.error
    assert result.error["name"] == "StepTimeoutError"
    assert "step `slow` of workflow `timed`" in result.error["message"]
    assert "start-to-close timeout of 200 ms" in result.error["message"]
    assert took < 5
    assert stage.effects.counts() == {"interrupted": 4}


async def test_the_limit_counts_for_threads_as_well(stage: Stage):
    """A thread cannot be stopped, but nobody waits for it."""
    end = threading.Event()
    body = lambda: end.wait(30)  # noqa: E731
    result, took = await timed(stage, body, retries=0, start_to_close_timeout=timedelta(milliseconds=200))
    end.set()
    assert (result.status, result.error and result.error["name"]) == ("failed", "StepTimeoutError")
    assert took < 5


async def test_a_timeout_that_the_step_raised_itself_is_its_own_error(stage: Stage):
    async def raise_timeout() -> None:
        raise asyncio.TimeoutError("the bank does not answer")

    result, _ = await timed(stage, raise_timeout, retries=0)
    assert result.error
    assert (result.error["name"], result.error["message"]) == ("TimeoutError", "the bank does not answer")


async def test_a_limit_over_all_attempts(stage: Stage):
    async def fail() -> None:
        raise RuntimeError("no")

    async def hang() -> None:
        await asyncio.sleep(60)

    limit = {"schedule_to_close_timeout": timedelta(milliseconds=500)}
    result, took = await timed(stage, fail, retries=1000, **limit)
    assert (result.status, result.steps["slow"].status) == ("failed", "failed")
    assert took < 5
    result, took = await timed(stage, hang, retries=1000, **limit)
    assert result.status == "failed"
    assert result.error
    assert "step `slow` of workflow `timed`" in result.error["message"]
    assert "schedule-to-close" in result.error["message"]
    assert took < 5


async def test_a_failing_step_does_not_stop_its_siblings(stage: Stage):
    async def fail() -> None:
        raise RuntimeError("no")

    async def work(value: Any) -> str:
        await stage.effects.opened("gate")
        return "kept"

    async def retry(value: Any, ctx: StepContext) -> str:
        if ctx.retry_count == 0:
            raise RuntimeError("once")
        stage.effects.open("gate")
        return "kept, too"

    steps = [
        create_step(id="fail", execute=fail),
        create_step(id="work", execute=work),
        create_step(id="retry", execute=retry, retries=1),
    ]
    after = clone_step(steps[1], id="after")
    workflow = create_workflow(id="siblings").parallel(steps).then(after).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert (result.status, result.error) == ("failed", {"name": "RuntimeError", "message": "no"})
    assert {id: step.output for id, step in result.steps.items()} == {
        "fail": None,
        "work": "kept",
        "retry": "kept, too",
    }


async def test_an_attempt_that_is_hurried_although_it_runs_goes_on(stage: Stage):
    """A restart hurries steps that wait for their next attempt; one may have begun, and then fails as it would have."""

    async def fail_once(value: Any, ctx: StepContext) -> int:
        stage.effects.add(f"attempt {ctx.retry_count}")
        if ctx.retry_count == 0:
            await stage.effects.opened("hurried")
            await asyncio.sleep(1.5)  # longer than a heartbeat takes, whose answer tells of it
            raise RuntimeError("once")
        return ctx.retry_count

    workflow = create_workflow(id="hurried").then(create_step(id="a", execute=fail_once, retries=1)).commit()
    async with stage.worker(workflow):
        flow_run = await workflow.create_run()
        started = asyncio.create_task(flow_run.start(input_data=1))
        await stage.effects.seen("attempt 0")
        execution = WorkflowExecution(workflow_id=flow_run.run_id)
        hurry = ResetActivityRequest(namespace=stage.client.namespace, execution=execution, id="a")
        await stage.client.workflow_service.reset_activity(hurry)
        stage.effects.open("hurried")
        result = await within(started)
    assert (result.status, result.result) == ("success", 1)
    assert stage.effects.counts() == {"attempt 0": 1, "attempt 1": 1}
