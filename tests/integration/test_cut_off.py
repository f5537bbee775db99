"""A step whose worker cannot reach the server hears of it, and decides nothing any more: another attempt does."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client

from mastra_temporal import NonRetryableError, StepContext, SyncStepContext, create_step, create_workflow
from tests.chaos.server import KillableServer, silent_runtime
from tests.support import Effects, Stage, within

TIMEOUT = timedelta(seconds=3)


def listening(effects: Effects) -> Any:
    async def listen(value: Any, ctx: StepContext) -> str:
        if effects.add("listens") == 1:
            await ctx.abort_signal.wait()
            effects.add("hears")
            await asyncio.sleep(600)
        return "done"

    step = create_step(id="listen", execute=listen)
    return [create_workflow(id="cut-off", step_options={"heartbeat_timeout": TIMEOUT}).then(step).commit()]


async def test_a_step_that_is_cut_off_gets_its_abort_signal(tmp_path: Path):
    server = KillableServer(tmp_path)
    await server.start()
    client = await Client.connect(server.address, runtime=silent_runtime())
    stage = Stage(client, "cut-off", Effects(tmp_path))
    try:
        mastra = await stage.app(listening)
        worker = stage.worker_process(listening)
        run = await mastra.get_workflow("cut-off").create_run()
        await run.start_async()
        await stage.effects.seen("listens")
        await asyncio.sleep(1)
        began = time.monotonic()
        await server.kill()
        await stage.effects.seen("hears")
        assert 1 < time.monotonic() - began < TIMEOUT.total_seconds() + 0.5
        worker.kill()
        await server.start()
        stage.worker_process(listening)
        result = await within(run.restart(), 40)
        assert result.result == "done"
    finally:
        stage.close()
        await server.kill()


def returning(ctx: Any) -> Any:
    return "half a result"


def raising(ctx: Any) -> Any:
    raise RuntimeError("stopped half way")


def refusing(ctx: Any) -> Any:
    raise NonRetryableError("stopped half way")


def bailing(ctx: Any) -> Any:
    return ctx.bail("half a result")


def aborting(ctx: Any) -> Any:
    ctx.abort()


def suspending(ctx: Any) -> Any:
    ctx.effects.suspended = True


ENDS: list[Callable[[Any], Any]] = [returning, raising, refusing, bailing, aborting, suspending]


def obeying(effects: Effects) -> Any:
    """Steps that end when they hear of it, each in its own way; the second attempt goes through."""

    def of(end: Callable[[Any], Any]) -> Any:
        def obey(value: Any, ctx: SyncStepContext) -> str:
            if effects.add(f"begins {end.__name__}") > 1:
                return f"done, {ctx.restart}"
            while not ctx.abort_signal.aborted:
                time.sleep(0.02)
            effects.add(f"{end.__name__}: {ctx.abort_signal.reason}")
            return end(ctx)

        step = create_step(id="obey", execute=obey)
        options = {"heartbeat_timeout": timedelta(seconds=6)}
        return create_workflow(id=end.__name__, step_options=options).then(step).commit()

    return [of(end) for end in ENDS]


async def test_an_attempt_that_was_cut_off_decides_nothing(tmp_path: Path):
    """The server is away for longer than most of the heartbeat timeout, and comes back before it is over."""
    server = KillableServer(tmp_path)
    await server.start()
    client = await Client.connect(server.address, runtime=silent_runtime())
    stage = Stage(client, "obeying", Effects(tmp_path))
    try:
        mastra = await stage.app(obeying)
        stage.worker_process(obeying)
        runs = [await mastra.get_workflow(end.__name__).create_run() for end in ENDS]
        for run in runs:
            await run.start_async()
        for end in ENDS:
            await stage.effects.seen(f"begins {end.__name__}")
        await server.kill()
        for end in ENDS:
            await stage.effects.seen(f"{end.__name__}: cut_off")
        await server.start()
        results = await within(asyncio.gather(*(run.join() for run in runs)), 60)
    finally:
        stage.close()
        await server.kill()
    assert [(item.status, item.result) for item in results] == [("success", "done, True")] * len(ENDS)
