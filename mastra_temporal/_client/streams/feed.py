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
"""Between two queries: what happens within it is read together."""
SHORTEST_LOOK, LONGEST_LOOK = 0.02, 1.0
"""Seconds between two looks for an execution that has not started yet."""
QUERY_TIMEOUT = timedelta(seconds=2)
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
    feed = Feed(client, run_id, execution.last, after=execution.first)
    await feed.skip()
    return feed


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
        self.offset: int = offset
        """Of the next item."""
        self._settled = 0
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
        try:
            async for item in self._items(stop or asyncio.Event()):
                yield item
        except Exception as error:
            explanation = await explain(error, self._client, f"the stream of run `{self._run_id}`")
            if explanation is error:
                raise
            raise explanation from error

    async def _items(self, stop: asyncio.Event) -> AsyncGenerator[Item]:
        execution = self._execution or await self._next_execution(stop)
        while execution:
            self._execution, self._settled, execution = execution, 0, ""
            async for closing in self._news(stop):
                async for item in self._read(closed=closing is not None):
                    yield item
                if closing is not None:
                    execution = await self._successor(closing)

    async def _successor(self, closing: HistoryEvent) -> str:
        """The execution in which this one goes on: as new, or reset because its workflow task kept failing."""
        if closing.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            return closing.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        now = await current_execution(self._client, self._run_id)
        reset = now is not None and now.first == self.chain and now.last != self._execution
        return now.last if now is not None and reset else ""

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

    async def skip(self) -> None:
        """Go behind everything that has happened until now."""
        self._settle((await self._handle.fetch_history()).events)
        try:
            self.offset = (await self._ask()).end
        except UNANSWERED:
            async for _ in self._read(closed=True):
                pass

    async def _news(self, stop: asyncio.Event) -> AsyncGenerator[HistoryEvent | None]:
        """Gives the close event, or None whenever there may be something to read."""
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
        history = self._handle.fetch_history_events(wait_new_event=True)
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while history.current_page is None or history.next_page_token is not None:
                page = asyncio.ensure_future(unhurried(history.fetch_next_page))
                await asyncio.wait((page, stopped), return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
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
        before = self._settled
        for event in events:
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                task = event.workflow_task_completed_event_attributes.started_event_id
                self._settled = max(self._settled, task)
        return self._settled > before

    async def _read(self, *, closed: bool) -> AsyncGenerator[Item]:
        more = True
        while more:
            batch, end = (None, 0) if closed else await self._queried()
            for item in await self._recorded() if batch is None else batch:
                self.offset = item.offset + 1
                yield item
            more = batch is not None and self.offset < end

    async def _queried(self) -> tuple[list[Item] | None, int]:
        """Items, and where the log ends; no items when they have to be made again."""
        try:
            reply = await self._ask()
        except UNANSWERED:
            return None, 0
        first = reply.items[0].offset if reply.items else reply.end
        if first > self.offset:
            return None, reply.end  # the worker has dropped what comes before
        return [self._item(item) for item in reply.items], reply.end

    async def _recorded(self) -> list[Item]:
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
