"""`ExecutionLog`: the events of one execution, read once for all its readers in this process.

The log has no task of its own. A reader that has seen all events asks for more, and all readers that ask at the same
time share one call (`Waiting.share`). So nothing is read ahead of the fastest reader, the call ends with its last
reader, and an error of the call reaches all who wait for it.

A call waits for news with a long poll of the history, which needs no worker and writes no events. Then it queries the
workflow for new events. We do not poll by update, as the SDK's own workflow streams do: each poll would cost five
history events, and a run accepts only 2,000 updates.
"""

from __future__ import annotations

import asyncio
import base64
import functools
from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from mastra_temporal._client.busy import unhurried
from mastra_temporal._client.streams.execution import ExecutionReader, News
from mastra_temporal._client.waiting import waiting
from mastra_temporal._protocol.messages import StreamItem
from mastra_temporal._protocol.names import OUTPUT_TOPIC

__all__ = ["ExecutionLog", "LogEntry", "execution_log"]

PAUSE_SECONDS = 0.1
"""Minimum seconds between two queries. Events of that time are read together."""
RETAINED = 4 * 1024 * 1024
"""Bytes of events that a log keeps for slower readers. Such a reader reads older ones by itself."""


@dataclass(frozen=True)
class LogEntry:
    """One event of a log, as recorded. Each reader decodes it for itself, so that it may change what it gets."""

    offset: int
    payload: Payload
    written: bool
    """Whether a step wrote the event. Otherwise the engine did."""

    @classmethod
    def of(cls, item: StreamItem) -> LogEntry:
        """Return the entry for an item of a reply."""
        return cls(item.offset, Payload.FromString(base64.b64decode(item.data)), written=item.topic == OUTPUT_TOPIC)


def execution_log(client: Client, run_id: str, execution: str, offset: int) -> ExecutionLog:
    """Return the log of an execution. All that hold it at the same time hold the same one.

    Args:
        client: The client.
        run_id: The run.
        execution: Temporal's run id of the execution.
        offset: Where the log begins if this is its first reader.
    """
    reader = ExecutionReader(client, run_id, execution)
    # The key has the client, not only its connection: another one may have another namespace or data converter.
    return waiting(client).held_together((client, run_id, execution), lambda: ExecutionLog(reader, offset))


class ExecutionLog:
    """The latest events of an execution, for all its readers in this process."""

    def __init__(self, reader: ExecutionReader, offset: int) -> None:
        """Use `execution_log` instead."""
        self._reader = reader
        self._waiting = waiting(reader.client)
        self._history = reader.handle.fetch_history_events(wait_new_event=True)
        self._begin = offset
        self._entries: list[LogEntry] = []
        self._news = News(0, None)
        """The latest news."""
        self._read_news = News(0, None)
        """The latest news whose events are in the log."""

    @property
    def closing(self) -> HistoryEvent | None:
        """The close event, once the log has all events of the execution."""
        return self._read_news.closing

    async def after(self, offset: int) -> Sequence[LogEntry]:
        """Return some of the known entries from an offset on. Empty if there are none."""
        if offset >= self._begin:
            return self._entries[offset - self._begin :]
        if not self._news.settled:
            return []
        # A late or slow reader: the log does not have its next events. Those with the same offset read them together.
        entries, _ = await self._waiting.share(
            (self, offset, self._news.settled), functools.partial(self._read_back, offset, self._news)
        )
        return entries

    async def more(self) -> None:
        """Wait until there may be more entries, or until the execution is closed."""
        await self._waiting.share(self, self._follow)

    async def refresh(self) -> None:
        """Add all events that exist now."""
        self._note(await self._reader.look())
        while self._has_unread:
            await self._read()

    async def _read_back(self, offset: int, news: News) -> list[LogEntry]:
        reply = await self._reader.read(offset, news.settled, closed=news.closing is not None)
        return [LogEntry.of(item) for item in reply.items]

    async def _follow(self) -> None:
        """Wait for news and add the first part of them to the log."""
        if not self._has_unread:
            if self._read_news.settled:
                await asyncio.sleep(PAUSE_SECONDS)
            await self._wait_for_news()
        await self._read()

    async def _wait_for_news(self) -> None:
        """Wait with a long poll. Without a place for one, look at the history from time to time."""
        while not self._has_unread:
            if await self._waiting.news.take():
                try:
                    await unhurried(self._history.fetch_next_page)
                finally:
                    self._waiting.news.give_back()
                self._note(News.of(self._history.current_page or ()))
            else:
                async with self._waiting.calls:
                    news = await self._reader.look()
                self._note(news)

    @property
    def _has_unread(self) -> bool:
        return self._news != self._read_news

    def _note(self, news: News) -> None:
        # Two looks may arrive in the wrong order, and a page of the history has only what is new in it.
        self._news = News(max(self._news.settled, news.settled), self._news.closing or news.closing)

    async def _read(self) -> None:
        """Add the next events to the log. `refresh` may do the same at the same time."""
        news, end = self._news, self._begin + len(self._entries)
        reply = await self._reader.read(end, news.settled, closed=news.closing is not None)
        if not self._read_news.settled:
            self._begin = min(self._begin, reply.end)  # the first reader may have asked for an offset behind the end
        self._add([LogEntry.of(item) for item in reply.items])
        end = self._begin + len(self._entries)
        if end >= reply.end and news.settled >= self._read_news.settled:
            self._read_news = News(news.settled, news.closing or self._read_news.closing)

    def _add(self, entries: list[LogEntry]) -> None:
        """Add entries, and drop old ones that no longer fit. The new ones stay until the fastest reader has them."""
        end = self._begin + len(self._entries)
        added = [entry for entry in entries if entry.offset >= end]
        size, kept = sum(entry.payload.ByteSize() for entry in added), len(self._entries)
        while kept and size + self._entries[kept - 1].payload.ByteSize() <= RETAINED:
            kept -= 1
            size += self._entries[kept].payload.ByteSize()
        del self._entries[:kept]
        self._begin += kept
        self._entries += added
