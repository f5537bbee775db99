"""Ids with an apostrophe, a quote or a backslash are found again; what Temporal cannot take is refused before it."""

import uuid
from typing import Any

import pytest
from temporalio.api.enums.v1 import TaskQueueType

from mastra_temporal import DefinitionError, Mastra, RunError, StepContext, create_step, create_workflow
from mastra_temporal._client.recovery.liveness import worker_beats
from mastra_temporal._client.recovery.queues import has_pollers
from mastra_temporal._client.visibility import all_of, equals, one_of
from tests.support import Stage, WorkerPlan, WorkerProcess, run, until, within

ODD = ["it's", 'a "quoted" id', "back\\slash", "'", "ends\\", "per%cent_", "größe 漢😀", "'; OR 1=1 --"]
TOO_LONG = "é" * 501
"""More than 1,000 bytes, in fewer characters."""
BAD = ["", TOO_LONG, "nul\0", "line\nbreak", "half an emoji \ud83d", 5]


def flow(workflow_id: str, step_id: str = "give") -> Any:
    return create_workflow(id=workflow_id).then(create_step(id=step_id, execute=lambda value: value)).commit()


def suspending(workflow_id: str) -> Any:
    async def ask(value: Any, ctx: StepContext) -> Any:
        return value if ctx.resume_data else await ctx.suspend()

    return create_workflow(id=workflow_id).then(create_step(id="ask", execute=ask)).commit()


@pytest.mark.parametrize("odd", ODD)
async def test_runs_of_a_workflow_with_an_odd_id_are_found(stage: Stage, odd: str):
    workflow_id = f"{odd} {uuid.uuid4()}"
    asking, other = suspending(workflow_id), suspending(f"{workflow_id} too")
    stage.task_queue = f"{odd} {stage.task_queue}"
    async with stage.worker(asking, other) as mastra:
        run_id = (await run(asking, input_data=1)).run_id
        await run(other, input_data=1)

        async def listed() -> bool:
            return [each.run_id for each in (await asking.list_workflow_runs()).runs] == [run_id]

        await until(listed)
        report = await within(mastra.restart_all_active_workflow_runs())
        assert run_id in [each.run_id for each in report.skipped]
        assert not report.failed


@pytest.mark.parametrize("odd", ODD)
async def test_a_run_with_an_odd_id_is_deleted(stage: Stage, odd: str):
    workflow, run_id = flow("plain"), f"{odd} {uuid.uuid4()}"
    async with stage.worker(workflow):
        made = await workflow.create_run(run_id=run_id)
        assert (await within(made.start(input_data=1))).result == 1
        await workflow.delete_workflow_run_by_id(run_id)
        assert await workflow.get_workflow_run_by_id(run_id) is None


def plain(effects: Any) -> list[Any]:
    return [flow("plain")]


@pytest.mark.parametrize("odd", ["it's", 'a"b', "back\\slash"])
async def test_a_worker_with_an_odd_identity_or_queue_is_found(stage: Stage, odd: str):
    identity, queue = f"{odd} {uuid.uuid4()}", f"{odd} {uuid.uuid4()}"
    stage.processes.append(WorkerProcess(WorkerPlan(plain, stage.effects, stage.address, queue, {}, identity)))

    async def found() -> bool:
        query = all_of(equals("WorkerIdentity", identity))
        return len(await worker_beats(stage.client, query, lambda beat: beat.worker_identity == identity)) == 1

    await until(found)
    assert await within(has_pollers(stage.client, queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW))


def test_what_the_server_cannot_compare_is_asked_for_by_what_comes_before():
    assert equals("A", "plain") == "A = 'plain'"
    assert equals("A", "it's") == "A STARTS_WITH 'it'"
    assert equals("A", "'") is None
    assert one_of("A", ["x", "it's"]) == "(A IN ('x') OR A STARTS_WITH 'it')"
    assert one_of("A", ["x", "'"]) is None
    assert all_of("A = 'x'", None, "B = 'y'") == "A = 'x' AND B = 'y'"


@pytest.mark.parametrize("bad", BAD, ids=ascii)
@pytest.mark.parametrize(
    "define",
    [
        flow,
        lambda bad: flow("w", bad),
        lambda bad: create_workflow(id="w").map(lambda value: value, id=bad or "\0"),
        lambda bad: create_workflow(id="w").sleep(1, id=bad or "\0"),
        lambda bad: Mastra(workflows=[flow("w")], task_queue=bad),
        lambda bad: create_step(id="s", execute=lambda: 1, options={"task_queue": bad}),
    ],
    ids=["workflow", "step", "map", "sleep", "queue", "queue of a step"],
)
def test_what_temporal_cannot_take_is_refused_at_the_definition(define: Any, bad: Any):
    with pytest.raises(DefinitionError) as refusal:
        define(bad)
    str(refusal.value).encode()


@pytest.mark.parametrize("bad", BAD, ids=ascii)
async def test_a_run_id_or_resource_id_that_temporal_cannot_take_is_refused(stage: Stage, bad: Any):
    workflow = flow("plain")
    async with stage.worker(workflow):
        with pytest.raises(RunError, match="cannot be a run id"):
            await workflow.create_run(run_id=bad)
        if bad:
            with pytest.raises(RunError, match="cannot be a resource id"):
                await workflow.create_run(resource_id=bad)


def test_ids_that_are_too_long_together_are_refused():
    with pytest.raises(DefinitionError, match=r"too long together.* 1,001 bytes"):
        flow("w" * 500, "s" * 500)
    inner = flow("i" * 300, "s" * 300)
    middle = create_workflow(id="m" * 300).then(inner).commit()
    with pytest.raises(DefinitionError, match="too long together"):
        create_workflow(id="o").foreach(create_workflow(id="n" * 300).then(middle).commit()).commit()


async def test_ids_may_be_as_long_as_temporal_takes(stage: Stage):
    inner = flow("i" * 400, "é" * 200)
    workflow = create_workflow(id="w" * 1000).foreach(inner).commit()
    async with stage.worker(workflow):
        made = await workflow.create_run(run_id=f"{uuid.uuid4()}" + "r" * 964, resource_id="ö" * 500)
        assert (await within(made.start(input_data=[1, 2]))).result == [1, 2]
