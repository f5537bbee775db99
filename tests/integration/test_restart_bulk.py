"""Many runs at once: only those that lost their worker are restarted, and the report says what happened to each."""

import asyncio
import uuid
from typing import Any

import pytest

from mastra_temporal import Mastra, Run, StepContext, create_step, create_workflow
from mastra_temporal._client.recovery.liveness import worker_beats
from tests.support import Effects, Stage, scheduled, until, within

pytestmark = pytest.mark.any_cache

RUNS = 12


def fleet(effects: Effects) -> Any:
    """Runs that hang at their second step, the first time; one workflow of them wants to be left alone."""

    async def first(value: Any, ctx: StepContext) -> Any:
        effects.add(ctx.idempotency_key)
        return value

    async def hang(value: Any, ctx: StepContext) -> Any:
        if effects.add(ctx.idempotency_key) == 1 and value != "well":
            effects.add(f"hangs in {ctx.workflow_id}")
            await asyncio.sleep(600)
        await effects.opened("go")
        return value

    async def ask(value: Any, ctx: StepContext) -> Any:
        return await ctx.suspend({"why": "ask"})

    steps = create_step(id="first", execute=first), create_step(id="hang", execute=hang)
    fleet = create_workflow(id="fleet").then(steps[0]).then(steps[1]).commit()
    alone = create_workflow(id="alone", options={"auto_restart_active_runs": False}).then(steps[1]).commit()
    return [fleet, alone, create_workflow(id="asking").then(create_step(id="ask", execute=ask)).commit()]


async def begin(mastra: Mastra, workflow: str, value: Any) -> Run[Any]:
    run = await mastra.get_workflow(workflow).create_run(run_id=f"{workflow}-{uuid.uuid4()}")
    await run.start_async(input_data=value)
    return run


@pytest.mark.parity(
    "options.autoRestartActiveRuns", "restartAllActiveWorkflowRuns()", "mastra.restartAllActiveWorkflowRuns()"
)
async def test_orphaned_runs_are_restarted_and_all_others_left_alone(stage: Stage):
    mastra = await stage.app(fleet)
    worker = stage.worker_process(fleet)
    orphaned = [await begin(mastra, "fleet", number) for number in range(RUNS)]
    opted_out = await begin(mastra, "alone", 1)
    suspended = await mastra.get_workflow("asking").create_run()
    assert (await within(suspended.start())).status == "suspended"
    await stage.effects.seen("hangs in fleet", RUNS)
    await stage.effects.seen("hangs in alone")
    worker.kill()
    stage.worker_process(fleet)
    well = await begin(mastra, "fleet", "well")
    await stage.effects.seen(f"{well.run_id}/hang")

    async def listed() -> bool:
        query = f"TaskQueue = '{stage.task_queue}' AND ExecutionStatus = 'Running'"
        return (await stage.client.count_workflows(query)).count == RUNS + 3

    await until(listed)
    # Two processes may have the same idea at the same time.
    reports = await within(asyncio.gather(*(mastra.restart_all_active_workflow_runs() for _ in range(2))))
    for report in reports:
        how = {item.run_id: (item.how, item.why) for item in report.runs}
        assert len(how) == RUNS + 3
        assert how[opted_out.run_id] == ("skipped", "auto_restart_active_runs is False")
        assert how[suspended.run_id] == ("skipped", "it is suspended")
        assert how[well.run_id] == ("attached", "its steps are alive")
        assert not report.failed
    restarted = {item.run_id for report in reports for item in report.restarted}
    assert restarted == {run.run_id for run in orphaned}
    stage.effects.open("go")  # only now can any run end: both calls returned before
    for report in reports:
        results = await within(report.wait())
        assert {results[run.run_id].result for run in orphaned} == set(range(RUNS))
        assert results[well.run_id].result == "well"
    counts = stage.effects.counts()
    assert all((counts[f"{run.run_id}/first"], counts[f"{run.run_id}/hang"]) == (1, 2) for run in orphaned)
    assert counts[f"{opted_out.run_id}/hang"] == counts[f"{well.run_id}/hang"] == 1
    assert await scheduled(stage.client, orphaned[0].run_id) == {"fleet.first": 1, "fleet.hang": 2}
    # Asked of the workflow itself, its runs are restarted all the same.
    [own] = (await within(mastra.get_workflow("alone").restart_all_active_workflow_runs())).runs
    assert (own.run_id, own.how) == (opted_out.run_id, "restarted")
    assert (await within(opted_out.join())).status == "success"


async def test_without_a_worker_the_report_says_so(stage: Stage):
    mastra = await stage.app(fleet)
    worker = stage.worker_process(fleet)
    run = await begin(mastra, "fleet", 1)
    await stage.effects.seen("hangs in fleet")

    async def beats() -> bool:
        return bool(await worker_beats(stage.client, f"TaskQueue = '{stage.task_queue}'"))

    await until(beats)  # of a worker that never did, the server only knows that it polled within the last minute
    worker.kill()

    async def listed() -> bool:
        return (await stage.client.count_workflows(f"TaskQueue = '{stage.task_queue}'")).count == 1

    await until(listed)
    [failed] = (await within(mastra.restart_all_active_workflow_runs())).failed
    assert failed.run_id == run.run_id
    assert f"no worker polls the task queue `{stage.task_queue}`" in failed.why
