"""What must hold for every run, judged by the journal of the steps and by the exported history."""

from collections.abc import Sequence
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from mastra_temporal import WorkflowResult
from mastra_temporal.wire import StepCall
from tests.chaos.journal import Attempt

CLOCKS = 0.005
"""Seconds by which times that two processes wrote may differ."""


async def faults(
    client: Client,
    result: WorkflowResult[Any],
    expected: WorkflowResult[Any],
    history: Sequence[HistoryEvent],
    attempts: dict[str, list[Attempt]],
    killed: dict[int, float],
    *,
    forced: bool,
) -> list[str]:
    """What is wrong with a run; nothing, if all is well."""
    found: list[str] = []
    if (result.status, result.result, result.state) != (expected.status, expected.result, expected.state):
        found.append(f"result {result.status} {result.result} {result.error}, undisturbed {expected.result}")
    if outputs(result) != outputs(expected):
        found.append(f"steps {outputs(result)}, undisturbed {outputs(expected)}")
    scheduled = await keys_by_event(client, history)
    completed = completions(history)
    prefix = f"{result.run_id}/"
    for key in sorted({*scheduled.values(), *(key for key in attempts if key.startswith(prefix))}):
        own = attempts.get(key, [])
        activities = [event_id for event_id, of in scheduled.items() if of == key]
        finished = [completed[event_id] for event_id in activities if event_id in completed]
        if not finished:
            found.append(f"{key} has no completion")
            continue
        if not any("end" in attempt.events for attempt in own):
            found.append(f"{key} is in the result, but it has no effect")
        last = finished[0]
        if any(event_id > last.event_id for event_id in activities):
            found.append(f"{key} was scheduled after it had finished")
        late = [attempt.began - last.event_time.ToMicroseconds() / 1e6 for attempt in own]
        if max(late, default=0) > CLOCKS:
            found.append(f"{key} was started {max(late):.3f} s after it had finished")
        for position, attempt in enumerate(own[:-1]):
            overlap = attempt.over_at(killed) - own[position + 1].began
            if overlap > CLOCKS and not forced:
                found.append(f"two attempts of {key} overlapped for {overlap:.3f} s: {own}")
    return found


def outputs(result: WorkflowResult[Any]) -> dict[str, Any]:
    return {name: (step.status, step.output) for name, step in result.steps.items()}


async def keys_by_event(client: Client, history: Sequence[HistoryEvent]) -> dict[int, str]:
    """The idempotency keys of the steps that were scheduled, by the id of the event."""
    found: dict[int, str] = {}
    for event in history:
        scheduled = event.activity_task_scheduled_event_attributes
        name = scheduled.activity_type.name
        if event.event_type != EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED or name.startswith("mastra."):
            continue
        [call] = await client.data_converter.decode(scheduled.input.payloads, [StepCall])
        found[event.event_id] = call.idempotency_key
    return found


def completions(history: Sequence[HistoryEvent]) -> dict[int, HistoryEvent]:
    """The completions that count, by the id of the event that scheduled the activity.

    An attempt that had been given up may complete later: that is nobody's result.
    """
    given_up = {
        event.activity_task_cancel_requested_event_attributes.scheduled_event_id: event.event_id
        for event in history
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED
    }
    found: dict[int, HistoryEvent] = {}
    for event in history:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            scheduled = event.activity_task_completed_event_attributes.scheduled_event_id
            if given_up.get(scheduled, event.event_id) >= event.event_id:
                found[scheduled] = event
    return found
