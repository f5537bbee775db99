"""A client that is killed inside `restart()` does not hold up the next one."""

import asyncio
import time
from typing import Any

from temporalio.client import Client

from mastra_temporal import Mastra, Run, StepContext, create_step, create_workflow
from mastra_temporal._client.recovery.lock import locked
from tests.support import PROCESSES, Effects, Stage, within

SECONDS = 6


def build(effects: Effects) -> Any:
    async def once(value: Any, ctx: StepContext) -> int:
        if effects.add("once") == 1:
            await ctx.abort_signal.wait()
        return 1

    return create_workflow(id="dying").then(create_step(id="once", execute=once)).commit()


async def inside_its_step(stage: Stage, mastra: Mastra) -> Run[Any]:
    run = await mastra.get_workflow("dying").create_run()
    await run.start_async()
    await stage.effects.seen("once")
    return run


async def terminate(stage: Stage, run: Run[Any]) -> None:
    await stage.client.get_workflow_handle(run.run_id).terminate("by mistake")
    stage.effects.open("terminated")


def restart_in_a_process(stage: tuple[str, str, Effects], run_id: str) -> None:
    async def main() -> None:
        address, task_queue, effects = stage
        mastra = Mastra(workflows=[build(effects)], task_queue=task_queue)
        await mastra.connect(await Client.connect(address))
        run = await mastra.get_workflow("dying").create_run(run_id=run_id)
        effects.add("connected")
        await effects.opened("terminated")
        await run.restart()

    asyncio.run(main())


async def test_a_client_that_is_killed_while_the_steps_hear_of_the_end(stage: Stage):
    async with stage.worker(build(stage.effects)) as mastra:
        run = await inside_its_step(stage, mastra)
        place = (stage.address, stage.task_queue, stage.effects)
        killed = PROCESSES.Process(target=restart_in_a_process, args=(place, run.run_id), daemon=True)
        killed.start()
        await stage.effects.seen("connected")
        await terminate(stage, run)
        await asyncio.sleep(1)  # it has read the run and waits: from outside there is nothing to be seen
        killed.kill()
        killed.join()
        began = time.monotonic()
        assert (await within(run.restart())).result == 1
        assert time.monotonic() - began < SECONDS
    assert stage.effects.counts()["once"] == 2


async def test_a_client_that_is_killed_with_the_lock(stage: Stage):
    async with stage.worker(build(stage.effects)) as mastra:
        run = await inside_its_step(stage, mastra)
        await terminate(stage, run)
        lock = locked(mastra.client, run.run_id)
        assert await lock.__aenter__()
        began = time.monotonic()
        assert (await within(run.restart())).result == 1
        assert time.monotonic() - began < SECONDS
        await lock.__aexit__(None, None, None)
    assert stage.effects.counts()["once"] == 2
