"""What a run knows of its workflow task in such a way that a replay knows the same.

A local activity can end in one workflow task and be told to the workflow in the next one: the SDK reports a task at
once when it has to answer a query, or when the task has lasted long. A replay tells it in the former task. So nothing
that is decided after a local activity may depend on the task that is current then: neither on the length of its
history, nor on the server's advice to continue as new. What comes with an event of its own, as a step's result, a
timer or an update do, comes in the same task in every replay. So the run looks at its task when such an event arrives,
and at no other time. It takes up the advice a little later: what waits for a local activity may go on together with the
event, and in a replay it has done so before.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow

__all__ = ["Arrivals"]

LOCAL_ACTIVITIES = 100
"""After so many in a row without an event the run makes one: it would never hear that its history is long."""

TURNS = 50
"""Of the event loop: as many as it takes at most until everything that came with a workflow task has been taken in."""


class Arrivals:
    """The workflow task in which the last event came."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.task = 0
        """The length of the history before it."""
        self.history_is_long = False
        """Whether the server has advised to continue as new."""
        self._advised: asyncio.Task[None] | None = None
        self._local_activities = 0

    def note(self) -> None:
        """Look at the workflow task, because an event has arrived with it."""
        info = workflow.info()
        self.task = info.get_current_history_length()
        self._local_activities = 0
        if info.is_continue_as_new_suggested() and self._advised is None:
            self._advised = asyncio.create_task(self._take_advice())

    async def _take_advice(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        self.history_is_long = True

    async def pause(self, summary: str) -> None:
        """Go on in another workflow task."""
        await workflow.sleep(timedelta(milliseconds=1), summary=summary)
        self.note()

    async def count_local_activity(self) -> None:
        """To be called before each local activity of the interpreter."""
        self._local_activities += 1
        if self._local_activities > LOCAL_ACTIVITIES:
            await self.pause("is the history long?")
