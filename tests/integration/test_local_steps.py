"""Steps with `local=True` run as local activities: as any other step, but without events, heartbeats and streams."""

import asyncio
import contextlib
import time
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.service import RPCError

from mastra_temporal import (
    DefinitionError,
    Mastra,
    StepContext,
    SyncStepContext,
    Workflow,
    create_step,
    create_workflow,
    step,
)
from tests.support import Effects, Stage, until, within


async def activities(stage: Stage, run_id: str) -> int:
    history = await stage.client.get_workflow_handle(run_id).fetch_history()
    return sum(event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED for event in history.events)


def local(name: str, execute: Any, **settings: Any) -> Any:
    return create_step(id=name, execute=execute, local=True, **settings)


async def test_in_every_construct(stage: Stage):
    async def plus(value: int) -> int:
        stage.effects.add("plus")
        return value + 1

    def total(value: dict[str, int]) -> list[int]:
        return [sum(value.values())] * 3

    one = local("one", plus)
    body = create_workflow(id="body").then(local("inner", plus)).commit()
    flow = (
        create_workflow(id="all", step_options={"local": True})
        .then(one)
        .dowhile(body, lambda value: value < 5)
        .parallel([local("two", plus), create_step(id="three", execute=plus)])
        .then(create_step(id="total", execute=total))
        .foreach(local("item", plus), concurrency=2)
        .branch([(lambda value: len(value) == 3, local("last", lambda value: value[::-1]))])
        .commit()
    )
    async with stage.worker(flow):
        run = await flow.create_run()
        result = await within(run.start(input_data=0))
    assert (result.status, result.result) == ("success", {"last": [13, 13, 13]})
    assert stage.effects.counts() == {"plus": 10}
    assert await activities(stage, run.run_id) == 0


async def test_it_is_retried_and_fails_like_any_step(stage: Stage):
    async def flaky(value: int, ctx: StepContext) -> int:
        if stage.effects.add(ctx.step_id) <= value:
            raise ValueError(f"failure {ctx.retry_count}")
        return ctx.retry_count

    retries = {"attempts": 2, "delay": 10}
    flow = create_workflow(id="retried", retry_config=retries).then(local("flaky", flaky)).commit()
    other = create_workflow(id="exhausted", retry_config=retries).then(local("hopeless", flaky)).commit()
    async with stage.worker(flow, other):
        result = await within((await flow.create_run()).start(input_data=2))
        failed = await within((await other.create_run()).start(input_data=9))
    assert (result.status, result.result) == ("success", 2)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error["message"] == "failure 2"
    assert stage.effects.counts() == {"flaky": 3, "hopeless": 3}


async def test_what_its_context_offers(stage: Stage):
    async def first(value: dict[str, int], ctx: StepContext) -> int:
        ctx.set_state({"seen": value["n"]})
        ctx.request_context.set("who", "ann")
        return value["n"] + 1

    async def ask(value: int, ctx: StepContext) -> Any:
        if ctx.resume_data is None:
            return await ctx.suspend({"question": value})
        found = [
            await ctx.get_init_data(),
            await ctx.get_step_result("first"),
            ctx.state,
            ctx.request_context.get("who"),
        ]
        return [*found, ctx.resume_data, ctx.idempotency_key == f"{ctx.run_id}/ask"]

    def thread(value: list[Any], ctx: SyncStepContext) -> list[Any]:
        return [*value, ctx.get_init_data()["n"]]

    flow = create_workflow(id="rich").then(local("first", first)).then(local("ask", ask)).then(local("thread", thread))
    flow = flow.commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        suspended = await within(run.start(input_data={"n": 1}))
        assert suspended.suspend_payload == {"ask": {"question": 2}}
        result = await within(run.resume(resume_data="yes"))
    assert result.result == [{"n": 1}, 2, {"seen": 1}, "ann", "yes", True, 1]
    assert await activities(stage, run.run_id) == 0


