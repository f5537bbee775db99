"""`Background`: tasks that continue after their request was answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

__all__ = ["Background"]

_logger = logging.getLogger("mastra_temporal.server")


class Background:
    """Tasks that no request awaits. Their exceptions are logged.

    It holds references to the tasks. The event loop has only weak ones, so a task could be garbage-collected before it
    ends.
    """

    def __init__(self) -> None:
        """Create an empty set of tasks."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, what: str, work: Coroutine[Any, Any, Any]) -> None:
        """Start a task.

        Args:
            what: The name of the task for the log.
            work: The coroutine to run.
        """
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                _logger.error("%s failed: %s: %s", what, type(error).__name__, error)

        task.add_done_callback(done)
