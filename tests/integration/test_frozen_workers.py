"""A machine that is gone closes no connection: the server has its polls, and would give them the next tasks.

A process that is stopped, and a proxy that swallows everything, stand for it.
"""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from mastra_temporal import Mastra, Run, StepContext, StepOptions, create_step, create_workflow
from mastra_temporal._client.recovery.liveness import worker_beats
from mastra_temporal.devserver import DYNAMIC_CONFIG, start_dev_server
from mastra_temporal.plugin import heartbeating_runtime
from tests.proxy import proxy_to
from tests.support import Effects, Stage, WorkerProcess, until, within

HEARTBEAT_TIMEOUT = timedelta(seconds=5)
SECONDS = 4
"""How long a restart may take until the step runs again."""


def build(effects: Effects) -> Any:
    """A step that hangs in its first attempt, and a function that does."""

    async def hang(value: int, ctx: StepContext) -> int:
        if effects.add(f"{ctx.run_id} {ctx.step_id}") == 1:
            await asyncio.sleep(3600)
        return value

    async def finish(value: int, ctx: StepContext) -> int:
        effects.add(f"{ctx.run_id} {ctx.step_id}")
        return value

    async def map_slowly(value: Any) -> int:
        if effects.add("mapping") == 1:
            await asyncio.sleep(3600)
        return 1

    options = StepOptions(heartbeat_timeout=HEARTBEAT_TIMEOUT)
    first, last = create_step(id="first", execute=finish), create_step(id="last", execute=finish)
    frozen = create_workflow(id="frozen", step_options=options).then(first)
    frozen = frozen.then(create_step(id="hangs", execute=hang)).then(last).commit()
    wide = create_workflow(id="wide", step_options=options)
    wide = wide.parallel([create_step(id=f"hangs{number}", execute=hang) for number in range(6)]).commit()
    mapping = create_workflow(id="mapping").map(map_slowly, id="slow").commit()
    return [frozen, wide, mapping, create_workflow(id="ping").then(first).commit()]


async def working(mastra: Mastra) -> None:
    """Returns when a worker works."""
    assert (await within((await mastra.get_workflow("ping").create_run()).start(input_data=1))).status == "success"


async def hanging(stage: Stage, mastra: Mastra, workflow: str = "frozen", step: str = "hangs") -> Run[Any]:
    run = await mastra.get_workflow(workflow).create_run()
    await run.start_async(input_data=1)
    await stage.effects.seen(f"{run.run_id} {step}")
    return run


async def another(stage: Stage, mastra: Mastra) -> WorkerProcess:
    """A second worker, which is listed."""
    process = stage.worker_process(build)

    async def both() -> bool:
        return len(await worker_beats(stage.client, f"TaskQueue = '{stage.task_queue}'")) == 2

    await until(both)
    return process


async def ran_again(stage: Stage, run: Run[Any], since: float, step: str = "hangs") -> float:
    await stage.effects.seen(f"{run.run_id} {step}", 2)
    return time.monotonic() - since


def each_ran(stage: Stage, run: Run[Any], **times: int) -> None:
    counts = stage.effects.counts()
    assert {step: counts[f"{run.run_id} {step}"] for step in times} == times


@pytest.mark.parametrize("force", [False, True], ids=["asked", "forced"])
async def test_restart_takes_seconds_when_a_worker_is_frozen(stage: Stage, force: bool):
    mastra = await stage.app(build)
    worker = stage.worker_process(build)
    run = await hanging(stage, mastra)
    await another(stage, mastra)
    worker.freeze()
    began = time.monotonic()
    restarting = asyncio.create_task(run.restart(force=force))
    assert await ran_again(stage, run, began) < SECONDS
    assert (await within(restarting)).result == 1
    each_ran(stage, run, first=1, hangs=2, last=1)


async def test_restart_takes_seconds_when_a_worker_is_cut_off(stage: Stage):
    mastra = await stage.app(build)
    async with proxy_to(stage.address) as proxy:
        stage.worker_process(build, environment={"TEMPORAL_ADDRESS": proxy.address})
        run = await hanging(stage, mastra)
        await another(stage, mastra)
        proxy.cut()
        began = time.monotonic()
        restarting = asyncio.create_task(run.restart())
        assert await ran_again(stage, run, began) < SECONDS
        assert (await within(restarting)).result == 1
    each_ran(stage, run, first=1, hangs=2, last=1)


async def test_many_steps_of_a_frozen_worker_are_forced(stage: Stage):
    """More steps than are handed to the worker that completes the workflow task: the rest goes through the queue."""
    mastra = await stage.app(build)
    worker = stage.worker_process(build)
    steps = [f"hangs{number}" for number in range(6)]
    run = await hanging(stage, mastra, "wide", steps[-1])
    await another(stage, mastra)
    worker.freeze()
    await asyncio.sleep(1)
    began = time.monotonic()
    result = await within(run.restart(force=True))
    assert result.status == "success"
    assert time.monotonic() - began < SECONDS + 1
    each_ran(stage, run, **dict.fromkeys(steps, 2))


async def test_a_frozen_worker_is_noticed_without_a_call(stage: Stage):
    mastra = await stage.app(build)
    worker = stage.worker_process(build)
    run = await hanging(stage, mastra)
    await another(stage, mastra)
    worker.freeze()
    assert await ran_again(stage, run, time.monotonic()) < HEARTBEAT_TIMEOUT.total_seconds() + 6
    assert (await within(run.join())).result == 1
    each_ran(stage, run, first=1, hangs=2, last=1)


async def test_a_worker_that_wakes_goes_on(stage: Stage):
    mastra = await stage.app(build)
    worker = stage.worker_process(build)
    run = await hanging(stage, mastra)
    other = await another(stage, mastra)
    worker.freeze()
    assert (await within(run.restart())).result == 1
    worker.wake()
    other.kill()
    began = time.monotonic()
    await working(mastra)
    assert time.monotonic() - began < 5
    each_ran(stage, run, first=1, hangs=2, last=1)


@pytest.mark.parametrize("end", ["frozen", "killed"])
async def test_a_workflow_task_that_a_dead_worker_holds_is_given_to_another_one(stage: Stage, end: str):
    """It worked on a mapping function, which is part of the workflow task: there is no step whose heartbeat ends."""
    mastra = await stage.app(build)
    worker = stage.worker_process(build)
    run = await mastra.get_workflow("mapping").create_run()
    await run.start_async(input_data=1)
    await stage.effects.seen("mapping")
    await another(stage, mastra)
    if end == "frozen":
        worker.freeze()
    else:
        worker.kill()
    began = time.monotonic()
    assert (await within(run.restart())).result == 1
    assert time.monotonic() - began < SECONDS


@pytest.mark.timeout(90)
async def test_restart_takes_seconds_on_a_server_without_our_settings(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    """That one keeps the polls of a dead worker for a minute."""
    for name in ("frontend.keepAliveTime", "frontend.keepAliveTimeout"):
        monkeypatch.delitem(DYNAMIC_CONFIG, name)
    async with start_dev_server() as server:
        stage = Stage(
            await Client.connect(server.address, runtime=heartbeating_runtime()), stage.task_queue, stage.effects
        )
        try:
            mastra = await stage.app(build)
            worker = stage.worker_process(build)
            run = await hanging(stage, mastra)
            await another(stage, mastra)
            worker.freeze()
            began = time.monotonic()
            restarting = asyncio.create_task(run.restart())
            assert await ran_again(stage, run, began) < SECONDS + 2
            assert (await within(restarting)).result == 1
        finally:
            stage.close()
    each_ran(stage, run, first=1, hangs=2, last=1)
