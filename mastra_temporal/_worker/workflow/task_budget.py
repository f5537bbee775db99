"""The server's limit for one payload. Over it a workflow task would fail and be retried for ever; so look before.

A data converter with an external storage sends a reference in the place of a large payload. Workflow code must not ask
its worker for one, since a replay may be on another worker: who starts or resumes a run tells it (``stored_from``).
"""

from __future__ import annotations

from mastra_temporal._protocol.limits import LIMIT
from mastra_temporal._worker.workflow.arrivals import Arrivals

__all__ = ["TaskBudget"]

MESSAGE_LIMIT = 4 * 1024 * 1024
"""Bytes: of one message to the server, which has all that one workflow task sends."""


class TaskBudget:
    """Keeps what one workflow task sends under the limit of a message: over it the server ends the run."""

    def __init__(self, arrivals: Arrivals) -> None:
        """Nothing is sent yet."""
        self._arrivals = arrivals
        self._task: int = -1
        self._sent = 0

    async def take(self, size: int) -> None:
        """Wait for a workflow task that has room for a payload of so many bytes."""
        while not self._fits(size):
            await self._arrivals.pause("the next workflow task has room")
        self._sent += size

    def spend(self, size: int) -> None:
        """Count a payload that this workflow task sends anyway: an update that it accepts goes back to the server."""
        self._begin_task()
        self._sent += size

    def _fits(self, size: int) -> bool:
        self._begin_task()
        return self._sent == 0 or self._sent + size <= MESSAGE_LIMIT - LIMIT // 4

    def _begin_task(self) -> None:
        if self._arrivals.task != self._task:
            self._task, self._sent = self._arrivals.task, 0
