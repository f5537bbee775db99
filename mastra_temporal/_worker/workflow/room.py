"""Limits how many activities of one run are pending at the server at the same time."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Room"]

PENDING = 1000
"""Activities of one run that may be pending at once. Further ones wait in a queue in the workflow.

The server's limit is 2,000 (`limit.numPendingActivities.error`). A workflow task that schedules one more fails, and so
does each of its retries: the run would hang.
"""
PENDING_WITH_LOST = 1900
"""The same limit for activities that replace a lost one. The server counts the lost one until its cancellation ends."""


class Room:
    """A bounded number of places for pending activities, given out in the order of the requests."""

    def __init__(self) -> None:
        """Create the places, all of them free."""
        self._taken = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._queue_again: deque[asyncio.Future[None]] = deque()

    async def enter(self, *, again: bool = False) -> None:
        """Wait for a free place and take it.

        Args:
            again: Whether the activity replaces a lost one.
        """
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._queue_again if again else self._queue).append(place)
        self._let_in()
        await place

    def leave(self) -> None:
        """Give a place back, and admit waiting activities."""
        self._taken -= 1
        self._let_in()

    def let_all_in(self) -> None:
        """Admit all waiting activities, beyond the limit: the run is canceled, so none of them is scheduled."""
        for queue in (self._queue_again, self._queue):
            while queue:
                self._admit(queue)

    def _let_in(self) -> None:
        for queue, limit in ((self._queue_again, PENDING_WITH_LOST), (self._queue, PENDING)):
            while queue and self._taken < limit:
                self._admit(queue)

    def _admit(self, queue: deque[asyncio.Future[None]]) -> None:
        place = queue.popleft()
        if not place.done():  # a waiter that was cancelled takes no place
            self._taken += 1
            place.set_result(None)
