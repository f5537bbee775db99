"""Code that kills its worker, or makes it deaf: it is tried again so often, and then the step says what happened."""

import asyncio
import os
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, model_validator

from mastra_temporal import StepContext, SyncStepContext, create_step, create_workflow
from mastra_temporal.errors import DefinitionError
from tests.support import Effects, Stage, WorkerProcess, run, until, within

TIMEOUT = timedelta(seconds=1)


def exits(effects: Effects) -> Any:
    async def exit(value: Any, ctx: StepContext) -> None:
        effects.add(f"restart {ctx.restart}")
        os._exit(3)

    step = create_step(id="exit", execute=exit, options={"max_lost_attempts": 3})
    options = {"heartbeat_timeout": TIMEOUT, "max_lost_attempts": None}
    return [create_workflow(id="exits", step_options=options).then(step).commit()]


def exits_later(effects: Effects) -> Any:
    """Only a restart brings it back in time."""
    options = {"heartbeat_timeout": timedelta(minutes=5)}
    [workflow] = exits(effects)
    step = workflow.steps["exit"]
    return [create_workflow(id="exits-later", step_options=options).then(step).commit()]


def cancels_tasks(effects: Effects) -> Any:
    async def greedy(value: Any) -> None:
        for task in asyncio.all_tasks():
            if "greedy" in task.get_name() and task is not asyncio.current_task():
                task.cancel()
        await asyncio.sleep(0.1)

    step = create_step(id="greedy", execute=greedy, options={"max_lost_attempts": 1})
    return [create_workflow(id="cancels").then(step).commit()]


class Fleet:
    """Workers that are replaced when they die."""

    def __init__(self, stage: Stage, build: Callable[[Effects], Any]) -> None:
        self._stage = stage
        self._build = build
        self._task: asyncio.Task[None] | None = None
        self.workers: list[WorkerProcess] = []

    async def __aenter__(self) -> "Fleet":
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._task is not None
        self._task.cancel()

    async def _keep(self) -> None:
        while True:
            if not self.workers or not self.workers[-1].is_alive:
                self.workers.append(self._stage.worker_process(self._build))
            await asyncio.sleep(0.05)


@pytest.mark.parity("restart")
async def test_a_step_that_kills_its_workers_fails_at_the_limit(stage: Stage):
    mastra = await stage.app(exits)
    async with Fleet(stage, exits):
        run = await mastra.get_workflow("exits").create_run()
        result = await within(run.start(), 60)
    assert result.status == "failed"
    assert result.error is not None
    assert result.error["name"] == "LostAttemptsError"
    message = result.error["message"]
    assert "step `exit` of workflow `exits`: its worker died or did not answer 3 times in a row" in message
    assert "heartbeat timeout" in message
    assert "os._exit" in message
    assert message.count("@") == 2  # the first attempt ended before it could say where it ran
    assert stage.effects.counts() == {"restart False": 1, "restart True": 2}


async def test_attempts_that_restart_gave_up_count(stage: Stage):
    mastra = await stage.app(exits_later)
    async with Fleet(stage, exits_later) as fleet:
        run = await mastra.get_workflow("exits-later").create_run()
        result = asyncio.create_task(run.start())
        for number in (1, 2, 3):
            await until(lambda number=number: sum(stage.effects.counts().values()) >= number)
            await until(lambda number=number: len(fleet.workers) > number)
            restarted = asyncio.create_task(run.restart())
        ended = await within(result, 30)
        assert (await within(restarted)).error == ended.error
    assert ended.error is not None
    assert ended.error["name"] == "LostAttemptsError"
    assert "given up by restart()" in ended.error["message"]
    assert stage.effects.counts() == {"restart False": 1, "restart True": 2}


async def test_a_step_that_cancels_the_tasks_of_others_is_told_so(stage: Stage):
    [workflow] = cancels_tasks(stage.effects)
    async with stage.worker(workflow):
        result = await run(workflow)
    assert result.error is not None
    assert result.error["name"] == "LostAttemptsError"
    assert "its task was canceled by code of the worker's process" in result.error["message"]


