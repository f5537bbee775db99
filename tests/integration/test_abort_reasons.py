"""``ctx.abort_signal.reason`` says why a step is to stop."""

import asyncio
import time
from datetime import timedelta
from typing import Any

from mastra_temporal import AbortSignal, StepContext, SyncStepContext, create_step, create_workflow
from tests.support import Effects, Stage, until, within


def listening(effects: Effects) -> Any:
    """The first attempt of each step notes what it hears; the next one goes through."""

    async def listen(value: Any, ctx: StepContext) -> str:
        if effects.add("listens") == 1:
            await ctx.abort_signal.wait()
            effects.add(f"hears {ctx.abort_signal.reason}")
        return "done"

    return [create_workflow(id="listening").then(create_step(id="listen", execute=listen)).commit()]


def sync_listening(effects: Effects) -> Any:
    """As `listening`, in a thread."""

    def listen(value: Any, ctx: SyncStepContext) -> str:
        if effects.add("listens") == 1:
            while not ctx.abort_signal.aborted:
                time.sleep(0.02)
            effects.add(f"hears {ctx.abort_signal.reason}")
        return "done"

    options = {"start_to_close_timeout": timedelta(seconds=1)}
    step = create_step(id="listen", execute=listen, retries=1, options=options)
    return [create_workflow(id="sync-listening").then(step).commit()]


async def test_a_canceled_run(stage: Stage):
    [workflow] = listening(stage.effects)
    async with stage.worker(workflow):
        run = await workflow.create_run()
        await run.start_async()
        await stage.effects.seen("listens")
        await within(run.cancel())
        await stage.effects.seen("hears canceled")
        assert (await within(run.join())).status == "canceled"


async def test_a_run_that_was_closed(stage: Stage):
    [workflow] = listening(stage.effects)
    async with stage.worker(workflow):
        run = await workflow.create_run()
        await run.start_async()
        await stage.effects.seen("listens")
        await stage.client.get_workflow_handle(run.run_id).terminate()
        await stage.effects.seen("hears canceled")


async def test_a_step_that_called_abort_and_one_beside_it(stage: Stage):
    heard: dict[str, str | None] = {}

    async def abort(value: Any, ctx: StepContext) -> None:
        await stage.effects.seen("listens")
        ctx.abort()
        heard["abort"] = ctx.abort_signal.reason

    async def beside(value: Any, ctx: StepContext) -> str:
        stage.effects.add("listens")
        await ctx.abort_signal.wait()
        heard["beside"] = ctx.abort_signal.reason
        await asyncio.sleep(1.5)  # more than an attempt gets that nobody wants any more
        return "kept"

    steps = [create_step(id="abort", execute=abort), create_step(id="beside", execute=beside)]
    workflow = create_workflow(id="aborting").parallel(steps).commit()
    async with stage.worker(workflow):
        result = await within((await workflow.create_run()).start())
    assert (result.status, result.steps["beside"].output) == ("canceled", "kept")
    assert heard == {"abort": "canceled", "beside": "canceled"}


async def test_an_attempt_that_restart_gave_up(stage: Stage):
    [workflow] = listening(stage.effects)
    async with stage.worker(workflow):
        run = await workflow.create_run()
        await run.start_async()
        await stage.effects.seen("listens")
        result = await within(run.restart(force=True))
        await stage.effects.seen("hears restarted")
    assert (result.status, stage.effects.counts()["listens"]) == ("success", 2)


async def test_an_attempt_over_its_time_limit(stage: Stage):
    [workflow] = sync_listening(stage.effects)
    async with stage.worker(workflow):
        result = await within((await workflow.create_run()).start())
        await stage.effects.seen("hears timed_out")
    assert (result.status, result.result) == ("success", "done")


async def test_a_worker_that_shuts_down(stage: Stage):
    def listen(value: Any, ctx: SyncStepContext) -> Any:
        stage.effects.add("listens")
        while not ctx.abort_signal.aborted:
            time.sleep(0.02)
        heard.append(ctx.abort_signal.reason)

    heard: list[str | None] = []
    workflow = create_workflow(id="leaving").then(create_step(id="listen", execute=listen)).commit()
    async with stage.worker(workflow, graceful_shutdown_timeout=timedelta(milliseconds=100)):
        await (await workflow.create_run()).start_async()
        await stage.effects.seen("listens")
    await until(lambda: heard == ["worker_shutdown"])


async def test_the_first_reason_stays_and_a_signal_needs_no_event_loop():
    def make() -> AbortSignal:
        signal = AbortSignal()
        assert (signal.aborted, signal.reason) == (False, None)
        signal._set("cut_off")  # pyright: ignore[reportPrivateUsage]
        signal._set("canceled")  # pyright: ignore[reportPrivateUsage]
        return signal

    signal = await asyncio.to_thread(make)
    await within(signal.wait(), 1)
    assert (signal.aborted, signal.reason) == (True, "cut_off")
