"""A step whose worker cannot reach the server hears of it before another worker may have the step."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client

from mastra_temporal import StepContext, create_step, create_workflow
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