@pytest.mark.parametrize("what", ["stream", "save checkpoints"])
async def test_what_it_cannot_do_is_said(stage: Stage, what: str):
    async def wrong(ctx: StepContext) -> None:
        await ctx.writer.write("a") if what == "stream" else ctx.checkpoint(1)

    flow = create_workflow(id="wrong").then(local("wrong", wrong)).commit()
    async with stage.worker(flow):
        result = await within((await flow.create_run()).start())
    assert result.error is not None
    assert f"step `wrong` of workflow `wrong` is local, so it cannot {what}" in result.error["message"]


async def test_it_is_canceled_and_has_a_time_limit(stage: Stage):
    async def wait(ctx: StepContext) -> str:
        stage.effects.add("began")
        while not ctx.abort_signal.aborted:
            await asyncio.sleep(0.02)
        return f"aborted: {ctx.abort_signal.reason}"

    flow = create_workflow(id="canceled").then(local("wait", wait)).commit()
    options = {"start_to_close_timeout": timedelta(milliseconds=300)}
    late = create_workflow(id="late").then(local("late", lambda: time.sleep(1), options=options)).commit()
    async with stage.worker(flow, late):
        run = await flow.create_run()
        started = asyncio.create_task(run.start())
        await stage.effects.seen("began")
        await run.cancel()
        assert (await within(started)).status == "canceled"
        result = await within((await late.create_run()).start())
    assert result.error is not None
    assert result.error["name"] == "StepTimeoutError"
    assert stage.effects.counts() == {"began": 1}


def slow(effects: Effects) -> list[Workflow[Any, Any, Any]]:
    async def before(value: int) -> int:
        effects.add("before")
        return value + 1

    async def slow(value: int, ctx: StepContext) -> int:
        if effects.add("slow") == 1:
            await asyncio.sleep(600)
        effects.add(f"restart is {ctx.restart}")
        return value + 1

    return [
        create_workflow(id="slow").then(create_step(id="before", execute=before)).then(local("slow", slow)).commit()
    ]


@pytest.mark.any_cache
async def test_a_killed_worker_loses_the_local_step_only(stage: Stage):
    mastra = await stage.app(slow)
    worker = stage.worker_process(slow)
    run = await mastra.get_workflow("slow").create_run()
    started = asyncio.create_task(run.start(input_data=1))
    await stage.effects.seen("slow")
    worker.kill()
    stage.worker_process(slow)
    result = await within(run.restart())
    assert (result.status, result.result) == ("success", 3)
    assert (await within(started)).result == 3
    assert stage.effects.counts() == {"before": 1, "slow": 2, "restart is True": 1}


async def test_a_worker_without_the_step_leaves_it_to_one_that_has_it(stage: Stage):
    async def plus(value: int) -> int:
        return value + 1

    new = create_workflow(id="changed").then(local("added", plus)).commit()
    old = create_workflow(id="changed").then(local("removed", plus)).commit()
    app = Mastra(workflows=[new], task_queue=stage.task_queue)
    await app.connect(stage.client)
    async with stage.worker(old):
        run = await app.get_workflow("changed").create_run()
        started = asyncio.create_task(run.start(input_data=1))
        await until(lambda: scheduled(stage, run.run_id))
    async with stage.worker(new):
        assert (await within(started)).result == 2


async def scheduled(stage: Stage, run_id: str) -> bool:
    with contextlib.suppress(RPCError):  # not started yet
        return await activities(stage, run_id) == 1
    return False


def test_options_that_a_local_step_cannot_have():
    async def execute(value: int) -> int:
        return value

    with pytest.raises(DefinitionError, match=r"step `a`: a local step runs .* so it has no `task_queue`"):
        create_step(id="a", execute=execute, local=True, options={"task_queue": "gpu"})
    with pytest.raises(DefinitionError, match="has no `heartbeat_timeout`"):
        step(local=True, options={"heartbeat_timeout": timedelta(seconds=9)})(execute)
    remote = create_step(id="b", execute=execute, options={"heartbeat_timeout": timedelta(seconds=9)})
    with pytest.raises(DefinitionError, match="step `b`: a local step"):
        create_workflow(id="w", step_options={"local": True}).then(remote).commit()
