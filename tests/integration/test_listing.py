"""Finding runs: by status, resource and date, in pages."""

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mastra_temporal import Mastra, RunError, StepContext, TripWire, WorkflowRuns, create_step, create_workflow
from mastra_temporal.testing import worker_for
from tests.integration.test_callers_encoding import Locked, with_codec
from tests.support import Stage, run, until, within


async def act(what: str, ctx: StepContext) -> Any:
    if what == "fail":
        raise ValueError("asked to")
    if what == "trip":
        raise TripWire("asked to")
    if what == "suspend" and ctx.resume_data is None:
        return await ctx.suspend({})
    return what


def listed(stage: Stage) -> Any:
    async def hang(what: str, ctx: StepContext) -> str:
        if what == "hang":
            stage.effects.add(ctx.run_id)
            await ctx.abort_signal.wait()
        return what

    return (
        create_workflow(id="listed")
        .then(create_step(id="act", execute=act))
        .then(create_step(id="hang", execute=hang))
        .sleep(lambda what: 3_600_000 if what == "sleep" else 0)
        .commit()
    )


async def seen(workflow: Any, total: int, **wanted: Any) -> WorkflowRuns:
    """The list, once the server's visibility has caught up."""
    found: list[WorkflowRuns] = []

    async def complete() -> bool:
        found.append(await workflow.list_workflow_runs(**wanted))
        return found[-1].total == total

    await until(complete)
    return found[-1]


async def started(workflow: Any, what: str, resource_id: str | None = None) -> str:
    run_ = await workflow.create_run(resource_id=resource_id)
    await run_.start_async(input_data=what)

    async def settled() -> bool:
        return await run_.fetch_status() == {"sleep": "waiting", "hang": "running"}.get(what, "")

    await until(settled)
    return run_.run_id


@pytest.mark.parity("listWorkflowRuns()", "listActiveWorkflowRuns()", "mastra.listActiveWorkflowRuns()")
async def test_every_status_is_found_and_exact(stage: Stage):
    workflow = listed(stage)
    async with stage.worker(workflow, graceful_shutdown_timeout=timedelta(milliseconds=1)) as mastra:
        ids = {what: (await run(workflow, input_data=what)).run_id for what in ("ok", "fail", "trip", "suspend")}
        ids |= {what: await started(workflow, what) for what in ("sleep", "hang")}
        canceled = await workflow.create_run()
        await canceled.start_async(input_data="sleep")
        await canceled.cancel()
        ids["cancel"] = canceled.run_id
        await stage.effects.seen(ids["hang"])
        await seen(workflow, 7)
        statuses: dict[str, str] = {
            "ok": "success",
            "fail": "failed",
            "trip": "tripwire",
            "suspend": "suspended",
            "sleep": "waiting",
            "hang": "running",
            "cancel": "canceled",
        }
        for what, status in statuses.items():
            found = await seen(workflow, 1, status=status)
            assert [(each.run_id, each.status) for each in found.runs] == [(ids[what], status)]
        every = (await workflow.list_workflow_runs()).runs
        assert {each.run_id: each.status for each in every} == {ids[what]: status for what, status in statuses.items()}
        active = await mastra.list_active_workflow_runs()
        assert {each.run_id for each in active.runs} == {ids["sleep"], ids["hang"]}
    # Without any worker the answers are the same.
    active = await workflow.list_active_workflow_runs()
    assert {each.run_id: each.status for each in active.runs} == {ids["sleep"]: "waiting", ids["hang"]: "running"}
    both = await workflow.list_workflow_runs(status=["suspended", "canceled"])
    assert {each.run_id for each in both.runs} == {ids["suspend"], ids["cancel"]}


