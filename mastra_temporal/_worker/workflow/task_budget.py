"""Spreads commands over several workflow tasks.

All commands of one workflow task go to the server in one message, whose size is limited. And the SDK fails a workflow
task that blocks its thread for two seconds (deadlock detection). Payloads are counted with the external storage that
the client named (``stored_from``), not with the worker's own: a replay may run on a worker with other settings, and
would count differently.

The budget is renewed by a timer, which ends in another workflow task, and by nothing else. The run cannot know in which
workflow task it is, see `history_size.py`.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow

from mastra_temporal._protocol.limits import LIMIT
from mastra_temporal._worker.workflow.history_size import TIMER, HistorySize

__all__ = ["TaskBudget"]

MESSAGE = 4 * 1024 * 1024 - LIMIT // 4
"""Bytes of commands without a pause. The server's limit for one message is 4 MiB; the rest of it is left for what else
the message contains, such as answers to updates."""
COMMANDS = 500
"""Commands without a pause."""


class TaskBudget:
    """Keeps the commands of one workflow task below the limits. The server ends a run that exceeds them."""

    def __init__(self, history: HistorySize) -> None:
        """Create the budget of a run that has sent nothing yet."""
        self._history = history
        self._commands = 0
        self._bytes = 0
        self._pausing: asyncio.Task[None] | None = None

    async def take(self, size: int) -> None:
        """Wait until a workflow task has room for a command with a payload of this many bytes, and reserve it."""
        while not self._fits(size):
            if self._pausing is None:
                self._pausing = asyncio.create_task(self._pause())
            # All waiters share one timer. Without the shield, a waiter that is cancelled would cancel it for all.
            await asyncio.shield(self._pausing)
        self.spend(size)

    def spend(self, size: int) -> None:
        """Count a command that is sent in any case: an accepted update is sent back to the server, for example."""
        self._commands += 1
        self._bytes += size

    def _fits(self, size: int) -> bool:
        # The first payload always fits, because no later task has more room: waiting would never end.
        return self._commands < COMMANDS and (self._bytes == 0 or self._bytes + size <= MESSAGE)

    async def _pause(self) -> None:
        self._history.add(TIMER)
        await workflow.sleep(timedelta(milliseconds=1), summary="the next workflow task has room")
        self._commands, self._bytes, self._pausing = 0, 0, None
