"""Schedules: declared on a workflow or made at run time, kept by Temporal, brought about by a worker's start."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec

from mastra_temporal import (
    DefinitionError,
    Mastra,
    ScheduleConfig,
    ScheduleError,
    SchemaValidationError,
    StepContext,
    WorkflowNotFoundError,
    create_workflow,
    run_worker,
    step,
)
from tests.support import Stage, until, within

pytestmark = pytest.mark.any_cache

NIGHTLY = "0 3 * * *"
EVERY_SECOND = "* * * * * *"


class Report(BaseModel):
    kind: str
    pages: int = 1


@step
async def write(report: Report, ctx: StepContext) -> dict[str, Any]:
    return {**report.model_dump(), "state": ctx.state, "tenant": ctx.request_context.get("tenant"), "run": ctx.run_id}


@pytest.fixture
def workflow_id() -> str:
    """Schedule ids follow from workflow ids, so every test has its own."""
    return f"report-{uuid.uuid4()}"


@pytest.fixture
async def app(stage: Stage, workflow_id: str) -> AsyncGenerator[Any]:
    """Makes the app as it is after a deploy with the given schedules; afterwards no schedule is left."""
    apps: list[Mastra] = []

    async def deployed(schedule: Any = None, *, client: Client | None = None) -> Mastra:
        workflow = create_workflow(id=workflow_id, input_schema=Report, schedule=schedule).then(write).commit()
        apps.append(Mastra(workflows=[workflow], task_queue=stage.task_queue))
        await apps[-1].connect(client or stage.client)
        return apps[-1]

    yield deployed
    for mastra in apps[-1:]:
        for schedule in await mastra.schedules.list(workflow_id=workflow_id):
            await mastra.schedules.delete(schedule.id)


@contextlib.asynccontextmanager
async def working(mastra: Mastra) -> AsyncGenerator[None]:
    worker = asyncio.create_task(run_worker(mastra))
    yield
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def listed(mastra: Mastra, *ids: str) -> None:
    """Wait until Temporal lists exactly these schedules of the app's workflow."""
    [workflow_id] = mastra.list_workflows()

    async def complete() -> bool:
        return {item.id for item in await mastra.schedules.list(workflow_id=workflow_id)} == set(ids)

    await until(complete)


@pytest.mark.parity(
    "createWorkflow({schedule})", "schedule: one", "schedule.cron", "schedule.inputData, initialState, requestContext"
)
async def test_a_worker_brings_a_declared_schedule_about_and_it_starts_runs(app: Any, workflow_id: str):
    mastra = await app(
        {
            "cron": EVERY_SECOND,
            "inputData": {"kind": "sales"},
            "initialState": {"seen": 1},
            "requestContext": {"tenant": "acme"},
        }
    )
    schedule_id = f"wf_{workflow_id}"

    async def fired() -> bool:
        schedule = await mastra.schedules.get(schedule_id)
        return schedule is not None and schedule.last_run_id is not None

    async with working(mastra):
        await until(fired)
        schedule = await mastra.schedules.get(schedule_id)
        assert schedule is not None
        assert schedule.last_run_id is not None
        await mastra.schedules.pause(schedule_id)
        run = await mastra.get_workflow(workflow_id).create_run(run_id=schedule.last_run_id)
        result = await within(run.restart())
    assert result.status == "success"
    assert result.run_id == run.run_id
    assert result.result == {
        "kind": "sales", "pages": 1, "state": {"seen": 1}, "tenant": "acme", "run": run.run_id
    }  # fmt: skip


@pytest.mark.parity("schedule: several", "schedule.id", "schedule.timezone", "schedule.metadata")
async def test_several_schedules_of_one_workflow(app: Any, workflow_id: str):
    mastra = await app(
        [
            {"id": "morning", "cron": "0 9 * * *", "timezone": "Europe/Berlin", "inputData": {"kind": "am"}},
            ScheduleConfig(id="late/night", cron="0 23 * * *", input_data={"kind": "pm"}, metadata={"owner": "ann"}),
        ]
    )
    report = await mastra.schedules.reconcile()
    assert report.created == [f"wf_{workflow_id}__morning", f"wf_{workflow_id}__late%2Fnight"]
    morning, night = [await mastra.schedules.get(schedule_id) for schedule_id in report.created]
    assert (morning.timezone, morning.input_data, morning.declared) == ("Europe/Berlin", {"kind": "am"}, True)
    assert morning.next_fire_at.hour in (7, 8)  # nine o'clock in Berlin
    assert (night.timezone, night.metadata, night.next_fire_at.hour) == ("UTC", {"owner": "ann"}, 23)


