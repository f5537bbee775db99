"""Read the events of one execution of a run: by query of its worker, or by replay of its history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.busy import unhurried
from mastra_temporal._client.replay import recorded_stream
from mastra_temporal._protocol.messages import StreamQuery, StreamReply
from mastra_temporal._protocol.names import QUERY_STREAM

__all__ = ["Execution", "ExecutionReader", "News", "current_execution"]

QUERY_TIMEOUT = timedelta(seconds=2)
"""Timeout of a query. After it, the events are rebuilt from the history."""
UNANSWERED = (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError)
"""Errors of a query after which the events are rebuilt from the history."""
BEHIND_ALL = 2**53 - 1
"""An offset that no event has."""
CLOSED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
}
"""Types of close events."""


@dataclass(frozen=True)
class Execution:
    """The execution of a run, or the chain of executions linked by continue-as-new."""

    first: str
    """Temporal's run id of the first execution of the chain."""
    last: str
    """Temporal's run id of the last execution of the chain."""
    status: WorkflowExecutionStatus | None
    """Status of the last execution."""


async def current_execution(client: Client, run_id: str) -> Execution | None:
    """Return the latest execution of a run, or None if there is no such run."""
    try:
        description = await client.get_workflow_handle(run_id).describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return None
    first = description.raw_description.workflow_execution_info.first_run_id
    return Execution(first, description.run_id, description.status)


@dataclass(frozen=True)
class News:
    """What a part of the history says about the events that can be read."""

    settled: int
    """Started event id of the last completed workflow task, or 0. Events of later tasks are not final: if such a task
    fails and runs again, its events may be others, and a reader would have seen wrong ones."""
    closing: HistoryEvent | None
    """The close event, if the execution is closed."""

    @classmethod
    def of(cls, events: Iterable[HistoryEvent]) -> News:
        """Return the news in some consecutive events of a history."""
        settled, last = 0, None
        for last in events:
            if last.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                settled = last.workflow_task_completed_event_attributes.started_event_id
        return cls(settled, last if last is not None and last.event_type in CLOSED else None)


@dataclass(frozen=True)
class ExecutionReader:
    """Reads one execution of a run. It has no position and no state."""

    client: Client
    run_id: str
    execution: str
    """Temporal's run id."""

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        """The SDK's handle on the execution."""
        return self.client.get_workflow_handle(self.run_id, run_id=self.execution)

    async def look(self) -> News:
        """Read the whole history for news."""
        return News.of((await unhurried(self.handle.fetch_history)).events)

    async def end(self) -> int:
        """Return the offset behind all events that exist now."""
        return (await self.read(BEHIND_ALL, (await self.look()).settled, closed=False)).end

    async def read(self, offset: int, settled: int, *, closed: bool) -> StreamReply:
        """Return events from an offset on, as many as fit into one answer, or all if they are read by replay.

        Args:
            offset: Offset of the first event.
            settled: See `News.settled`.
            closed: Whether the execution is closed. If so, no worker is asked.
        """
        query = StreamQuery(offset=offset, settled=settled)
        if not closed:
            try:
                reply = await self.handle.query(QUERY_STREAM, query, result_type=StreamReply, rpc_timeout=QUERY_TIMEOUT)
            except UNANSWERED:
                pass
            else:
                first = reply.items[0].offset if reply.items else reply.end
                if first <= offset:
                    return reply  # otherwise the worker has dropped the first ones from its memory
        return await recorded_stream(self.client, self.run_id, self.execution, query)
