"""The events of a run for its stream: Mastra's events, in Mastra's order, in the `WorkflowStream` of the run.

The log is in the memory of the workflow, not in its history. A replay creates it again. Chunks that a step writes
arrive as signals. They precede the result of the step, because a step sends all its chunks before it completes.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.contrib.workflow_streams import PublishInput, WorkflowStream, WorkflowStreamState

from mastra_temporal._protocol.messages import StreamItem, StreamQuery, StreamReply
from mastra_temporal._protocol.names import STREAM_TOPIC
from mastra_temporal._protocol.results import NO_USAGE, StepResult, WorkflowResult
from mastra_temporal._worker.workflow.history_size import SIGNAL, HistorySize
from mastra_temporal._worker.workflow.scope import Progress, RunState, Scope

__all__ = ["Events", "RunStream", "StepEvents"]

MESSAGE = 1024 * 1024
"""Bytes of events in the answer to one query."""
RETAINED = 4 * 1024 * 1024
"""Bytes of events that a worker keeps for each run. Readers recreate older ones from the history."""

STEP_FIELDS = [
    (name, field.alias or name) for name, field in StepResult.model_fields.items() if name != "resume_labels"
]


class RunStream(WorkflowStream):
    """The event log of a run, with a bounded size in memory."""

    retained: int | None = RETAINED
    """Bytes of events that are kept. None keeps all."""

    def __init__(self, prior_state: WorkflowStreamState | None, history: HistorySize) -> None:
        """Create the log. Call this only in the ``__init__`` of a workflow.

        Args:
            prior_state: The value of `carried` from before the run continued as new.
            history: The count of this execution's history, which has the signals of the steps' chunks.
        """
        super().__init__(prior_state)
        self._history = history
        self._tasks: list[int] = []
        """For each item of the log, the history length in the workflow task that added it."""
        self._size = 0
        self._engine_events = self.topic(STREAM_TOPIC)

    @property
    def end(self) -> int:
        """The offset of the next event."""
        return self._base_offset + len(self._log)

    def append(self, event_type: str, payload: dict[str, Any]) -> None:
        """Add an event of the engine."""
        self._engine_events.publish({"type": event_type, "payload": payload})
        self._added()

    def read(self, query: StreamQuery, *, limit: int | None = MESSAGE) -> StreamReply:
        """Return the items of the log from an offset on, up to the last completed workflow task.

        Args:
            query: The first offset, and the last completed workflow task.
            limit: Bytes of items to return at most. At least one item is returned.
        """
        # Leave out items of the task in progress, which the worker has not completed. If the worker dies, the next one
        # may add them in another order, and a reader would see an event twice or miss one.
        end = self._base_offset + bisect_right(self._tasks, query.settled)
        reply, size = StreamReply(end=end), 0
        for offset in range(max(query.offset, self._base_offset), end):
            item = self._log[offset - self._base_offset]
            size += len(item.data.data)
            if limit is not None and size > limit and reply.items:
                break
            data = base64.b64encode(item.data.SerializeToString()).decode()
            reply.items.append(StreamItem(offset=offset, topic=item.topic, data=data))
        return reply

    def carried(self) -> WorkflowStreamState:
        """Return the state for a continue-as-new: the position of the log, without its items.

        The items can still be read from the history of the execution that ends.
        """
        state = self.get_state()
        state.log, state.base_offset = [], self.end
        return state

    def _on_publish(self, payload: PublishInput) -> None:
        super()._on_publish(payload)
        self._history.add(SIGNAL, sum(len(entry.data) for entry in payload.items))
        self._added()

    def _added(self) -> None:
        added = self._log[len(self._tasks) :]
        self._tasks += [workflow.info().get_current_history_length()] * len(added)
        self._size += sum(len(item.data.data) for item in added)
        dropped = 0
        while self.retained is not None and self._size > self.retained:
            self._size -= len(self._log[dropped].data.data)
            dropped += 1
        if dropped:
            self.truncate(self._base_offset + dropped)
            del self._tasks[:dropped]


class Events:
    """Publishes the events of the interpreter. This creates no commands and no events in the history."""

    def __init__(self, stream: RunStream, run: RunState) -> None:
        """Create the publisher of one run."""
        self._stream = stream
        self._run = run

    def begin(self, workflow_id: str) -> None:
        """Publish that the run starts or is resumed."""
        self._stream.append("workflow-start", {"workflowId": workflow_id})

    def finish(self, result: WorkflowResult[Any]) -> None:
        """Publish that the run has ended, or is suspended or paused."""
        payload: dict[str, Any] = {"workflowStatus": result.status, "metadata": {}, "output": {"usage": NO_USAGE}}
        if result.result is not None:
            payload["finalWorkflowResult"] = result.result
        if result.tripwire is not None:
            payload["tripwire"] = result.tripwire
        self._stream.append("workflow-finish", payload)

    def stopped(self, scope: Scope, status: str) -> None:
        """Publish that a workflow has stopped between two entries: ``canceled`` or ``paused``."""
        if not self._inside_foreach(scope):
            self._stream.append(f"workflow-{status}", {})

    def started(
        self, scope: Scope, progress: Progress, step_id: str, step: StepResult, *, called: bool = True
    ) -> StepEvents:
        """Publish that a step, mapping or foreach starts, unless that was published before a continue-as-new.

        Args:
            scope: The workflow of the step.
            progress: The progress of its entry.
            step_id: The ID of the step.
            step: Its result so far.
            called: Whether the events have a call ID. False for a foreach, which is not a call of a step.

        Returns:
            The publisher of the further events of the step.
        """
        again = step_id in progress.calls
        if not again:
            # `workflow.uuid4` is the same on every replay. Another ID would show readers a second call of the step.
            progress.calls[step_id] = str(workflow.uuid4()) if called else ""
        events = self.of(scope, step_id)
        call_id = {"stepCallId": progress.calls[step_id]} if called else {}
        events = StepEvents(events.stream, step_id, {**events.base, **call_id}, progress)
        if not again:
            events.publish("workflow-step-start", told(step))
        return events

    def of(self, scope: Scope, step_id: str) -> StepEvents:
        """Return the publisher of one step. Inside a foreach it publishes nothing: only the foreach has events."""
        return StepEvents(
            None if self._inside_foreach(scope) else self._stream, step_id, {"id": self._address(scope, step_id)}
        )

    def none(self) -> StepEvents:
        """Return a publisher that publishes nothing."""
        return StepEvents(None, "", {})

    def _address(self, scope: Scope, step_id: str) -> str:
        around = (self._run.scopes[scope.path[:depth]].workflow_id for depth in range(1, len(scope.path) + 1))
        return ".".join((*around, step_id))

    def _inside_foreach(self, scope: Scope) -> bool:
        return scope.run_id != self._run.run_id


@dataclass(frozen=True)
class StepEvents:
    """Publishes the events of one execution of a step."""

    stream: RunStream | None
    step_id: str
    base: dict[str, Any]
    progress: Progress | None = None

    def publish(self, event_type: str, payload: dict[str, Any]) -> None:
        """Publish an event of this step."""
        if self.stream is not None:
            self.stream.append(event_type, {**self.base, **payload})

    def ended(self, result: StepResult, *, only: Collection[str] | None = None) -> None:
        """Publish that the step has a result or is suspended. ``only`` names the fields to publish."""
        if result.status == "running":
            return  # the step continues in a new execution
        if self.progress is not None:
            self.progress.calls.pop(self.step_id, None)
        kind = "workflow-step-suspended" if result.status == "suspended" else "workflow-step-result"
        self.publish(kind, {name: value for name, value in told(result).items() if only is None or name in only})


def told(result: StepResult) -> dict[str, Any]:
    """Return the result of a step as an event shows it. The values are not copied: they are encoded at once."""
    return {alias: value for name, alias in STEP_FIELDS if (value := getattr(result, name)) is not None}
