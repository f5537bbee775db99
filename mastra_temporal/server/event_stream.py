"""`EventStream`: a response that streams events as JSON texts, each followed by a record separator, as in Mastra."""

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
"""Seconds without an event after which an empty record is sent. Clients skip it, and proxies keep the connection."""


class StreamLimit:
    """A counter and limit of the open streams of each client."""

    def __init__(self, per_client: int) -> None:
        """Create a counter without open streams.

        Args:
            per_client: The largest number of open streams for one client.
        """
        self._per_client = per_client
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """The number of all open streams."""
        return sum(self._open.values())

    def check(self, client: str) -> None:
        """Refuse a new stream if the client has reached the limit.

        Raises:
            HttpError: 429, the client has reached the limit.
        """
        if self._open[client] >= self._per_client:
            raise HttpError(429, f"Too many streams: a client may have {self._per_client} open at once.")

    @contextlib.contextmanager
    def held(self, client: str) -> Generator[None]:
        """Count a stream until the ``with`` block ends."""
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]


class EventStream(Response):
    """A response that sends events as they arrive and stops reading when the client disconnects.

    An event is read only after the one before has been sent, so a slow client delays only its own stream.
    """

    def __init__(self, events: AsyncGenerator[WorkflowEvent], limit: StreamLimit, client: str) -> None:
        """Create the response.

        Args:
            events: The events to send. The generator is closed at the end.
            limit: The counter of open streams.
            client: The client that the stream is counted for.
        """
        super().__init__(media_type="text/plain", headers={"cache-control": "no-cache", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._limit = limit
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until they end or the client disconnects."""
        with self._limit.held(self._client):
            sending = asyncio.ensure_future(self._send(send))
            leaving = asyncio.ensure_future(until_gone(receive))
            try:
                await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sending.cancel()
                leaving.cancel()
                # The sending must have ended before aclose(), which raises if the generator is still running.
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
        # asyncio.wait leaves the read pending at its timeout. wait_for would cancel it, which ends the generator.
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
