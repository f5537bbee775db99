"""Runs with long histories go on in new executions, and nobody who waits for them notices."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from mastra_temporal import RunNotSuspendedError, StepContext, create_step, create_workflow, devserver
from mastra_temporal.plugin import heartbeating_runtime
from tests.support import Effects, Stage, within


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch, mastra_task_queue: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    """A server that finds histories of 60 events long."""
    monkeypatch.setitem(devserver.DYNAMIC_CONFIG, "limit.historyCount.suggestContinueAsNew", 60)
    async with devserver.start_dev_server() as server:
        client = await Client.connect(server.address, runtime=heartbeating_runtime())
        stage = Stage(client, mastra_task_queue, Effects(tmp_path))
        yield stage
        stage.close()


def steps(stage: Stage):
    async def plus(value: int) -> int:
        stage.effects.add(f"plus {value}")
        return value + 1

    async def ask(value: int, ctx: StepContext) -> int:
        if value == 21 and ctx.resume_data is None:
            return await ctx.suspend({"at": value}, resume_label="half way")
        return value

    return create_step(id="plus", execute=plus), create_step(id="ask", execute=ask)


async def executions(stage: Stage, run_id: str) -> list[str]:
    """How the executions of a run ended, the first one first."""
    found = [item async for item in stage.client.list_workflows(f"WorkflowId = '{run_id}'")]
    return [item.status.name for item in sorted(found, key=lambda item: item.start_time) if item.status]


async def test_a_loop_over_a_nested_workflow_that_suspends_half_way(stage: Stage):
    plus, ask = steps(stage)
    body = create_workflow(id="body").then(plus).then(ask).commit()
    flow = create_workflow(id="looping").dowhile(body, lambda value: value < 40).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        suspended = await within(run.start(input_data=0), 40)
        assert (suspended.status, suspended.suspend_payload) == ("suspended", {"body": {"at": 21}})
        result = await within(run.resume(label="half way", resume_data="go on"), 40)
    assert (result.status, result.result) == ("success", 40)
    assert result.steps["body"].metadata == {"iterationCount": 40}
    assert stage.effects.counts() == {f"plus {value}": 1 for value in range(40)}
    ends = await executions(stage, run.run_id)
    assert len(ends) > 3
    assert set(ends[:-1]) == {"CONTINUED_AS_NEW"}


async def test_a_foreach_over_many_items(stage: Stage):
    plus, _ = steps(stage)
    flow = create_workflow(id="many").foreach(plus, concurrency=5).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        result = await within(run.start(input_data=list(range(100))), 40)
    assert result.result == list(range(1, 101))
    assert stage.effects.counts() == {f"plus {value}": 1 for value in range(100)}
    assert len(await executions(stage, run.run_id)) > 2


async def test_a_sleep_beside_a_loop_keeps_its_deadline(stage: Stage):
    plus, _ = steps(stage)
    loop = create_workflow(id="loop").dowhile(plus, lambda value: value < 40).commit()
    nap = create_workflow(id="nap").sleep(timedelta(seconds=3)).commit()
    flow = create_workflow(id="both").parallel([loop, nap]).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        began = asyncio.get_running_loop().time()
        result = await within(run.start(input_data=0), 40)
        took = asyncio.get_running_loop().time() - began
    assert result.result == {"loop": 40, "nap": 0}
    assert 3 <= took < 6
    assert stage.effects.counts() == {f"plus {value}": 1 for value in range(40)}


async def test_a_loop_that_asks_in_every_iteration(stage: Stage):
    """Of two who answer each question at once one is taken, in whatever execution the run is by then."""

    async def ask(value: int, ctx: StepContext) -> int:
        stage.effects.add(f"{'asked' if ctx.suspend_data is None else 'answered'} {value}")
        return await ctx.suspend({"at": value}) if ctx.suspend_data is None else value + ctx.resume_data

    step = create_step(id="ask", execute=ask)
    body = create_workflow(id="body").then(step).commit()
    flow = create_workflow(id="asking").dowhile(body, lambda value: value < 20).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        while (result := await within(run.start(input_data=0))).status == "suspended":
            other = await flow.create_run(run_id=run.run_id)
            answers = await within(
                asyncio.gather(run.resume(resume_data=1), other.resume(resume_data=1), return_exceptions=True)
            )
            refused = [answer for answer in answers if isinstance(answer, BaseException)]
            assert [isinstance(error, RunNotSuspendedError) for error in refused] in ([], [True]), refused
    assert (result.status, result.result) == ("success", 20)
    assert stage.effects.counts() == {f"{what} {value}": 1 for what in ("asked", "answered") for value in range(20)}
    assert len(await executions(stage, run.run_id)) > 3
