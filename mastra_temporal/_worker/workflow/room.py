"""Keeps the activities of a run that are pending at the server below the server's limit."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import timedelta

from temporalio import workflow

from mastra_temporal._protocol.names import ACTIVITY_NOOP
from mastra_temporal._worker.workflow.arrivals import Arrivals

__all__ = ["Room"]

PENDING = 1000
"""Activities of one run that may be pending at once, over all its blocks; further ones queue in the run.

The server takes 2,000 (`limit.numPendingActivities.error`). It fails the workflow task that schedules one more, for
ever.
"""
PENDING_WITH_LOST = 1900
"""The same where one takes the place of a lost one: the server counts that until it has heard of its end."""
AT_A_STRETCH = 250
"""Activities that are scheduled without a pause. The SDK takes a workflow for deadlocked that works for two seconds."""


class Room:
    """The places at the server: who comes first, gets one first."""

    def __init__(self, arrivals: Arrivals) -> None:
        """All are free."""
        self._arrivals = arrivals
        self._taken = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._queue_again: deque[asyncio.Future[None]] = deque()
        self._stretch = (0, 0)
        """The workflow task of the last event, and how many were let in since its last pause."""
        self._pausing: asyncio.Task[None] | None = None

    async def enter(self, *, again: bool = False) -> None:
        """Take a place, as soon as there is one.

        Args:
            again: For an activity that takes the place of a lost one.
        """
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._queue_again if again else self._queue).append(place)
        self._let_in()
        await place

    def leave(self) -> None:
        """Give a place back."""
        self._taken -= 1
        self._let_in()

    def let_all_in(self) -> None:
        """Let nobody wait any longer: the run is canceled, and they only have to hear of it."""
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
        if not place.done():  # whoever waited may be gone, and takes none
            self._taken += 1
            place.set_result(None)

    def _goes_on(self) -> bool:
        """Whether one more may be let in now. If not, the others are after a pause."""
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
        """Give the workflow task back to the SDK: it is answered by the same worker, and costs the server nothing."""
        await workflow.execute_local_activity(ACTIVITY_NOOP, start_to_close_timeout=timedelta(seconds=10))
        self._stretch, self._pausing = (0, 0), None
        self._let_in()
