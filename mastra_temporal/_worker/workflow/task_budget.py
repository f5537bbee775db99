"""Spreads large payloads over several workflow tasks.

All commands of one workflow task go to the server in one message, whose size is limited. The payloads are counted with
the external storage that the client named (``stored_from``), not with the worker's own: a replay may run on a worker
with other settings, and would count differently.
"""

from __future__ import annotations

from mastra_temporal._protocol.limits import LIMIT
from mastra_temporal._worker.workflow.arrivals import Arrivals

__all__ = ["TaskBudget"]

MESSAGE_LIMIT = 4 * 1024 * 1024
"""Bytes of one message to the server, which contains everything that one workflow task sends."""


class TaskBudget:
    """Keeps the payloads of one workflow task below the message limit. The server ends a run that exceeds it."""

    def __init__(self, arrivals: Arrivals) -> None:
        """Create the budget of a run that has sent nothing yet."""
        self._arrivals = arrivals
        self._task: int = -1
        self._sent = 0

    async def take(self, size: int) -> None:
        """Wait until the current workflow task has room for a payload of this many bytes, and reserve it."""
        while not self._fits(size):
            await self._arrivals.pause("the next workflow task has room")
        self._sent += size

    def spend(self, size: int) -> None:
        """Count a payload that this workflow task sends in any case: an accepted update is sent back to the server."""
        self._begin_task()
        self._sent += size

    def _fits(self, size: int) -> bool:
        self._begin_task()
        # The first payload of a task always fits, because no later task has more room: waiting would never end. A
        # quarter of the payload limit is left for the rest of the message, such as answers to updates.
        return self._sent == 0 or self._sent + size <= MESSAGE_LIMIT - LIMIT // 4

    def _begin_task(self) -> None:
        # `arrivals.task` is the same on every replay, the current history length is not (see `arrivals.py`). With the
        # latter, a replay could start its timers at other places than the first execution.
        if self._arrivals.task != self._task:
            self._task, self._sent = self._arrivals.task, 0
