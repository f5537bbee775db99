"""Workers whose identities outlive their processes, as the pods of a stateful set have them."""

import asyncio
import time
from typing import Any

import pytest

from mastra_temporal import Mastra, Run, StepContext, create_step, create_workflow
from mastra_temporal._client.recovery.liveness import worker_beats
from tests.support import Effects, Stage, until, within

pytestmark = pytest.mark.any_cache

IDENTITY = "worker-0"


def hanging(effects: Effects) -> Any:
    """A step that waits to be killed the first time; a run that is given a gate waits there."""

    async def hang(value: str, ctx: StepContext) -> int:
        execution = effects.add(ctx.idempotency_key)
        if value != "killed":
            await effects.opened(value)
        elif execution == 1:
            await asyncio.sleep(600)
        return execution

    return [create_workflow(id="hanging").then(create_step(id="hang", execute=hang)).commit()]


async def begun(stage: Stage, mastra: Mastra, value: str) -> Run[Any]:
    run = await mastra.get_workflow("hanging").create_run()
    await run.start_async(input_data=value)
    await stage.effects.seen(f"{run.run_id}/hang")
    return run


async def test_a_dead_worker_is_told_from_its_successor_of_the_same_name(stage: Stage):
    identity = f"{IDENTITY}-{stage.task_queue}"
    mastra = await stage.app(hanging)
    worker = stage.worker_process(hanging, identity=identity)
    orphan = await begun(stage, mastra, "killed")

    async def beats() -> bool:
        return bool(await worker_beats(stage.client, f"WorkerIdentity = '{identity}'"))

    await until(beats)
    worker.kill()
    stage.worker_process(hanging, identity=identity)
    alive = await begun(stage, mastra, "go")
    began = time.monotonic()
    report = await within(mastra.restart_all_active_workflow_runs())
    assert time.monotonic() - began < 15  # not the heartbeat timeout of 30 s
    assert {item.run_id: item.how for item in report.runs} == {orphan.run_id: "restarted", alive.run_id: "attached"}
    stage.effects.open("go")
    results = await within(report.wait())
    assert (results[orphan.run_id].result, results[alive.run_id].result) == (2, 1)
