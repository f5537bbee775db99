"""Limits how many activities of one run are pending at the server at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import timedelta

from temporalio import workflow

from mastra_temporal._protocol.names import ACTIVITY_NOOP
from mastra_temporal._worker.workflow.arrivals import Arrivals

__all__ = ["Room"]

PENDING = 1000
"""Activities of one run that may be pending at once. Further ones wait in a queue in the workflow.

The server's limit is 2,000 (`limit.numPendingActivities.error`). A workflow task that schedules one more fails, and so
does each of its retries: the run would hang.
"""
PENDING_WITH_LOST = 1900
"""The same limit for activities that replace a lost one. The server counts the lost one until its cancellation ends."""
AT_A_STRETCH = 250
"""Activities that are scheduled without a pause. The SDK fails a workflow task that blocks its thread for two seconds
(deadlock detection)."""


class Room:
    """A bounded number of places for pending activities, given out in the order of the requests."""

    def __init__(self, arrivals: Arrivals) -> None:
        """Create the places, all of them free."""
        self._arrivals = arrivals
        self._taken = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._queue_again: deque[asyncio.Future[None]] = deque()
        self._stretch = (0, 0)
        """The workflow task of the last event, and how many activities were admitted in it since the last pause."""
        self._pausing: asyncio.Task[None] | None = None

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
                if not self._goes_on():
                    return
                self._admit(queue)

    def _admit(self, queue: deque[asyncio.Future[None]]) -> None:
        place = queue.popleft()
        if not place.done():  # a waiter that was cancelled takes no place
            self._taken += 1
            place.set_result(None)

    def _goes_on(self) -> bool:
        """Return whether one more activity may be admitted now. If not, start a pause, which admits the others."""
        # `arrivals.task`, not the current history length: admissions can follow a local activity, and its result may
        # be delivered in another workflow task on replay. The pauses, which are local activities, would differ.
        task, admitted = self._arrivals.task, 0
        if self._stretch[0] == task:
            admitted = self._stretch[1]
        if admitted < AT_A_STRETCH:
            self._stretch = (task, admitted + 1)
            return True
        if self._pausing is None:
            self._pausing = asyncio.create_task(self._pause())
        return False

    async def _pause(self) -> None:
        """Return control to the SDK by a local activity that does nothing. This needs no further workflow task."""
        await workflow.execute_local_activity(ACTIVITY_NOOP, start_to_close_timeout=timedelta(seconds=10))
        self._stretch, self._pausing = (0, 0), None
        self._let_in()