@pytest.mark.parity("schedule: redeploys keep what is unchanged, update what changed, delete what is gone")
async def test_deploys_update_what_changed_and_delete_what_is_gone(app: Any, workflow_id: str):
    morning: dict[str, Any] = {"id": "morning", "cron": "0 9 * * *", "input_data": {"kind": "am"}}
    evening: dict[str, Any] = {"id": "evening", "cron": "0 18 * * *", "input_data": {"kind": "pm"}}
    ids = [f"wf_{workflow_id}__morning", f"wf_{workflow_id}__evening"]
    before = await app([morning, evening])
    await before.schedules.reconcile()
    await before.schedules.pause(ids[0])
    await listed(before, *ids)

    same = await (await app([morning, evening])).schedules.reconcile()
    assert (same.created, same.updated, same.deleted) == ([], [], [])

    after = await app([{**morning, "cron": "30 9 * * *", "metadata": {"why": "later"}}])
    report = await after.schedules.reconcile()
    assert (report.created, report.updated, report.deleted) == ([], ids[:1], ids[1:])
    changed = await after.schedules.get(ids[0])
    assert (changed.cron, changed.metadata, changed.status) == ("30 9 * * *", {"why": "later"}, "paused")
    assert await after.schedules.get(ids[1]) is None


async def test_deploys_touch_nothing_that_another_app_or_a_person_made(app: Any, workflow_id: str, stage: Stage):
    mastra = await app({"cron": NIGHTLY, "input_data": {"kind": "x"}})
    made = await mastra.schedules.create(workflow_id=workflow_id, cron=NIGHTLY, input_data={"kind": "y"})
    foreign = f"wf_{uuid.uuid4()}"
    action = ScheduleActionStartWorkflow("other", id="other", task_queue="other")
    handle = await stage.client.create_schedule(foreign, Schedule(action=action, spec=ScheduleSpec()))
    elsewhere = Mastra(
        workflows=[
            create_workflow(id=f"{workflow_id}-2", schedule={"cron": NIGHTLY}).then(write).commit(),
        ],
        task_queue=f"{stage.task_queue}-2",
    )
    await elsewhere.connect(stage.client)
    await elsewhere.schedules.reconcile()
    await mastra.schedules.reconcile()
    await listed(mastra, f"wf_{workflow_id}", made.id)

    report = await (await app()).schedules.reconcile()
    assert report.deleted == [f"wf_{workflow_id}"]
    assert await mastra.schedules.get(made.id) is not None
    assert await elsewhere.schedules.get(f"wf_{workflow_id}-2") is not None
    assert await mastra.schedules.get(foreign) is None
    await mastra.schedules.delete(foreign)
    assert (await handle.describe()).id == foreign
    await handle.delete()
    await elsewhere.schedules.delete(f"wf_{workflow_id}-2")


async def test_a_declared_id_that_somebody_else_took_is_named(app: Any, workflow_id: str, stage: Stage):
    action = ScheduleActionStartWorkflow("other", id="other", task_queue="other")
    schedule_id = f"wf_{workflow_id}"
    handle = await stage.client.create_schedule(schedule_id, Schedule(action=action, spec=ScheduleSpec()))
    mastra = await app({"cron": NIGHTLY, "input_data": {"kind": "x"}})
    with pytest.raises(ScheduleError, match=f"Schedule `{schedule_id}`.*exists already and was not made by this"):
        await mastra.schedules.reconcile()
    await handle.delete()


