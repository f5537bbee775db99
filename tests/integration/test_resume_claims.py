"""A suspension is answered once: several people can answer several steps of one run at the same time."""

import asyncio
from typing import Any

import pytest

from mastra_temporal import (
    ResumeAlreadyClaimedError,
    Run,
    StepContext,
    Workflow,
    WorkflowResult,
    create_step,
    create_workflow,
)
from mastra_temporal._client.resume import _send
from mastra_temporal._protocol.messages import ResumeRequest
from tests.integration.suspending import asking, flow, suspended_run
from tests.support import Effects, Stage, within


def slow(effects: Effects, id: str = "ask") -> Any:
    """Asks; what is answered takes as long as the gate of that name is closed."""

    async def ask(value: Any, ctx: StepContext) -> Any:
        if ctx.suspend_data is None:
            return await ctx.suspend({"about": value})
        effects.add(f"{id} {value} {ctx.resume_data}")
        await effects.opened("go")
        return [value, ctx.resume_data]

    return create_step(id=id, execute=ask)


async def another(run: Run[Any], workflow: Workflow[Any, Any, Any]) -> Run[Any]:
    """The run as another process has it."""
    other: Run[Any] = Run(run._session, workflow.definition, run_id=run.run_id, resource_id=None)  # pyright: ignore[reportPrivateUsage] - as another process makes it
    other.status = "running"
    return other


@pytest.mark.parametrize("nested", [False, True])
async def test_twelve_people_answer_twelve_items(stage: Stage, nested: bool):
    body = flow(slow(stage.effects), id="inner") if nested else slow(stage.effects)
    workflow = create_workflow(id="flow").foreach(body, concurrency=12).commit()
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, list(range(12)))
        stage.effects.open("go")
        path = "inner" if nested else "ask"
        answers = [
            (await another(run, workflow)).resume(step=path, for_each_index=index, resume_data=f"r{index}")
            for index in range(12)
        ]
        results = await within(asyncio.gather(*answers), 40)
        assert [result.status for result in results].count("success") >= 1
        final = await within(run.join())
        assert final.result == [[index, f"r{index}"] for index in range(12)]
        assert stage.effects.counts() == {f"ask {index} r{index}": 1 for index in range(12)}


async def test_an_item_is_answered_while_another_one_runs(stage: Stage):
    workflow = create_workflow(id="flow").foreach(slow(stage.effects), concurrency=5).commit()
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, [0, 1, 2])
        first = asyncio.create_task(run.resume(for_each_index=0, resume_data="a"))
        await stage.effects.seen("ask 0 a")
        await within((await another(run, workflow)).resume_async(for_each_index=1, resume_data="b"))
        for index in (0, 1):
            with pytest.raises(ResumeAlreadyClaimedError):
                await within((await another(run, workflow)).resume(for_each_index=index, resume_data="again"))
        stage.effects.open("go")
        assert (await within(first)).status == "suspended"
        result = await within(run.resume(for_each_index=2, resume_data="c"))
        assert result.result == [[0, "a"], [1, "b"], [2, "c"]]
        assert stage.effects.counts() == {"ask 0 a": 1, "ask 1 b": 1, "ask 2 c": 1}


@pytest.mark.parametrize("deep", [False, True])
async def test_two_steps_of_a_parallel_block(stage: Stage, deep: bool):
    steps = [slow(stage.effects, "left"), slow(stage.effects, "right")]
    block = [flow(step, id=f"in-{step.id}") for step in steps] if deep else steps
    workflow = create_workflow(id="flow").parallel(block).commit()
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
        stage.effects.open("go")
        names = [each.id for each in block]
        both = [(await another(run, workflow)).resume(step=name, resume_data=name) for name in names]
        await within(asyncio.gather(*both))
        assert (await within(run.join())).result == {name: [1, name] for name in names}


async def test_the_same_item_twice_at_once(stage: Stage):
    workflow = create_workflow(id="flow").foreach(slow(stage.effects), concurrency=5).commit()
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, [0, 1])
        stage.effects.open("go")
        answers = [(await another(run, workflow)).resume(for_each_index=0, resume_data=n) for n in range(5)]
        ended = await within(asyncio.gather(*answers, return_exceptions=True))
        accepted = [each for each in ended if isinstance(each, WorkflowResult)]
        refused = [each for each in ended if isinstance(each, ResumeAlreadyClaimedError)]
        assert (len(accepted), len(refused)) == (1, 4)
        assert stage.effects.counts().total() == 1


async def test_a_later_suspension_of_the_same_step_is_another_one(stage: Stage):
    """Who answers what he has seen does not answer what the step asks afterwards."""
    workflow = create_workflow(id="flow").dountil(asking(), lambda value: False).commit()
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
        seen = await run.client.get_workflow_handle(run.run_id).describe()
        assert (await within(run.resume(resume_data=1))).status == "suspended"
        request = ResumeRequest(resume_data=2)
        with pytest.raises(ResumeAlreadyClaimedError):
            await within(_send(run.client, seen, request.model_copy(update={"resume_count": 0})))
        await run.cancel()


async def test_an_answer_survives_that_the_run_is_terminated(stage: Stage):
    """It was accepted, and waited for the item under way."""
    workflow = create_workflow(id="flow").foreach(slow(stage.effects), concurrency=5).commit()
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, [0, 1])
        await run.resume_async(for_each_index=0, resume_data="a")
        await stage.effects.seen("ask 0 a")
        await within((await another(run, workflow)).resume_async(for_each_index=1, resume_data="b"))
        await stage.client.get_workflow_handle(run.run_id).terminate()
        stage.effects.open("go")
        assert (await within(run.restart())).result == [[0, "a"], [1, "b"]]
