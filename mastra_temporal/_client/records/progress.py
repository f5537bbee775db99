"""What a run is doing: its record, the attempts of each step, and what each open step waits for.

The record comes from the history. The server alone knows the attempts under way, so its description of the run is read
as well. Both need no worker.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus

from mastra_temporal._client.records.state import WorkflowState
from mastra_temporal._data.dates import shown_date
from mastra_temporal._protocol.keys import without_index
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import StepResult, StepStatus
from mastra_temporal._worker.workflow.suspension import suspend_data

__all__ = ["RunProgress", "StepProgress", "progress_of"]

MAX_TEXT = 200
"""The longest text of a payload or failure, in characters."""
_NUMBER = re.compile(r"#\d+")


class StepProgress(CamelModel):
    """What one step of a run is doing. Times are in milliseconds since the epoch."""

    step_id: str
    """The step, as in the record: ``parent.child`` for a step of a nested workflow."""
    status: StepStatus
    attempts: int = 0
    """How many attempts the step and its items have had, retries and restarts included. 0 for mappings, sleeps and
    nested workflows, and for steps that finished before the run continued as new."""
    started_at: int
    ended_at: int | None = None
    """The time of the end or of the suspension. None while the step is open."""
    waits_for: str | None = None
    """What an open step waits for, in words. None if it has ended."""


class RunProgress(CamelModel):
    """What a run is doing, from `Mastra.get_run_progress`."""

    run: WorkflowState
    """The record of the run."""
    task_queue: str
    """The task queue of the run."""
    steps: list[StepProgress]
    """The steps that have begun, in the order of the record."""
    waits_for: str | None = None
    """What the run itself waits for, in words. None if only its steps wait."""


async def progress_of(
    client: Client, description: WorkflowExecutionDescription, events: Sequence[HistoryEvent], state: WorkflowState
) -> RunProgress:
    """Return what a run is doing.

    Args:
        client: The client whose data converter reads the names of timers.
        description: Temporal's description of the run.
        events: The history of the execution that is described.
        state: The record of the run.
    """
    activities = [item for item in description.raw_description.pending_activities if _is_current(item)]
    waits = {**await _timers(client, events), **_pending(activities, description.task_queue), **_suspensions(state)}
    attempts = _attempts(events, description.raw_description.pending_activities)
    is_open = description.status == WorkflowExecutionStatus.RUNNING
    steps = [
        StepProgress(
            step_id=step_id,
            status=result.status,
            attempts=attempts[step_id],
            started_at=result.started_at,
            ended_at=result.ended_at or (result.suspended_at if result.status == "suspended" else None),
            waits_for=waits.get(step_id) if is_open and result.ended_at is None else None,
        )
        for step_id, result in (state.steps or {}).items()
    ]
    return RunProgress(
        run=state,
        task_queue=description.task_queue,
        steps=steps,
        waits_for=_of_the_run(description) if is_open else None,
    )


def _attempts(events: Iterable[HistoryEvent], pending: Iterable[PendingActivityInfo]) -> defaultdict[str, int]:
    """Return the number of attempts by step. A step is one activity for each item, iteration and restart."""
    names: dict[int, str] = {}
    counts: dict[int, int] = {}
    for event in events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            names[event.event_id] = event.activity_task_scheduled_event_attributes.activity_id
        elif event.HasField("activity_task_started_event_attributes"):
            started = event.activity_task_started_event_attributes
            counts[started.scheduled_event_id] = started.attempt
    # The server records the start of an attempt only when the activity ends.
    open_ones = {item.activity_id: item.attempt for item in pending}
    found: defaultdict[str, int] = defaultdict(int)
    for event_id, activity_id in names.items():
        found[_step_of(activity_id)] += counts.get(event_id) or open_ones.get(activity_id, 0)
    return found


def _step_of(activity_id: str) -> str:
    """Return the step in the record for an activity id, which also has the iteration, the item and the repetition."""
    return without_index(_NUMBER.sub("", activity_id))


def _is_current(item: PendingActivityInfo) -> bool:
    """Return whether a step waits for an activity. A restart has given up the ones that are being canceled."""
    return item.state != PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED


def _pending(activities: list[PendingActivityInfo], task_queue: str) -> dict[str, str]:
    """Return what running steps wait for."""
    return _joined(
        (_step_of(item.activity_id), _activity(item, item.activity_options.task_queue.name or task_queue))
        for item in activities
    )


def _activity(item: PendingActivityInfo, task_queue: str) -> str:
    failure = _short(item.last_failure.message) if item.HasField("last_failure") else ""
    after = f", after attempt {item.attempt - 1} failed: {failure}" if failure else ""
    if item.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED:
        return f"worker {item.last_worker_identity}, last heard {_clock(_last_beat(item))}{after}"
    if item.paused:
        return f"a person who unpauses it in Temporal{after}"
    if _utc(item.next_attempt_schedule_time) > datetime.now(timezone.utc):
        return f"its attempt {item.attempt} at {_clock(item.next_attempt_schedule_time)}{after}"
    return f"a worker of task queue {task_queue}{after}"


def _last_beat(item: PendingActivityInfo) -> Timestamp:
    return item.last_heartbeat_time if item.last_heartbeat_time.seconds else item.last_started_time


async def _timers(client: Client, events: Iterable[HistoryEvent]) -> dict[str, str]:
    """Return the deadlines of sleeps, by the name that the timer has in the Temporal UI."""
    timers: dict[int, HistoryEvent] = {}
    for event in events:
        if event.HasField("timer_started_event_attributes"):
            timers[event.event_id] = event
        elif event.HasField("timer_fired_event_attributes"):
            timers.pop(event.timer_fired_event_attributes.started_event_id, None)
        elif event.HasField("timer_canceled_event_attributes"):
            timers.pop(event.timer_canceled_event_attributes.started_event_id, None)
    found: dict[str, str] = {}
    for event in timers.values():
        if not event.user_metadata.HasField("summary"):
            continue
        [name] = await client.data_converter.decode([event.user_metadata.summary], [str])
        deadline = _utc(event.event_time) + event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        found[name] = f"the end of its sleep at {shown_date(deadline)}"
    return found


def _suspensions(state: WorkflowState) -> dict[str, str]:
    """Return what suspended steps wait for: the payload for a person, and the labels to answer with."""
    labels: defaultdict[str, list[str]] = defaultdict(list)
    for label, target in (state.resume_labels or {}).items():
        labels[str(target.get("stepId"))].append(label)
    steps = (state.steps or {}).items()
    return {
        step_id: _suspension(result, labels[step_id])
        for step_id, result in steps
        if result.status == "suspended" and not _contains_suspended(step_id, state)
    }


def _suspension(result: StepResult, labels: list[str]) -> str:
    payload = suspend_data(result)
    told = f": {_short(json.dumps(payload, ensure_ascii=False))}" if payload else ""
    shown = f", label {', '.join(sorted(labels))}" if labels else ""
    return f"resume{told}{shown}"


def _contains_suspended(step_id: str, state: WorkflowState) -> bool:
    """Return whether a step is a nested workflow with a suspended step inside, which is shown itself."""
    inside = ((key, result) for key, result in (state.steps or {}).items() if key.startswith(f"{step_id}."))
    return any(result.status == "suspended" for _, result in inside)


def _of_the_run(description: WorkflowExecutionDescription) -> str | None:
    """Return what the run waits for if it has a workflow task that no worker has completed."""
    raw = description.raw_description
    if not raw.HasField("pending_workflow_task"):
        return None
    task = raw.pending_workflow_task
    if task.attempt > 1:
        return f"a worker that can run its workflow task, which has been tried {task.attempt - 1} times"
    return None if task.started_time.seconds else f"a worker of task queue {description.task_queue}"


def _joined(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the texts by step. Items of a foreach beyond the first are counted."""
    by_step: defaultdict[str, list[str]] = defaultdict(list)
    for step_id, text in found:
        by_step[step_id].append(text)
    return {
        step_id: texts[0] if len(texts) == 1 else f"{texts[0]} (and {len(texts) - 1} more)"
        for step_id, texts in by_step.items()
    }


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1]}…"


def _utc(time: Timestamp) -> datetime:
    return time.ToDatetime(tzinfo=timezone.utc)


def _clock(time: Timestamp) -> str:
    return _utc(time).strftime("%H:%M:%S UTC")