@pytest.mark.parity(
    "mastra.schedules.create", "mastra.schedules.get", "mastra.schedules.list", "mastra.schedules.update",
    "mastra.schedules.pause", "mastra.schedules.resume", "mastra.schedules.delete",
)  # fmt: skip
async def test_a_schedule_made_at_run_time(app: Any, workflow_id: str):
    schedules = (await app()).schedules
    name = f"nightly-{uuid.uuid4()}"
    made = await schedules.create(
        workflow_id=workflow_id, cron=NIGHTLY, input_data=Report(kind="a"), status="paused", id=name
    )
    assert (made.id, made.status, made.declared, made.next_fire_at) == (f"schedule_{name}", "paused", False, None)
    assert made.input_data == {"kind": "a", "pages": 1}

    changed = await schedules.update(name, cron="0 4 * * *", metadata={"by": "ann"}, status="active")
    assert (changed.cron, changed.metadata, changed.status) == ("0 4 * * *", {"by": "ann"}, "active")
    assert changed.input_data == made.input_data
    assert changed.next_fire_at.hour == 4

    assert (await schedules.pause(name)).status == "paused"
    assert (await schedules.pause(name)).status == "paused"
    await until(lambda: _one(schedules.list(workflow_id=workflow_id, status="paused")))
    assert await schedules.list(workflow_id=workflow_id, status="active") == []
    assert (await schedules.resume(name)).status == "active"

    await schedules.delete(name)
    await schedules.delete(name)
    assert await schedules.get(name) is None


async def _one(listing: Any) -> bool:
    return len(await listing) == 1


@pytest.mark.parity("mastra.schedules.run")
async def test_run_now_starts_a_run_each_time_also_when_paused(app: Any, workflow_id: str):
    mastra = await app()
    schedule = await mastra.schedules.create(
        workflow_id=workflow_id, cron=NIGHTLY, input_data={"kind": "now"}, status="paused"
    )
    async with working(mastra):
        runs = await asyncio.gather(mastra.schedules.run(schedule.id), mastra.schedules.run(schedule.id))
        results = await asyncio.gather(*(within(run.restart()) for run in runs))
    assert {run.run_id for run in runs} == {result.result["run"] for result in results}
    assert len({run.run_id for run in runs}) == 2
    assert all(run.run_id.startswith(f"sched_{schedule.id}_") for run in runs)


class TestMistakes:
    async def test_of_a_schedule_made_at_run_time(self, app: Any, workflow_id: str):
        mastra = await app()
        with pytest.raises(DefinitionError, match='Invalid cron expression "soon": it has 1 fields, not 5 to 7'):
            await mastra.schedules.create(workflow_id=workflow_id, cron="soon")
        with pytest.raises(DefinitionError, match='Invalid timezone "Mars/Base"'):
            await mastra.schedules.create(workflow_id=workflow_id, cron=NIGHTLY, timezone="Mars/Base")
        with pytest.raises(WorkflowNotFoundError, match="Workflow with ID reprot not found"):
            await mastra.schedules.create(workflow_id="reprot", cron=NIGHTLY)
        with pytest.raises(SchemaValidationError, match="Invalid input data: \n- kind:"):
            await mastra.schedules.create(workflow_id=workflow_id, cron=NIGHTLY, input_data={})
        made = await mastra.schedules.create(workflow_id=workflow_id, cron=NIGHTLY, input_data={"kind": "a"})
        with pytest.raises(ScheduleError, match=f"Schedule `{made.id}` exists already"):
            await mastra.schedules.create(workflow_id=workflow_id, cron=NIGHTLY, input_data={"kind": "a"}, id=made.id)
        with pytest.raises(DefinitionError, match="Invalid cron expression"):
            await mastra.schedules.update(made.id, cron="61 * * * *")
        assert (await mastra.schedules.get(made.id)).cron == NIGHTLY

    async def test_an_unknown_id(self, app: Any):
        schedules = (await app()).schedules
        for call in (schedules.pause, schedules.resume, schedules.run, schedules.update):
            with pytest.raises(ScheduleError, match="There is no schedule `nightly`"):
                await call("nightly")

    async def test_a_declaration_is_changed_where_it_is(self, app: Any, workflow_id: str):
        mastra = await app({"cron": NIGHTLY, "input_data": {"kind": "a"}})
        await mastra.schedules.reconcile()
        with pytest.raises(ScheduleError, match=f"is declared by workflow `{workflow_id}`: change cron there"):
            await mastra.schedules.update(f"wf_{workflow_id}", cron="0 4 * * *")
        assert (await mastra.schedules.update(f"wf_{workflow_id}", status="paused")).status == "paused"
