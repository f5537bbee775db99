"""Replay-safe access to the current workflow task: its history length and the continue-as-new suggestion.

A local activity may end in one workflow task while its result reaches workflow code only in the next one: the SDK
completes a task early to answer a query, or when the task lasts long. On replay, the result is delivered in the first
of the two tasks. So code that runs after a local activity must not read the history length or the continue-as-new
suggestion: on replay it would read those of another task, decide differently, and fail with a non-determinism error.

An activity result, a timer or an update has a history event of its own and is delivered in the same task on every
replay. So the run reads its task when such an event arrives, and at no other time. It acts on the suggestion a few
turns of the event loop later: code that waits for a local activity may continue in the same activation as the event,
but on replay it has continued before the event.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow

__all__ = ["Arrivals"]

LOCAL_ACTIVITIES = 100
"""Local activities in a row before the run starts a timer. Without an event it cannot notice that its history is
long."""

TURNS = 50
"""Turns of the event loop: more than the run needs to process everything that was delivered with a workflow task."""


class Arrivals:
    """The workflow task in which the last event was delivered."""

    def __init__(self) -> None:
        """Create the record before any event was delivered."""
        self.task = 0
        """The history length at that task, which identifies the task."""
        self.history_is_long = False
        """Whether the server suggested to continue as new, and the run may act on it now."""
        self._advised: asyncio.Task[None] | None = None
        self._local_activities = 0

    def note(self) -> None:
        """Read the current workflow task. Call this only while an event of the history is being delivered."""
        info = workflow.info()
        self.task = info.get_current_history_length()
        self._local_activities = 0
        if info.is_continue_as_new_suggested() and self._advised is None:
            self._advised = asyncio.create_task(self._take_advice())

    async def _take_advice(self) -> None:
        # If the flag were set at once, code that continues after a local activity in this same activation would see it
        # now but not on replay, where the local activity's result is delivered in an earlier activation.
        for _ in range(TURNS):
            await asyncio.sleep(0)
        self.history_is_long = True

    async def pause(self, summary: str) -> None:
        """Wait for another workflow task, by a timer of one millisecond."""
        await workflow.sleep(timedelta(milliseconds=1), summary=summary)
        self.note()

    async def count_local_activity(self) -> None:
        """Count a local activity, and pause after `LOCAL_ACTIVITIES` of them. Call this before each one."""
        self._local_activities += 1
        if self._local_activities > LOCAL_ACTIVITIES:
            await self.pause("is the history long?")
