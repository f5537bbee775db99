"""A worker that is blocked may take a step and begin it seconds later. Another worker may have finished it by then."""

import asyncio
import time
from typing import Any

import pytest
from temporalio.api.enums.v1 import PendingActivityState

from mastra_temporal import create_step, create_workflow
from tests.support import Effects, Stage, until, within


def elsewhere(effects: Effects) -> str:
    return f"late-{effects.folder.name}"


def build(effects: Effects) -> Any:
    async def hold(gate: str) -> str:
        effects.add(f"{gate} holds")
        deadline = time.monotonic() + 30
        while not effects.is_open(gate) and time.monotonic() < deadline:
            time.sleep(0.02)
        return gate

    async def charge(name: str) -> str:
        effects.add(f"{name} charged")
        return name

    async def wait(name: str) -> str:
        await effects.opened(f"{name} may end")
        return name

    options = {"task_queue": elsewhere(effects)}
    charged = create_step(id="charge", execute=charge, options=options)
    return [
        create_workflow(id="holding").then(create_step(id="hold", execute=hold, options=options)).commit(),
        create_workflow(id="charging").then(charged).then(create_step(id="wait", execute=wait)).commit(),
    ]


@pytest.mark.parametrize("how", ["terminated", "given up"])
async def test_a_step_that_begins_late_asks_whether_it_is_still_wanted(stage: Stage, how: str):
    """It was received while the worker was blocked; its run was restarted, and finished elsewhere."""
    mastra = await stage.app(build)
    stage.worker_process(build)
    # It takes two steps at once, and no third one for which it could not be told from a worker that works.
    blocked = stage.worker_process(build, task_queue=elsewhere(stage.effects), max_concurrent_activities=2)
    holding = await mastra.get_workflow("holding").create_run()
    await holding.start_async(input_data="gate")
    await stage.effects.seen("gate holds")

    late = await mastra.get_workflow("charging").create_run()
    await late.start_async(input_data="late")
    handle = stage.client.get_workflow_handle(late.run_id)

    async def taken() -> bool:
        pending = (await handle.describe()).raw_description.pending_activities
        return any(item.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED for item in pending)

    await until(taken)
    taken_at = time.monotonic()
    if how == "terminated":
        await handle.terminate("by mistake")
    other = stage.worker_process(build, task_queue=elsewhere(stage.effects))
    restarted = asyncio.create_task(late.restart(force=how == "given up"))
    await stage.effects.seen("late charged")

    other.kill()
    await until(lambda: time.monotonic() - taken_at > 2)  # a restart that asks who is alive takes longer than that
    stage.effects.open("gate")
    assert (await within(holding.join())).result == "gate"
    stage.effects.open("last may end")
    last = await mastra.get_workflow("charging").create_run()
    assert (await within(last.start(input_data="last"))).result == "last"
    stage.effects.open("late may end")
    assert (await within(restarted)).result == "late"
    assert blocked.is_alive
    assert stage.effects.counts() == {"gate holds": 1, "late charged": 1, "last charged": 1}