def holds_the_lock(effects: Effects) -> Any:
    def hold(value: Any) -> None:
        effects.add("hold")
        re.match(r"(a+)+$", "a" * 32 + "b")  # keeps Python's lock for much longer than the heartbeat timeout

    step = create_step(id="hold", execute=hold)
    options = {"heartbeat_timeout": TIMEOUT, "max_lost_attempts": 2}
    return [create_workflow(id="holds", step_options=options).then(step).commit()]


async def test_code_that_keeps_the_lock_is_ended_and_the_cause_is_named(stage: Stage):
    mastra = await stage.app(holds_the_lock)
    for _ in range(3):
        stage.worker_process(holds_the_lock)
    run = await mastra.get_workflow("holds").create_run()
    result = await within(run.start(), 60)
    assert result.error is not None
    assert result.error["name"] == "LostAttemptsError"
    assert "Python's lock (the GIL)" in result.error["message"]
    assert stage.effects.counts() == {"hold": 2}


def advances(effects: Effects) -> Any:
    def advance(value: Any, ctx: SyncStepContext) -> int:
        done = (ctx.last_checkpoint or 0) + 1
        effects.add("advance")
        if done > 4:
            return done
        ctx.checkpoint(done)
        asyncio.run(asyncio.sleep(0.7))  # for the checkpoint to get there
        os._exit(3)

    step = create_step(id="advance", execute=advance)
    options = {"heartbeat_timeout": TIMEOUT, "max_lost_attempts": 2}
    return [create_workflow(id="advances", step_options=options).then(step).commit()]


async def test_an_attempt_with_a_new_checkpoint_does_not_count(stage: Stage):
    mastra = await stage.app(advances)
    async with Fleet(stage, advances):
        run = await mastra.get_workflow("advances").create_run()
        result = await within(run.start(), 60)
    assert (result.status, result.result) == ("success", 5)


def waits(effects: Effects) -> Any:
    async def wait(value: Any, ctx: StepContext) -> bool:
        effects.add("waits")
        if effects.counts()["waits"] < 4:
            await asyncio.sleep(600)
        return ctx.restart

    step = create_step(id="wait", execute=wait, options={"max_lost_attempts": 1})
    return [create_workflow(id="handed-back").then(step).commit()]


async def test_an_attempt_that_is_handed_back_does_not_count(stage: Stage):
    mastra = await stage.app(waits)
    run = await mastra.get_workflow("handed-back").create_run()
    await run.start_async()
    for number in (1, 2, 3):
        worker = stage.worker_process(waits)
        await stage.effects.seen("waits", number)
        assert worker.terminate() == 0
    stage.worker_process(waits)
    result = await within(run.join(), 30)
    assert (result.status, result.result) == ("success", True)


async def test_after_a_failure_of_its_own_an_attempt_is_no_restart(stage: Stage):
    seen: list[bool] = []

    async def fail(value: Any, ctx: StepContext) -> int:
        seen.append(ctx.restart)
        if len(seen) == 1:
            raise RuntimeError("once")
        return ctx.retry_count

    workflow = create_workflow(id="failing").then(create_step(id="fail", execute=fail, retries=1)).commit()
    async with stage.worker(workflow):
        result = await within((await workflow.create_run()).start())
    assert (result.result, seen) == (1, [False, False])


def sleeps(effects: Effects) -> Any:
    def sleep(value: Any) -> str:
        if effects.add("sleep") == 1:
            time.sleep(600)
        return "slept"

    step = create_step(id="sleep", execute=sleep, options={"start_to_close_timeout": TIMEOUT})
    return [create_workflow(id="short-limit").then(step).commit()]


async def test_a_dead_worker_is_no_failure_where_the_time_limit_is_shorter_than_the_heartbeat_timeout(stage: Stage):
    """The server finds out by the time limit, and says so."""
    mastra = await stage.app(sleeps)
    worker = stage.worker_process(sleeps)
    run = await mastra.get_workflow("short-limit").create_run()
    await run.start_async()
    await stage.effects.seen("sleep")
    worker.kill()
    stage.worker_process(sleeps)
    result = await within(run.join(), 60)
    assert (result.status, result.result) == ("success", "slept")
    assert stage.effects.counts() == {"sleep": 2}


