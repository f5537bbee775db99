"""Reading the stream of a run from outside: in order, each item once, by any number of readers, without a trace in it.

A reader waits for news with a long poll of the history, which needs no worker and writes nothing, and then asks the
workflow by query for what is new. Whatever a query cannot give (the run is closed, no worker is there, the items are
too old or too large) is made again from the recorded history. Polls by update, which the SDK's own client uses, would
cost five history events each and end after 2,000.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.contrib.workflow_streams import PollInput, PollResult
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal.execution.names import OUTPUT_TOPIC, QUERY_STREAM, QUERY_STREAM_END
from mastra_temporal.run.recorded import recorded_items

__all__ = ["Execution", "Feed", "Item", "current_execution", "from_next_execution", "from_now", "from_start"]

PAUSE_SECONDS = 0.05
"""Between two queries: what happens within it is read together."""
SHORTEST_LOOK, LONGEST_LOOK = 0.02, 1.0
"""Seconds between two looks for an execution that has not started yet."""
QUERY_TIMEOUT = timedelta(seconds=5)
UNANSWERED = (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError)
CLOSED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
}


@dataclass(frozen=True)
class Item:
    """One event of a run."""

    offset: int
    """Its place in the run's stream, counting from 0."""
    event: dict[str, Any]
    written: bool
    """Whether a step wrote it, and not the engine."""


@dataclass(frozen=True)
class Execution:
    """The Temporal execution of a run, or the chain of those in which it continued as new."""

    first: str
    """The Temporal run id of the first of the chain."""
    last: str
    status: WorkflowExecutionStatus | None


async def current_execution(client: Client, run_id: str) -> Execution | None:
    """The execution that a run has, or had last; None when there is no such run."""
    try:
        description = await client.get_workflow_handle(run_id).describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return None
    first = description.raw_description.workflow_execution_info.first_run_id
    return Execution(first, description.run_id, description.status)


async def from_start(client: Client, run_id: str) -> Feed:
    """The feed of a run that is about to be started. A live or successful one is not started again, but joined."""
    execution = await current_execution(client, run_id)
    joined = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED)
    if execution is not None and execution.status in joined:
        return Feed(client, run_id, execution.first)
    return Feed(client, run_id, None, after=execution and execution.first)


async def from_now(client: Client, run_id: str) -> Feed:
    """The feed of what happens in a run from now on, also when it is over and starts anew."""
    execution = await current_execution(client, run_id)
    if execution is None or execution.status != WorkflowExecutionStatus.RUNNING:
        return Feed(client, run_id, None, after=execution and execution.first)
    try:
        offset = await client.get_workflow_handle(run_id).query(
            QUERY_STREAM_END, result_type=int, rpc_timeout=QUERY_TIMEOUT
        )
    except UNANSWERED:
        items = await recorded_items(client, run_id, execution.last, 0)
        offset = items[-1][0] + 1 if items else 0
    return Feed(client, run_id, execution.last, offset, after=execution.first)


async def from_next_execution(client: Client, run_id: str) -> Feed:
    """The feed of a run that is about to travel in time: of the execution that this makes."""
    execution = await current_execution(client, run_id)
    return Feed(client, run_id, None, after=execution and execution.first)


class Feed:
    """One reader of one execution, and of those in which it continues as new."""

    def __init__(
        self, client: Client, run_id: str, execution: str | None, offset: int = 0, *, after: str | None = None
    ) -> None:
        """Read an execution from an offset on; with None the next one that the run gets after ``after``."""
        self._client = client
        self._run_id = run_id
        self._execution = execution or ""
        self.offset = offset
        """Of the next item."""
        self.chain = after or execution
        """The first execution of the chain that is read, or the one before it as long as there is none."""

    @property
    def found(self) -> bool:
        """Whether there is an execution to read."""
        return bool(self._execution)

    def following(self) -> Feed:
        """The feed of the next execution: when the run starts anew or travels in time."""
        return Feed(self._client, self._run_id, None, after=self.chain)

    async def items(self, stop: asyncio.Event | None = None) -> AsyncGenerator[Item]:
        """What happens until the execution is closed, or until ``stop`` is set: then what is there is read out."""
        stop = stop or asyncio.Event()
        execution = self._execution or await self._next_execution(stop)
        while execution:
            self._execution, execution = execution, ""
            async for closing in self._news(stop):
                async for item in self._read(closed=closing is not None):
                    yield item
                if closing is not None:
                    execution = closing.workflow_execution_continued_as_new_event_attributes.new_execution_run_id

    async def _next_execution(self, stop: asyncio.Event) -> str:
        pause = SHORTEST_LOOK
        while True:
            last_look = stop.is_set()
            execution = await current_execution(self._client, self._run_id)
            if execution is not None and execution.first != self.chain:
                self.chain = execution.first
                return execution.first
            if last_look:
                return ""
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(2 * pause, LONGEST_LOOK)

    async def _news(self, stop: asyncio.Event) -> AsyncGenerator[HistoryEvent | None]:
        """Gives the close event, or None whenever there may be something to read."""
        handle = self._client.get_workflow_handle(self._run_id, run_id=self._execution)
        history = handle.fetch_history_events(wait_new_event=True)
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while history.current_page is None or history.next_page_token is not None:
                page = asyncio.ensure_future(history.fetch_next_page())
                await asyncio.wait((page, stopped), return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
                    page.cancel()
                    await asyncio.gather(page, return_exceptions=True)
                    yield None
                    return
                await page
                events = history.current_page or ()
                if events and events[-1].event_type in CLOSED:
                    yield events[-1]
                    return
                if any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in events):
                    yield None
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            stopped.cancel()
            await asyncio.gather(stopped, return_exceptions=True)

    async def _read(self, *, closed: bool) -> AsyncGenerator[Item]:
        more = True
        while more:
            batch, more = (None, False) if closed else await self._queried()
            if batch is None:
                batch, more = await self._recorded(), False
            for item in batch:
                self.offset = item.offset + 1
                yield item

    async def _queried(self) -> tuple[list[Item] | None, bool]:
        handle = self._client.get_workflow_handle(self._run_id, run_id=self._execution)
        try:
            reply = await handle.query(
                QUERY_STREAM, PollInput(from_offset=self.offset), result_type=PollResult, rpc_timeout=QUERY_TIMEOUT
            )
        except UNANSWERED:
            return None, False
        if reply.items and reply.items[0].offset > self.offset:
            return None, False  # the worker has dropped what comes before
        items = [
            self._item(item.offset, item.topic, Payload.FromString(base64.b64decode(item.data))) for item in reply.items
        ]
        return items, reply.more_ready

    async def _recorded(self) -> list[Item]:
        items = await recorded_items(self._client, self._run_id, self._execution, self.offset)
        return [self._item(offset, item.topic, item.data) for offset, item in items]

    def _item(self, offset: int, topic: str, payload: Payload) -> Item:
        event = self._client.data_converter.payload_converter.from_payload(payload)
        return Item(offset, event, written=topic == OUTPUT_TOPIC)