@pytest.mark.parity("listWorkflowRuns({status, resourceId, fromDate, toDate, page, perPage})")
async def test_resources_dates_and_pages(stage: Stage):
    workflow = listed(stage)
    began = datetime.now(timezone.utc)
    async with stage.worker(workflow) as mastra:
        ids: list[str] = []
        for number in range(7):
            run_ = await workflow.create_run(resource_id="ann" if number % 2 else "it's \\ bob")
            await within(run_.start(input_data="ok"))
            ids.insert(0, run_.run_id)
        every = await seen(workflow, 7)
        assert [each.run_id for each in every.runs] == ids
        pages = [await workflow.list_workflow_runs(page=page, per_page=3) for page in range(4)]
        assert [[each.run_id for each in page.runs] for page in pages] == [ids[:3], ids[3:6], ids[6:], []]
        assert {page.total for page in pages} == {7}
        assert (await workflow.list_workflow_runs(page=1)).runs == every.runs
        ann = await workflow.list_workflow_runs(resource_id="ann", page=0, per_page=2)
        assert ([each.run_id for each in ann.runs], ann.total) == (ids[1:5:2], 3)
        assert (await workflow.list_workflow_runs(resource_id="it's \\ bob")).total == 4
        third = every.runs[2].created_at
        assert [r.run_id for r in (await workflow.list_workflow_runs(from_date=third)).runs] == ids[:3]
        assert [r.run_id for r in (await workflow.list_workflow_runs(to_date=third)).runs] == ids[2:]
        assert (await workflow.list_workflow_runs(to_date=began.replace(tzinfo=None))).total == 0
        assert every.runs[0].resource_id == "it's \\ bob"
        assert set(every.model_dump(by_alias=True)["runs"][0]) == {
            *("workflowName", "runId", "resourceId", "status", "createdAt", "updatedAt")
        }
        assert (await mastra.list_active_workflow_runs()).total == 0


async def test_a_run_started_anew_is_listed_once_as_it_is_now(stage: Stage):
    fixed = asyncio.Event()

    async def flaky(value: int) -> int:
        if not fixed.is_set():
            raise ValueError("not yet")
        return value

    workflow = create_workflow(id="anew").then(create_step(id="flaky", execute=flaky)).commit()
    async with stage.worker(workflow):
        run_ = await workflow.create_run()
        await within(run_.start(input_data=1))
        fixed.set()
        await within(run_.start(input_data=1))

        async def found() -> bool:
            return [(each.run_id, each.status) for each in (await workflow.list_workflow_runs()).runs] == [
                (run_.run_id, "success")
            ]

        await until(found)
        assert (await workflow.list_workflow_runs(status="failed")).total == 0


async def test_runs_of_another_task_queue_are_another_applications(stage: Stage):
    workflow, same = listed(stage), listed(stage)
    await Mastra(workflows=[same], task_queue=f"{stage.task_queue}-other").connect(stage.client)
    async with stage.worker(workflow):
        await run(workflow, input_data="ok")
        await seen(workflow, 1)
        assert (await same.list_workflow_runs()).total == 0


async def test_bad_filters(stage: Stage):
    workflow = listed(stage)
    await Mastra(workflows=[workflow], task_queue=stage.task_queue).connect(stage.client)
    with pytest.raises(RunError, match="page must be >= 0"):
        await workflow.list_workflow_runs(page=-1, per_page=1)
    with pytest.raises(RunError, match="perPage must be >= 0"):
        await workflow.list_workflow_runs(page=0, per_page=-1)
    with pytest.raises(RunError, match="no status `done`: use one of pending, running"):
        await workflow.list_workflow_runs(status="done")


async def test_a_run_that_the_client_cannot_read_is_listed_with_what_it_can(stage: Stage, caplog: Any):
    locked = Mastra(workflows=[listed(stage)], task_queue=stage.task_queue)
    await locked.connect(with_codec(stage.client, Locked()))
    plain = listed(stage)
    async with worker_for(locked, locked.client):
        ended = await locked.get_workflow("listed").create_run(resource_id="ann")
        await within(ended.start(input_data="a"))
    reader = Mastra(workflows=[plain], task_queue=stage.task_queue)
    await reader.connect(stage.client)
    for found in (await seen(plain, 1), await reader.list_workflow_runs(task_queue=stage.task_queue)):
        assert [(each.run_id, each.status, each.resource_id) for each in found.runs] == [
            (ended.run_id, "success", None)
        ]
    assert f"Run `{ended.run_id}` is listed without its resource" in caplog.text
