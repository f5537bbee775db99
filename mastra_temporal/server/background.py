"""What goes on after its request has been answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

__all__ = ["Background"]

_logger = logging.getLogger("mastra_temporal.server")


class Background:
    """Tasks that nobody waits for. They are kept from being collected; what they raise is logged."""

    def __init__(self) -> None:
        """Begin with none."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, what: str, work: Coroutine[Any, Any, Any]) -> None:
        """Begin a task.

        Args:
            what: What it does, for the log.
            work: The task.
        """
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                _logger.error("%s failed: %s: %s", what, type(error).__name__, error)

        task.add_done_callback(done)
