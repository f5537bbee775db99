"""Read the state of a run from its recorded history, without a worker.

The interpreter is deterministic and the graph is recorded. So a replay of the history through the interpreter, without
any user code, yields exactly the state that the worker had.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.worker import (
    Replayer,
)

from mastra_temporal._client.rpc_errors import unconvertible
from mastra_temporal._compat.temporal import ReadingRunner
from mastra_temporal._protocol.graph import WorkflowGraph
from mastra_temporal._protocol.messages import StreamQuery, StreamReply
from mastra_temporal._protocol.results import WorkflowResult
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._tracing.headers import TracingHeader
from mastra_temporal._tracing.history import recorded_ids, recorded_trace
from mastra_temporal._worker.workflow.compiler import compile_workflow
from mastra_temporal._worker.workflow.scope import RunState, Scope
from mastra_temporal._worker.workflow.suspension import take_up
from mastra_temporal._worker.workflow.temporal_workflow import MastraWorkflow
from mastra_temporal.errors import MastraError, RunError

__all__ = [
    "RecordedRun",
    "failure_messages",
    "recorded_result",
    "recorded_run",
    "recorded_stream",
    "replay",
    "replay_failure",
    "replay_with",
]

T = TypeVar("T")

CANCEL_SECONDS = 1.0
"""How long a cancelled replay may take to end before it is cancelled again."""

OF_THE_CONVERTER = ("/temporalio/converter/", "Failed encoding completion")
"""Substrings of a replay failure that show that the client's data converter or codec failed."""


async def recorded_result(client: Client, run_id: str) -> WorkflowResult[Any]:
    """Return the result of a run with all recorded steps, even if the run did not end by itself.

    Args:
        client: The client.
        run_id: The run.
    """
    history = await client.get_workflow_handle(run_id).fetch_history()
    return (await replay(client, history, MastraWorkflow.snapshot)).model_copy(update=recorded_ids(history))


@dataclass(frozen=True)
class RecordedRun:
    """State of a run at the end of its history."""

    envelope: StartEnvelope
    """The arguments with which the execution was started."""
    graph: WorkflowGraph | None
    """The graph that the run follows. None if the run was closed before the graph was loaded."""
    run: RunState
    root: Scope | None
    """The scope of the started workflow. None if no step has begun."""
    resume_count: int
    """How often the run has been resumed."""
    trace: TracingHeader
    """The recorded tracing header, which the next execution continues."""

    @classmethod
    def of(cls, workflow: MastraWorkflow, trace: TracingHeader) -> RecordedRun:
        """Copy the state out of a replayed workflow.

        Args:
            workflow: The replayed workflow.
            trace: The recorded tracing header.
        """
        # Eviction from the cache changes the workflow's own objects after this call, so a deep copy is needed.
        run, root = copy.deepcopy((workflow.run_state, workflow.root))
        if root is not None:
            take_up(run, root)
        return cls(workflow.envelope, workflow.graph, run, root, workflow.resume_count, trace)


async def recorded_run(client: Client, run_id: str, execution: str | None = None) -> RecordedRun:
    """Return the state of a run at the end of its history.

    Args:
        client: The client.
        run_id: The run.
        execution: Temporal's run id of the execution; by default the newest one.

    Raises:
        DataConversionError: The client cannot read the recorded data.
        RunError: The replay failed for another reason.
    """
    history = await client.get_workflow_handle(run_id, run_id=execution).fetch_history()
    return await replay(client, history, lambda workflow: RecordedRun.of(workflow, recorded_trace(history)))


async def recorded_stream(client: Client, run_id: str, execution: str, query: StreamQuery) -> StreamReply:
    """Return the stream items of one execution, all in one reply.

    Args:
        client: The client.
        run_id: The run.
        execution: Temporal's run id of the execution.
        query: Which items to return.
    """
    if query.settled == 0:
        return StreamReply(end=query.offset)  # no workflow task has completed yet, so there is nothing to replay
    history = await client.get_workflow_handle(run_id, run_id=execution).fetch_history()
    return await replay(client, history, lambda workflow: workflow.stream.read(query, limit=None))


async def replay(client: Client, history: WorkflowHistory, read: Callable[[MastraWorkflow], T]) -> T:
    """Replay a history and read the workflow's state at its end.

    Args:
        client: The client whose data converter decodes the history.
        history: The history.
        read: Reads the state from the replayed workflow.

    Returns:
        What ``read`` returned.

    Raises:
        DataConversionError: The client cannot read the recorded data.
        RunError: The replay failed for another reason.
    """
    return await replay_with(client.data_converter, history, read)


