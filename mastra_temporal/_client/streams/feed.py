"""Read the stream of a run: in order, each item once, for any number of readers, without adding to its history.

A reader waits for news with a long poll of the history, which needs no worker and writes no events. Then it queries the
workflow for new items. If the query fails (the run is closed, there is no worker, the items are too old or too large),
the items are rebuilt by replay of the history. We do not poll by update, as the SDK's own workflow streams do: each
poll would cost five history events, and a run accepts only 2,000 updates.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Payload
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
from mastra_temporal._client.rpc_errors import explain
from mastra_temporal._client.waiting import waiting
from mastra_temporal._protocol.messages import StreamItem, StreamQuery, StreamReply
from mastra_temporal._protocol.names import OUTPUT_TOPIC, QUERY_STREAM

__all__ = ["Execution", "Feed", "Item", "current_execution", "from_next_execution", "from_now", "from_start"]

PAUSE_SECONDS = 0.05
"""Seconds between two queries. Events of that time are read together."""
SHORTEST_LOOK, LONGEST_LOOK = 0.02, 1.0
"""Minimum and maximum seconds between two looks for an execution that has not started yet."""
QUERY_TIMEOUT = timedelta(seconds=2)
"""Timeout of a query. After it, the items are rebuilt from the history."""
UNANSWERED = (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError)
"""Errors of a query after which the items are rebuilt from the history."""
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
class Item:
    """One event of a run."""

    offset: int
    """Position in the run's stream, from 0."""
    event: dict[str, Any]
    """The event, as JSON data."""
    written: bool
    """Whether a step wrote the event. Otherwise the engine did."""


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


async def from_start(client: Client, run_id: str) -> Feed:
    """Return the feed for a run that is about to be started.

    If the run is open or successful, the start joins it, and the feed begins with its first event.
    """
    execution = await current_execution(client, run_id)
    joined = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED)
    if execution is not None and execution.status in joined:
        return Feed(client, run_id, execution.first)
    return Feed(client, run_id, None, after=execution and execution.first)


async def from_now(client: Client, run_id: str) -> Feed:
    """Return the feed of all events of a run from now on, including those of a later start."""
    execution = await current_execution(client, run_id)
    if execution is None or execution.status != WorkflowExecutionStatus.RUNNING:
        return Feed(client, run_id, None, after=execution and execution.first)
    # Read the last execution of the chain only: the earlier ones are closed and have nothing new.
    feed = Feed(client, run_id, execution.last, after=execution.first)
    await feed.skip()
    return feed


async def from_next_execution(client: Client, run_id: str) -> Feed:
    """Return the feed of the execution that a time travel is about to start."""
    execution = await current_execution(client, run_id)
    return Feed(client, run_id, None, after=execution and execution.first)


