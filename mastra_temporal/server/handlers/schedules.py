"""Handlers for schedules and for the runs that they started."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from typing import Any

from mastra_temporal import MastraError, ScheduleRecord, WorkflowRun
from mastra_temporal.server.answers import (
    RunSummary,
    ScheduleFired,
    ScheduleList,
    ScheduleTrigger,
    ScheduleTriggers,
    ScheduleView,
)
from mastra_temporal.server.errors import HttpError
from mastra_temporal.server.handlers.finding import FOREIGN
from mastra_temporal.server.models import CreateScheduleBody, Message, SchedulesQuery, TriggersQuery, UpdateScheduleBody
from mastra_temporal.server.route import Call
from mastra_temporal.server.security import without_reserved

__all__ = [
    "create_schedule",
    "delete_schedule",
    "get_schedule",
    "list_schedules",
    "list_triggers",
    "pause_schedule",
    "resume_schedule",
    "run_schedule",
    "update_schedule",
]

ENDED = ("success", "failed", "canceled", "tripwire")
DEFAULT_TRIGGERS = 50


async def list_schedules(call: Call) -> ScheduleList:
    """List the schedules of workflows. A filter by agent, thread, name or resource matches none."""
    query: SchedulesQuery = call.query
    if query.agent_id or query.thread_id or query.name or query.resource_id:
        return ScheduleList(schedules=[])
    found = await call.mastra.schedules.list(workflow_id=query.workflow_id, status=query.status)
    return ScheduleList(schedules=[await _view(call, record) for record in found])


async def get_schedule(call: Call) -> ScheduleView:
    """Return a schedule."""
    return await _view(call, await _existing(call))


async def create_schedule(call: Call) -> ScheduleView:
    """Create a schedule."""
    _require_unconfined(call)
    body: CreateScheduleBody = call.body
    given = body.model_dump(exclude_none=True)
    if body.workflow_id not in call.mastra.list_workflows():
        raise HttpError(404, f'Workflow "{body.workflow_id}" not found')
    record = await call.mastra.schedules.create(**_with_safe_context(given))
    return await _view(call, record)


async def update_schedule(call: Call) -> ScheduleView:
    """Change a schedule."""
    _require_unconfined(call)
    record = await _existing(call)
    body: UpdateScheduleBody = call.body
    changes = _with_safe_context(body.model_dump(exclude_unset=True))
    return await _view(call, await call.mastra.schedules.update(record.id, **changes))


async def delete_schedule(call: Call) -> Message:
    """Delete a schedule. Its runs continue."""
    _require_unconfined(call)
    await call.mastra.schedules.delete((await _existing(call)).id)
    return Message(message="Schedule deleted")


async def pause_schedule(call: Call) -> ScheduleView:
    """Pause a schedule. It starts no runs until it is resumed."""
    _require_unconfined(call)
    return await _view(call, await call.mastra.schedules.pause((await _existing(call)).id))


async def resume_schedule(call: Call) -> ScheduleView:
    """Resume a schedule. It continues with its next time after now."""
    _require_unconfined(call)
    return await _view(call, await call.mastra.schedules.resume((await _existing(call)).id))


async def run_schedule(call: Call) -> ScheduleFired:
    """Start a run of a schedule now, in addition to the scheduled ones."""
    _require_unconfined(call)
    record = await _existing(call)
    run = await call.mastra.schedules.run(record.id)
    return ScheduleFired(schedule_id=record.id, claim_id=run.run_id, scheduled_fire_at=round(time.time() * 1000))


async def list_triggers(call: Call) -> ScheduleTriggers:
    """List the runs that a schedule started, the newest first."""
    query: TriggersQuery = call.query
    record = await _existing(call)
    workflow = call.mastra.list_workflows().get(record.workflow_id)
    if workflow is None:
        return ScheduleTriggers(triggers=[])
    found = await workflow.list_workflow_runs(
        from_date=_date(query.from_actual_fire_at), to_date=_date(query.to_actual_fire_at)
    )
    # The run ids end with the time: in ISO format if Temporal started the run, as a number if `run` did. A search by
    # the prefix alone would also find the runs of a schedule whose id begins with this one's.
    own = re.compile(rf"sched_{re.escape(record.id)}(-\d{{4}}-\d\d-\d\dT[\d:.]+Z|_\d+)")
    runs = [run for run in found.runs if own.fullmatch(run.run_id)]
    return ScheduleTriggers(triggers=[_trigger(record, run) for run in runs[: query.limit or DEFAULT_TRIGGERS]])


async def _existing(call: Call) -> ScheduleRecord:
    record = await call.mastra.schedules.get(call.path["scheduleId"])
    if record is None:
        raise HttpError(404, "Schedule not found")
    return record


def _require_unconfined(call: Call) -> None:
    """Refuse a caller that is restricted to a resource, because schedules belong to no resource.

    Raises:
        HttpError: 403, the caller is restricted to a resource.
    """
    if call.caller.resource_id is not None:
        raise HttpError(403, FOREIGN.replace("workflow run", "schedule"))


def _with_safe_context(given: dict[str, Any]) -> dict[str, Any]:
    context = given.get("request_context")
    return {**given, "request_context": without_reserved(context)} if context else given


async def _view(call: Call, record: ScheduleRecord) -> ScheduleView:
    described = await call.mastra.client.get_schedule_handle(record.id).describe()
    created = _milliseconds(described.info.created_at)
    return ScheduleView(
        id=record.id,
        workflow_id=record.workflow_id,
        cron=record.cron,
        timezone=record.timezone,
        status=record.status,
        next_fire_at=_milliseconds(record.next_fire_at) or 0,
        last_fire_at=_milliseconds(record.last_fire_at),
        last_run_id=record.last_run_id,
        last_run=await _last_run(call, record),
        input_data=record.input_data,
        initial_state=record.initial_state,
        request_context=record.request_context,
        metadata=record.metadata,
        created_at=created or 0,
        updated_at=_milliseconds(described.info.last_updated_at) or created or 0,
    )


async def _last_run(call: Call, record: ScheduleRecord) -> RunSummary | None:
    workflow = call.mastra.list_workflows().get(record.workflow_id)
    if workflow is None or record.last_run_id is None:
        return None
    try:
        state = await workflow.get_workflow_run_by_id(record.last_run_id, fields=(), with_nested_workflows=False)
    except MastraError:  # the schedule is shown even if the record of its last run cannot be read
        return None
    return None if state is None else _summary(state.status, state.created_at, state.updated_at)


def _trigger(record: ScheduleRecord, run: WorkflowRun) -> ScheduleTrigger:
    at = _milliseconds(run.created_at) or 0
    return ScheduleTrigger(
        id=run.run_id,
        schedule_id=record.id,
        run_id=run.run_id,
        scheduled_fire_at=at,
        actual_fire_at=at,
        trigger_kind="schedule-fire" if run.run_id.endswith("Z") else "manual",
        run=_summary(run.status, run.created_at, run.updated_at),
    )


def _summary(status: Any, started: datetime, updated: datetime) -> RunSummary:
    begin, end = _milliseconds(started) or 0, _milliseconds(updated) or 0
    if status not in ENDED:
        return RunSummary(status=status, started_at=begin)
    return RunSummary(status=status, started_at=begin, completed_at=end, duration_ms=end - begin)


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)


def _date(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