def deadly_function(effects: Effects) -> Any:
    """A mapping that kills its worker: after a step, in the very first workflow task, and later than that may take."""

    def die(value: Any) -> None:
        effects.add("die")
        os._exit(3)

    def die_later(value: Any) -> None:
        time.sleep(9)
        die(value)

    class Deadly(BaseModel):
        @model_validator(mode="before")
        @classmethod
        def check(cls, value: Any) -> Any:
            die(value)

    step = create_step(id="work", execute=lambda value: "worked")
    limit = {"max_lost_attempts": 2}
    return [
        create_workflow(id="after-a-step", step_options=limit).then(step).map(die, id="die").commit(),
        create_workflow(id="at-once", step_options=limit).map(die, id="die").commit(),
        create_workflow(id="later", step_options=limit).map(die_later, id="die").commit(),
        create_workflow(id="schema", step_options=limit, output_schema=Deadly).then(step).commit(),
    ]


async def test_restarts_do_not_keep_a_function_alive_that_kills_its_workers(stage: Stage):
    """They take the workflow task from a worker that is gone, so that nobody waits for it."""
    mastra = await stage.app(deadly_function)
    async with Fleet(stage, deadly_function) as fleet:
        run = await mastra.get_workflow("after-a-step").create_run()
        await run.start_async()
        for number in (1, 2):
            await stage.effects.seen("die", number)
            await until(lambda number=number: len(fleet.workers) > number)
            result = asyncio.create_task(run.restart())
        ended = await within(result, 30)
    assert ended.error is not None
    assert ended.error["name"] == "LostAttemptsError"
    assert stage.effects.counts() == {"die": 2}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("workflow_id", ["after-a-step", "at-once", "later", "schema"])
async def test_a_function_that_kills_its_workers_fails_at_the_limit(stage: Stage, workflow_id: str):
    mastra = await stage.app(deadly_function)
    async with Fleet(stage, deadly_function):
        run = await mastra.get_workflow(workflow_id).create_run()
        await run.start_async()
        result = await within(run.join(), 90)
    assert result.error is not None
    assert result.error["name"] == "LostAttemptsError"
    what = "a schema" if workflow_id == "schema" else "function `die`"
    assert f"{what} of workflow `{workflow_id}`: the worker died" in result.error["message"]
    assert stage.effects.counts() == {"die": 2}


def deadly_callback(effects: Effects) -> Any:
    def die(info: Any) -> None:
        effects.add("die")
        os._exit(3)

    step = create_step(id="work", execute=lambda value: "worked")
    options = {"on_finish": die}
    limit = {"max_lost_attempts": 2}
    return [create_workflow(id="calling", options=options, step_options=limit).then(step).commit()]


async def test_a_callback_that_kills_its_workers_is_given_up_at_the_limit(stage: Stage):
    mastra = await stage.app(deadly_callback)
    async with Fleet(stage, deadly_callback) as fleet:
        run = await mastra.get_workflow("calling").create_run()
        await run.start_async()
        result = asyncio.create_task(run.join())
        for number in (1, 2):
            await stage.effects.seen("die", number)
            await until(lambda number=number: len(fleet.workers) > number)
            restarted = asyncio.create_task(run.restart())  # does not wait for the heartbeat timeout of 30 s
        ended = await within(result, 60)
        await within(restarted)
    assert (ended.status, ended.result) == ("success", "worked")
    assert stage.effects.counts() == {"die": 2}


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_at_least_one(limit: int):
    with pytest.raises(DefinitionError, match="max_lost_attempts"):
        create_step(id="x", execute=lambda value: value, options={"max_lost_attempts": limit})


def test_no_limit_of_a_step_wins_over_that_of_its_workflow():
    unlimited = create_step(id="a", execute=lambda value: value, options={"max_lost_attempts": None})
    inherits = create_step(id="b", execute=lambda value: value)
    own = create_step(id="c", execute=lambda value: value, options={"max_lost_attempts": 5})
    workflow = create_workflow(id="limits", step_options={"max_lost_attempts": 3})
    graph = workflow.then(unlimited).then(inherits).then(own).commit().graph
    assert [entry.plan.max_lost_attempts for entry in graph.entries] == [0, 3, 5]  # type: ignore[union-attr]