async def replay_with(converter: DataConverter, history: WorkflowHistory, read: Callable[[MastraWorkflow], T]) -> T:
    """Do the same without a client, with the data converter that decodes the history."""
    seen: list[MastraWorkflow] = []

    class Observed(MastraWorkflow):
        def __init__(self, envelope: StartEnvelope) -> None:
            super().__init__(envelope)
            # Keep all items. A worker drops old ones, and readers would miss them.
            self.stream.retained = None
            seen.append(self)

    name = history.events[0].workflow_execution_started_event_attributes.workflow_type.name
    # Eviction from the cache cancels the workflow's tasks, which changes its state. So read the state just before.
    reading = ReadingRunner(lambda: read(seen[0]))
    replayer = Replayer(
        workflows=[compile_workflow(name, name, base=Observed)],
        data_converter=converter,
        unsandboxed_workflow_runner=reading,
    )
    prepared = WorkflowHistory(history.workflow_id, _with_pending_task(history.events))
    failure = await replay_failure(replayer, prepared)
    if failure is not None:
        raise _unreadable(history.workflow_id, failure)
    return reading.result()


async def replay_failure(replayer: Replayer, history: WorkflowHistory) -> str | None:
    """Replay a history, and return the text of its failure or None."""
    replaying = asyncio.ensure_future(replayer.replay_workflow(history, raise_on_replay_failure=False))
    try:
        replayed = await asyncio.shield(replaying)
    except asyncio.CancelledError:
        await _cancel(replaying)
        raise
    return None if replayed.replay_failure is None else str(replayed.replay_failure)


def failure_messages(failure: str) -> list[str]:
    """Return the messages in the text of a failed replay, from the outermost to the cause."""
    return [message for message in re.findall(r'message: "((?:[^"\\]|\\.)*)"', failure) if message]


async def _cancel(replaying: asyncio.Future[Any]) -> None:
    """Cancel a replay until it ends."""
    # `asyncio.run` cancels all tasks at its end, those inside the SDK's replayer as well. The replayer then waits in
    # vain for its worker, and the process would hang. Cancelled once more, it ends.
    while not replaying.done():
        replaying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait((replaying,), timeout=CANCEL_SECONDS)


def _unreadable(run_id: str, failure: str) -> MastraError:
    """Return the error for a failed replay. The SDK's text contains the message and stack of each cause."""
    said = [failure, *failure_messages(failure)][-1]
    if any(mark in failure for mark in OF_THE_CONVERTER):
        return unconvertible(f"run `{run_id}`", said)
    return RunError(f"run `{run_id}` cannot be read from its history: {said}")


def _with_pending_task(recorded: Iterable[HistoryEvent]) -> list[HistoryEvent]:
    """Return the history as the next worker would see it: with a started workflow task at its end.

    A replay applies events only in a workflow task. Without this task, it would leave out results that are recorded but
    were not yet processed by a worker.
    """
    events = list(recorded)
    # Drop the close event of a terminated or timed-out run: a replay would not run the workflow task after it.
    if events[-1].event_type in _ENDED_FROM_OUTSIDE:
        events.pop()
    last = next((event for event in reversed(events) if event.event_type in _TASK), events[0])
    if last.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED and last is not events[-1]:
        # The run was closed during this task, and the server then recorded the events that it had buffered behind it.
        # Remove the task: a started event must be the last one, otherwise the replay would miss the buffered events.
        events = _renumbered(event for event in events if event.event_id not in (last.event_id, last.event_id - 1))
        last = _scheduled_task(events)
        events.append(last)
    if last.event_type in _ENDED_TASK:
        last = _scheduled_task(events)
        events.append(last)
    if last.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
        started = _event(events, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED)
        started.workflow_task_started_event_attributes.scheduled_event_id = last.event_id
        events.append(started)
    return events


def _renumbered(events: Iterable[HistoryEvent]) -> list[HistoryEvent]:
    """Return copies of the events with consecutive ids, which the replayer expects."""
    copies: list[HistoryEvent] = []
    for number, event in enumerate(events, start=1):
        copied = HistoryEvent()
        copied.CopyFrom(event)
        copied.event_id = number
        copies.append(copied)
    return copies


def _scheduled_task(events: list[HistoryEvent]) -> HistoryEvent:
    """Return the event of a workflow task scheduled after the given events."""
    scheduled = _event(events, EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)
    scheduled.workflow_task_scheduled_event_attributes.attempt = 1
    return scheduled


def _event(events: list[HistoryEvent], kind: EventType.ValueType) -> HistoryEvent:
    """Return an event that follows the given events."""
    return HistoryEvent(event_id=events[-1].event_id + 1, event_time=events[-1].event_time, event_type=kind)


_ENDED_FROM_OUTSIDE = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
}
_ENDED_TASK = {EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED, EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT}
_TASK = _ENDED_TASK | {
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
}
