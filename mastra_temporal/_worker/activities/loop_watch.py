"""Detect from another thread whether an event loop is blocked, since when, and by which code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time

__all__ = ["LoopWatch"]

_logger = logging.getLogger("mastra_temporal.worker")

LOGGED_SECONDS = 1.0
"""Seconds of blocking after which a warning is logged."""
SAMPLED_SECONDS = 0.3
"""Seconds without an answer after which the code that runs on the loop is recorded."""


class LoopWatch:
    """Watches one event loop. It is created in the loop's thread and used from another one."""

    def __init__(self) -> None:
        """Watch the running loop."""
        self.users = 0
        """Number of blocks that use this watch."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._asked: float | None = None
        self._busy_with: str | None = None

    def look(self) -> None:
        """Ask the loop for an answer. If an earlier one is still missing, record which code blocks the loop."""
        if self._asked is None:
            self._busy_with = None
            self._asked = time.monotonic()
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._answer)
        elif self.blocked_seconds > SAMPLED_SECONDS:
            self._busy_with = self._sample() or self._busy_with

    def forgive(self) -> None:
        """Restart the measurement, because the whole process was frozen."""
        if self._asked is not None:
            self._asked = time.monotonic()

    @property
    def blocked_seconds(self) -> float:
        """Seconds for which the loop has not answered."""
        asked = self._asked
        return 0 if asked is None else time.monotonic() - asked

    def _answer(self) -> None:
        """Note that the loop has answered, and log a warning if it was blocked. Runs on the loop."""
        blocked, self._asked = self.blocked_seconds, None
        if blocked > LOGGED_SECONDS and self._busy_with is not None:
            _logger.warning(
                "%s blocked the worker's event loop for %.1f s. Everything async on this worker waited, its workflows "
                "included. Write it as `def` instead of `async def`, so that it runs in a thread of its own, or await "
                "what takes so long.",
                self._busy_with, blocked,
            )  # fmt: skip

    def _sample(self) -> str | None:
        """Return the task that occupies the loop, and the line that it executes."""
        task = asyncio.current_task(self._loop)
        frame = sys._current_frames().get(self._thread)  # pyright: ignore[reportPrivateUsage]
        if task is None or frame is None:
            return None
        where = f"{frame.f_code.co_name}(), {frame.f_code.co_filename}:{frame.f_lineno}"
        return f"{task.get_name()} ({where})"
