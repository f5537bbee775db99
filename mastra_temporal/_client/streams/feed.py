"""Read the stream of a run: in order, each item once, for any number of readers, without adding to its history.

A feed is the position of one reader. The events of an execution are read by its `ExecutionLog`, which all feeds of this
process share.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionStatus

from mastra_temporal._client.rpc_errors import explain
from mastra_temporal._client.streams.execution import ExecutionReader, current_execution
from mastra_temporal._client.streams.log import ExecutionLog, LogEntry, execution_log

__all__ = ["Feed", "Item", "from_next_execution", "from_now", "from_start"]

SHORTEST_LOOK, LONGEST_LOOK = 0.02, 1.0
"""Minimum and maximum seconds between two looks for an execution that has not started yet."""


@dataclass(frozen=True)
class Item:
    """One event of a run."""

    offset: int
    """Position in the run's stream, from 0."""
    event: dict[str, Any]
    """The event, as JSON data."""
    written: bool
    """Whether a step wrote the event. Otherwise the engine did."""


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
    offset = await ExecutionReader(client, run_id, execution.last).end()
    return Feed(client, run_id, execution.last, offset, after=execution.first)


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
            async for item in self._items(stop):
                yield item
        except Exception as error:
            explanation = await explain(error, lambda: self._client, f"the stream of run `{self._run_id}`")
            if explanation is error:
                raise
            raise explanation from error

    async def _items(self, stop: asyncio.Event | None) -> AsyncGenerator[Item]:
        """Yield the items of all executions of the chain."""
        execution = self._execution or await self._next_execution(stop)
        while execution:
            self._execution = execution
            log = execution_log(self._client, self._run_id, execution, self.offset)
            async for item in self._of(log, stop):
                yield item
            execution = "" if log.closing is None else await self._successor(log.closing)

    async def _of(self, log: ExecutionLog, stop: asyncio.Event | None) -> AsyncGenerator[Item]:
        """Yield the items of one execution until it is closed, or until ``stop`` is set."""
        while True:
            # Read `stop` before the look. Otherwise events that happen in between would be missed.
            last_look = stop is not None and stop.is_set()
            if last_look:
                await log.refresh()
            while entries := await log.after(self.offset):
                for entry in entries:
                    self.offset = entry.offset + 1
                    yield self._item(entry)
            if last_look or log.closing is not None:
                return
            await _first_of(log, stop)

    async def _successor(self, closing: HistoryEvent) -> str:
        """Return the execution that follows this one by continue-as-new or reset. Empty if there is none."""
        if closing.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            return closing.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        now = await current_execution(self._client, self._run_id)
        reset = now is not None and now.first == self.chain and now.last != self._execution
        return now.last if now is not None and reset else ""

    async def _next_execution(self, stop: asyncio.Event | None) -> str:
        """Wait for an execution of a new chain. Return an empty string if ``stop`` is set before there is one."""
        pause = SHORTEST_LOOK
        while True:
            # Read `stop` before the look. Otherwise an execution that starts in between would be missed.
            last_look = stop is not None and stop.is_set()
            execution = await current_execution(self._client, self._run_id)
            if execution is not None and execution.first != self.chain:
                self.chain = execution.first
                return execution.first
            if last_look:
                return ""
            if stop is None:
                await asyncio.sleep(pause)
            else:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
            pause = min(2 * pause, LONGEST_LOOK)

    def _item(self, entry: LogEntry) -> Item:
        event = self._client.data_converter.payload_converter.from_payload(entry.payload)
        return Item(entry.offset, event, written=entry.written)


async def _first_of(log: ExecutionLog, stop: asyncio.Event | None) -> None:
    """Wait for more entries of a log, or until ``stop`` is set."""
    if stop is None:
        return await log.more()
    more, stopped = asyncio.ensure_future(log.more()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((more, stopped), return_when=asyncio.FIRST_COMPLETED)
        if more.done():
            more.result()
    finally:
        more.cancel()
        stopped.cancel()
        await asyncio.gather(more, stopped, return_exceptions=True)
