"""A stream of events as an answer: JSON texts, each followed by the record separator, as Mastra's client reads them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncGenerator, Generator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mastra_temporal import WorkflowEvent
from mastra_temporal.server.answers import as_json
from mastra_temporal.server.errors import HttpError
from mastra_temporal.server.route import until_gone

__all__ = ["EventStream", "StreamLimit"]

SEPARATOR = b"\x1e"
KEEP_ALIVE_SECONDS = 15.0
"""After so long without an event an empty record is sent, which readers skip: proxies end silent connections."""


class StreamLimit:
    """How many streams each client has open."""

    def __init__(self, per_client: int) -> None:
        """Begin with none.

        Args:
            per_client: How many a client may have.
        """
        self._per_client = per_client
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many streams there are in all."""
        return sum(self._open.values())

    def check(self, client: str) -> None:
        """Refuse one stream more.

        Raises:
            HttpError: 429, the client has as many as it may.
        """
        if self._open[client] >= self._per_client:
            raise HttpError(429, f"Too many streams: a client may have {self._per_client} open at once.")

    @contextlib.contextmanager
    def held(self, client: str) -> Generator[None]:
        """Count a stream for as long as it is open."""
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]


class EventStream(Response):
    """Sends events as they come. When the client leaves, reading stops at once.

    Sending waits for the client, and reading for the sending: a slow client holds up nobody but itself.
    """

    def __init__(self, events: AsyncGenerator[WorkflowEvent], limit: StreamLimit, client: str) -> None:
        """Create the answer.

        Args:
            events: What is sent; closed at the end.
            limit: Counts the stream.
            client: Whose stream it is.
        """
        super().__init__(media_type="text/plain", headers={"cache-control": "no-cache", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._limit = limit
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until they end or the client has left."""
        with self._limit.held(self._client):
            sending = asyncio.ensure_future(self._send(send))
            leaving = asyncio.ensure_future(until_gone(receive))
            try:
                await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sending.cancel()
                leaving.cancel()
                await asyncio.gather(sending, leaving, return_exceptions=True)
                await self._events.aclose()
        if not sending.cancelled() and not leaving.done():
            sending.result()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for record in _records(self._events):
            await send({"type": "http.response.body", "body": record, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _records(events: AsyncGenerator[WorkflowEvent]) -> AsyncGenerator[bytes]:
    while True:
        upcoming = asyncio.ensure_future(_next(events))
        try:
            while not upcoming.done():
                await asyncio.wait({upcoming}, timeout=KEEP_ALIVE_SECONDS)
                if not upcoming.done():
                    yield SEPARATOR
        finally:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)
        event = upcoming.result()
        if event is None:
            return
        yield _record(event)


async def _next(events: AsyncGenerator[WorkflowEvent]) -> WorkflowEvent | None:
    return await anext(events, None)


def _record(event: WorkflowEvent) -> bytes:
    return json.dumps(as_json(event), ensure_ascii=False, separators=(",", ":")).encode() + SEPARATOR
