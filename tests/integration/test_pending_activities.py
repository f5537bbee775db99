"""A run never has more activities pending at the server than it takes: the others queue, over all blocks."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from mastra_temporal import StepOptions, create_step, create_workflow
from mastra_temporal._worker.workflow import room
from tests.support import Effects, Stage, pending, until, within

LIMIT = 6


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PENDING", LIMIT)
    monkeypatch.setattr(room, "PENDING_WITH_LOST", LIMIT + 2)


def held(effects: Effects, id: str = "item") -> Any:
    async def item(value: int) -> int:
        effects.add(f"{id} {value}")
        await effects.opened("go")
        return value * 10

    return create_step(id=id, execute=item, options=StepOptions(heartbeat_timeout=timedelta(seconds=3)))


def many(effects: Effects, blocks: int = 1) -> Any:
    inner = [
        create_workflow(id=f"inner{number}").foreach(held(effects, f"item{number}"), concurrency=100).commit()
        for number in range(blocks)
    ]
    return create_workflow(id="many").parallel(inner).commit()


@pytest.mark.parametrize("blocks", [1, 3])
async def test_the_others_queue_over_all_blocks(stage: Stage, blocks: int):
    workflow = many(stage.effects, blocks)
    async with stage.worker(workflow):
        run = await workflow.create_run()
        started = asyncio.create_task(run.start(input_data=list(range(8))))
        await until(lambda: stage.effects.counts().total() == LIMIT)
        assert len(await pending(stage.client, run.run_id)) == LIMIT
        stage.effects.open("go")
        result = await within(started)
        assert result.result == {f"inner{number}": [i * 10 for i in range(8)] for number in range(blocks)}
        assert set(stage.effects.counts().values()) == {1}
        assert stage.effects.counts().total() == blocks * 8


async def test_first_come_first_served(stage: Stage):
    workflow = many(stage.effects)
    async with stage.worker(workflow):
        run = await workflow.create_run()
        started = asyncio.create_task(run.start(input_data=list(range(20))))
        await until(lambda: stage.effects.counts().total() == LIMIT)
        assert set(stage.effects.counts()) == {f"item0 {i}" for i in range(LIMIT)}
        stage.effects.open("go")
        assert (await within(started)).status == "success"


async def test_a_canceled_run_starts_none_of_those_that_queue(stage: Stage):
    workflow = many(stage.effects, 2)
    async with stage.worker(workflow):
        run = await workflow.create_run()
        started = asyncio.create_task(run.start(input_data=list(range(8))))
        await until(lambda: stage.effects.counts().total() == LIMIT)
        await within(run.cancel())
        stage.effects.open("go")  # otherwise those under way would use the whole of their grace
        assert (await within(started)).status == "canceled"
        assert stage.effects.counts().total() == LIMIT


async def test_lost_ones_come_first_and_the_queue_goes_on(stage: Stage):
    """The server counts a lost attempt on, until it has heard of its end."""
    process = stage.worker_process(_app)
    mastra = await stage.app(_app)
    run = await mastra.get_workflow("many").create_run()
    await run.start_async(input_data=list(range(8)))
    await until(lambda: stage.effects.counts().total() == LIMIT)
    process.kill()
    async with stage.worker(*_app(stage.effects)):
        restarted = asyncio.create_task(run.restart(force=True))
        await until(lambda: stage.effects.counts().total() == LIMIT + 2)
        assert len(await pending(stage.client, run.run_id)) == LIMIT + 2
        stage.effects.open("go")
        assert (await within(restarted, 60)).result == {"inner0": [i * 10 for i in range(8)]}


def _app(effects: Effects) -> list[Any]:
    room.PENDING, room.PENDING_WITH_LOST = LIMIT, LIMIT + 2  # in the worker's process
    return [many(effects)]
