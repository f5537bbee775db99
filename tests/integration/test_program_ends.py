"""A program may end while it reads runs: `asyncio.run` cancels all tasks, those inside the SDK as well."""

import asyncio

from temporalio.client import Client

from mastra_temporal import Mastra, StepContext, create_step, create_workflow
from tests.support import Stage, within

DELAYS = [0.0, 0.005, 0.01, 0.015, 0.02, 0.03]
"""Seconds that the program reads before it ends: a replay of these runs takes some hundredths."""


async def test_in_the_middle_of_a_replay(stage: Stage):
    async def wait(ctx: StepContext) -> None:
        await ctx.abort_signal.wait()

    def workflow():
        return create_workflow(id="ended").then(create_step(id="wait", execute=wait)).commit()

    async with stage.worker(workflow()) as mastra:
        run = await mastra.get_workflow("ended").create_run()
        started = asyncio.create_task(run.start())
        while (await run.fetch_status()) == "pending":
            await asyncio.sleep(0.02)
        await run.cancel()
        assert (await within(started)).status == "canceled"

    async def program(delay: float) -> None:
        reader = Mastra(workflows=[workflow()], task_queue=stage.task_queue)
        await reader.connect(await Client.connect(stage.address))
        flow = reader.get_workflow("ended")
        tasks = [asyncio.create_task(flow.get_workflow_run_by_id(run.run_id)) for _ in range(5)]
        await asyncio.sleep(delay)
        assert len(tasks) == 5

    for delay in DELAYS:
        await within(asyncio.to_thread(asyncio.run, program(delay)), 15)
