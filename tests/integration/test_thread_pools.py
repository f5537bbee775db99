"""Threads of steps and functions: one that never comes back holds up nobody."""

import asyncio
import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from mastra_temporal import SyncStepContext, create_step, create_workflow
from tests.support import Effects, Stage, run, within

STUCK = 120
"""More than an executor of before had threads, and than a worker runs activities at once."""


async def test_steps_that_are_stuck_hold_up_no_others(stage: Stage, caplog: pytest.LogCaptureFixture):
    release = threading.Event()

    def hang(value: Any) -> None:
        release.wait(60)

    limit = {"start_to_close_timeout": timedelta(milliseconds=200)}
    stuck = create_workflow(id="stuck").foreach(create_step(id="hang", execute=hang, options=limit), concurrency=STUCK)
    stuck.commit()
    after = (
        create_workflow(id="after").map(lambda value: 1).then(create_step(id="add", execute=lambda value: value + 1))
    )
    after.commit()
    async with stage.worker(stuck, after):
        with caplog.at_level(logging.WARNING, "mastra_temporal.worker"):
            failed = await within((await stuck.create_run()).start(input_data=list(range(STUCK))), 60)
        assert failed.status == "failed"
        result = await run(after)
        assert (result.status, result.result) == ("success", 2)
        release.set()
    told = [
        record.getMessage() for record in caplog.records if "runs on although its attempt is over" in record.message
    ]
    assert len(told) == STUCK
    assert "step `hang` of workflow `stuck`" in told[0]


async def test_a_coroutine_that_swallows_its_cancellation_holds_up_nobody(stage: Stage):

    done = asyncio.Event()

    async def ignore(value: Any) -> None:
        while not done.is_set():
            try:
                await done.wait()
            except asyncio.CancelledError:
                stage.effects.add("ignored")

    step = create_step(id="ignore", execute=ignore, options={"start_to_close_timeout": timedelta(milliseconds=200)})
    workflow = create_workflow(id="ignoring").then(step).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
        done.set()
    assert result.error is not None
    assert result.error["name"] == "StepTimeoutError"


async def test_the_executor_of_the_worker_is_used_for_steps_alone(stage: Stage):
    def name(value: Any) -> str:
        return threading.current_thread().name

    workflow = create_workflow(id="named").map(name, id="mapped").then(create_step(id="own", execute=name)).commit()
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as executor:
        async with stage.worker(workflow, activity_executor=executor):
            result = await run(workflow)
    assert result.steps["own"].output.startswith("mine")
    assert result.steps["mapped"].output.startswith("mastra-function")


def queueing(effects: Effects) -> Any:
    def hold(value: Any) -> str:
        effects.add(f"hold {value}")
        while value == "first" and not effects.is_open("go"):
            time.sleep(0.02)
        return threading.current_thread().name

    step = create_step(id="hold", execute=hold)
    options = {"heartbeat_timeout": timedelta(seconds=2)}
    return [create_workflow(id="queueing", step_options=options).then(step).commit()]


async def test_a_step_that_waits_for_a_thread_is_not_alive(stage: Stage):
    """The only thread of one worker is taken: the step runs on another worker, once."""
    [workflow] = queueing(stage.effects)
    with ThreadPoolExecutor(1, thread_name_prefix="only") as executor:
        async with stage.worker(workflow, activity_executor=executor):
            first, second = await workflow.create_run(), await workflow.create_run()
            await first.start_async(input_data="first")
            await stage.effects.seen("hold first")
            await second.start_async(input_data="second")
            stage.worker_process(queueing)
            result = await within(second.join(), 40)
            stage.effects.open("go")
            await within(first.join())
    assert str(result.result).startswith("mastra-step")
    assert stage.effects.counts() == {"hold first": 1, "hold second": 1}


async def test_a_free_thread_is_used_again(stage: Stage):
    names: set[str] = set()

    def note(value: Any) -> Any:
        names.add(threading.current_thread().name)
        return value

    workflow = create_workflow(id="again").then(create_step(id="note", execute=note)).commit()
    async with stage.worker(workflow):
        for _ in range(5):
            await run(workflow)
    assert len(names) < 5


def test_importing_makes_no_threads():
    code = (
        "import threading, concurrent.futures as f\n"
        "made = []\n"
        "start = f.ThreadPoolExecutor.__init__\n"
        "f.ThreadPoolExecutor.__init__ = lambda *a, **k: (made.append(a), start(*a, **k))[1]\n"
        "import mastra_temporal, mastra_temporal.worker, mastra_temporal.testing\n"
        "assert not made, made\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def stuck(effects: Effects) -> Any:
    def hang(value: Any, ctx: SyncStepContext) -> None:
        effects.add("hang")
        time.sleep(600)

    return [create_workflow(id="leaving").then(create_step(id="hang", execute=hang)).commit()]


async def test_a_stuck_thread_does_not_keep_the_process_from_exiting(stage: Stage):
    mastra = await stage.app(stuck)
    worker = stage.worker_process(stuck)
    await (await mastra.get_workflow("leaving").create_run()).start_async()
    await stage.effects.seen("hang")
    assert worker.terminate() == 0