class Feed:
    """A reader of one execution, and of the executions that follow it by continue-as-new or reset."""

    def __init__(
        self, client: Client, run_id: str, execution: str | None, offset: int = 0, *, after: str | None = None
    ) -> None:
        """Create a reader.

        Args:
            client: The client.
            run_id: The run.
            execution: Temporal's run id of the execution. None: wait for the next execution that is not ``after``.
            offset: Offset of the first item to read.
            after: First execution of the latest chain, if ``execution`` is not the first of its chain.
        """
        self._client = client
        self._run_id = run_id
        self._execution = execution or ""
        self.offset: int = offset
        """Offset of the next item."""
        self._settled = 0
        """Started event id of the last completed workflow task. Items of later tasks are not final: if such a task
        fails and runs again, its items may be others, and a reader would have seen wrong ones."""
        self.chain = after or execution
        """First execution of the chain that is read. Until that exists, the first one of the previous chain."""

    @property
    def found(self) -> bool:
        """Whether there is an execution to read."""
        return bool(self._execution)

    def following(self) -> Feed:
        """Return the feed of the next execution, started by a new start or a time travel."""
        return Feed(self._client, self._run_id, None, after=self.chain)

    async def items(self, stop: asyncio.Event | None = None) -> AsyncGenerator[Item]:
        """Yield the items until the execution is closed.

        Args:
            stop: If set, yield the items that exist and return.
        """
        try:
            async for item in self._items(stop or asyncio.Event()):
                yield item
        except Exception as error:
            explanation = await explain(error, lambda: self._client, f"the stream of run `{self._run_id}`")
            if explanation is error:
                raise
            raise explanation from error

    async def _items(self, stop: asyncio.Event) -> AsyncGenerator[Item]:
        """Yield the items of all executions of the chain."""
        execution = self._execution or await self._next_execution(stop)
        while execution:
            self._execution, self._settled, execution = execution, 0, ""
            async for closing in self._news(stop):
                async for item in self._read(closed=closing is not None):
                    yield item
                if closing is not None:
                    execution = await self._successor(closing)

    async def _successor(self, closing: HistoryEvent) -> str:
        """Return the execution that follows this one by continue-as-new or reset. Empty if there is none."""
        if closing.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            return closing.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        now = await current_execution(self._client, self._run_id)
        reset = now is not None and now.first == self.chain and now.last != self._execution
        return now.last if now is not None and reset else ""

    async def _next_execution(self, stop: asyncio.Event) -> str:
        """Wait for an execution of a new chain. Return an empty string if ``stop`` is set before there is one."""
        pause = SHORTEST_LOOK
        while True:
            # Read `stop` before the look. Otherwise an execution that starts in between would be missed.
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

    async def skip(self) -> None:
        """Move the offset behind all items that exist."""
        self._settle((await self._handle.fetch_history()).events)
        try:
            self.offset = (await self._ask()).end
        except UNANSWERED:
            async for _ in self._read(closed=True):
                pass

    async def _news(self, stop: asyncio.Event) -> AsyncGenerator[HistoryEvent | None]:
        """Yield None whenever there may be new items, and the close event at the end.

        Without a place for a long poll, look at the history from time to time.
        """
        places = waiting(self._client).news
        while not await places.take():
            async with waiting(self._client).calls:
                events = (await unhurried(self._handle.fetch_history)).events
            news = self._settle(events)
            closing = events[-1] if events[-1].event_type in CLOSED else None
            if news or closing or stop.is_set():
                yield closing
            if closing or stop.is_set():
                return
        try:
            async for closing in self._polled(stop):
                yield closing
        finally:
            places.give_back()

    async def _polled(self, stop: asyncio.Event) -> AsyncGenerator[HistoryEvent | None]:
        """Do the same with a long poll of the history."""
        history = self._handle.fetch_history_events(wait_new_event=True)
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while history.current_page is None or history.next_page_token is not None:
                page = asyncio.ensure_future(unhurried(history.fetch_next_page))
                await asyncio.wait((page, stopped), return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
                    # Read the history once more: events since the last page would be lost otherwise.
                    page.cancel()
                    await asyncio.gather(page, return_exceptions=True)
                    self._settle((await self._handle.fetch_history()).events)
                    yield None
                    return
                await page
                events = history.current_page or ()
                news = self._settle(events)
                if events and events[-1].event_type in CLOSED:
                    yield events[-1]
                    return
                if news:
                    yield None
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            stopped.cancel()
            await asyncio.gather(stopped, return_exceptions=True)

    def _settle(self, events: Iterable[HistoryEvent]) -> bool:
        """Note the last completed workflow task. Return whether there is a new one, and so maybe new items."""
        before = self._settled
        for event in events:
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                task = event.workflow_task_completed_event_attributes.started_event_id
                self._settled = max(self._settled, task)
        return self._settled > before

    async def _read(self, *, closed: bool) -> AsyncGenerator[Item]:
        """Yield all new items: by query, or by replay if the execution is closed or the query fails."""
        more = True
        while more:
            batch, end = (None, 0) if closed else await self._queried()
            for item in await self._recorded() if batch is None else batch:
                self.offset = item.offset + 1
                yield item
            more = batch is not None and self.offset < end

    async def _queried(self) -> tuple[list[Item] | None, int]:
        """Return new items and the end offset of the stream. Return no list if they have to be read by replay."""
        try:
            reply = await self._ask()
        except UNANSWERED:
            return None, 0
        first = reply.items[0].offset if reply.items else reply.end
        if first > self.offset:
            return None, reply.end  # the worker has dropped older items from its memory
        return [self._item(item) for item in reply.items], reply.end

    async def _recorded(self) -> list[Item]:
        """Return new items by replay of the history."""
        items = await recorded_stream(self._client, self._run_id, self._execution, self._query)
        return [self._item(item) for item in items]

    async def _ask(self) -> StreamReply:
        return await self._handle.query(QUERY_STREAM, self._query, result_type=StreamReply, rpc_timeout=QUERY_TIMEOUT)

    @property
    def _query(self) -> StreamQuery:
        return StreamQuery(offset=self.offset, settled=self._settled)

    @property
    def _handle(self) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(self._run_id, run_id=self._execution)

    def _item(self, item: StreamItem) -> Item:
        payload = Payload.FromString(base64.b64decode(item.data))
        event = self._client.data_converter.payload_converter.from_payload(payload)
        return Item(item.offset, event, written=item.topic == OUTPUT_TOPIC)
