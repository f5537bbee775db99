"""What must hold for every run, judged by the journal of the steps and by the exported history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from mastra_temporal import WorkflowResult
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._protocol.step_calls import StepCall, StepOutcome
from tests.chaos.disasters import Lives
from tests.chaos.journal import Attempt

Place = tuple[int, int]
"""The number of an execution of the run, and the id of an event in its history."""

CLOCKS = 0.005
"""Seconds by which times that two processes wrote may differ."""
HEARS = 3.0
"""Seconds after its return at which a worker has told its steps that they are lost: a second, if it is not busy."""


def faults(
    result: WorkflowResult[Any],
    expected: WorkflowResult[Any],
    history: RunHistory,
    attempts: dict[str, list[Attempt]],
    lives: Lives,
    *,
    forced: bool,
    terminated: bool,
) -> list[str]:
    """What is wrong with a run; nothing, if all is well."""
    found: list[str] = []
    if (result.status, result.result, result.state) != (expected.status, expected.result, expected.state):
        found.append(f"result {result.status} {result.result} {result.error}, undisturbed {expected.result}")
    if outputs(result) != outputs(expected):
        found.append(f"steps {outputs(result)}, undisturbed {outputs(expected)}")
    prefix = f"{result.run_id}/"
    for key in sorted({*history.keys.values(), *(key for key in attempts if key.startswith(prefix))}):
        own = attempts.get(key, [])
        activities = [place for place, of in history.keys.items() if of == key]
        completed = [history.completions[place] for place in activities if place in history.completions]
        if sum(completion.asks for completion in completed) > 1:
            found.append(f"{key} asked again what it had been told")
        finished = [completion for completion in completed if not completion.asks]
        if not finished:
            found.append(f"{key} has no completion")
            continue
        if not any("end" in attempt.events for attempt in own):
            found.append(f"{key} is in the result, but it has no effect")
        last = finished[0]
        if any(place > last.place for place in activities):
            found.append(f"{key} was scheduled after it had finished")
        found += [
            f"{key} was started {attempt.began - last.at:.3f} s after it had finished: {lives.of(attempt.pid)}"
            for attempt in own
            if attempt.began - last.at > CLOCKS
        ]
        if not forced:
            found += [f"two attempts of {key} {words}" for words in overlaps(own, lives, terminated)]
    return found


def overlaps(attempts: list[Attempt], lives: Lives, terminated: bool) -> list[str]:
    """The attempts of one step that ran at the same time, where one of the two could hear that it was lost."""
    found: list[str] = []
    for attempt, following in pairwise(attempts):
        overlap = attempt.over_at(lives.killed) - following.began
        excused = is_deaf(attempt, following, lives, terminated) or is_deaf(following, attempt, lives, terminated)
        if overlap > CLOCKS and not excused:
            befell = {pid: lives.of(pid) for pid in (attempt.pid, following.pid)}
            found.append(f"overlapped for {overlap:.3f} s: {attempts}; the workers of the two: {befell}")
    return found


def is_deaf(lost: Attempt, other: Attempt, lives: Lives, terminated: bool) -> bool:
    """Whether an attempt could not hear that it was lost when another one began, and ended when it could.

    A blocked worker is alive, so its steps are not to be repeated. Only those of a terminated run are: its record is
    closed, and nobody can ask there who is alive.
    """
    times = lives.absent.get(lost.pid, []) + (lives.blocked.get(lost.pid, []) if terminated else [])
    over = lost.over_at(lives.killed)
    return any(since <= other.began <= until + HEARS and over <= until + HEARS for since, until in times)


def outputs(result: WorkflowResult[Any]) -> dict[str, Any]:
    return {name: (step.status, step.output) for name, step in result.steps.items()}


@dataclass(frozen=True)
class Completion:
    """A recorded result of a step that counts."""

    place: Place
    at: float
    asks: bool
    """The step is suspended: it runs again when it is resumed."""


@dataclass
class RunHistory:
    """The exported histories of a run: a new one begins where the run goes on in another execution."""

    keys: dict[Place, str] = field(default_factory=dict)
    """The idempotency keys of the steps that were scheduled, by the place of the event."""
    completions: dict[Place, Completion] = field(default_factory=dict)
    """By the place of the event that scheduled the activity.

    An attempt that had been given up may complete later: that is nobody's result.
    """

    async def add(self, client: Client, run_id: str, execution: int, events: Sequence[HistoryEvent]) -> None:
        given_up = {
            event.activity_task_cancel_requested_event_attributes.scheduled_event_id: event.event_id
            for event in events
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED
        }
        for event in events:
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                scheduled = event.activity_task_scheduled_event_attributes
                if not scheduled.activity_type.name.startswith("mastra."):
                    [call] = await client.data_converter.decode(scheduled.input.payloads, [StepCall])
                    self.keys[execution, event.event_id] = call.key(run_id, scheduled.activity_id)
            elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                completed = event.activity_task_completed_event_attributes
                of = execution, completed.scheduled_event_id
                if of in self.keys and given_up.get(of[1], event.event_id) >= event.event_id:
                    [outcome] = await client.data_converter.decode(completed.result.payloads, [StepOutcome])
                    at = event.event_time.ToMicroseconds() / 1e6
                    place = execution, event.event_id
                    self.completions[of] = Completion(place, at, asks=outcome.status == "suspended")


async def recorded(client: Client, run_id: str) -> RunHistory:
    """Read a run's histories, from its newest execution back to the first."""
    executions: list[Sequence[HistoryEvent]] = []
    execution: str | None = None
    while True:
        events = (await client.get_workflow_handle(run_id, run_id=execution).fetch_history()).events
        executions.insert(0, events)
        started = events[0].workflow_execution_started_event_attributes
        [envelope] = await client.data_converter.decode(started.input.payloads, [StartEnvelope])
        execution = None if envelope.snapshot is None else envelope.snapshot.continued_from
        if execution is None:
            break
    history = RunHistory()
    for number, events in enumerate(executions):
        await history.add(client, run_id, number, events)
    return history
