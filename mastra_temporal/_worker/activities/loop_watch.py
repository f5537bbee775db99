"""Is an event loop blocked, since when, and by whose code? Asked from another thread."""

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
"""A loop that was blocked for longer is logged."""
SAMPLED_SECONDS = 0.3
"""After so long without an answer it is noted what the loop is busy with."""


class LoopWatch:
    """The watch over one event loop. Made in the loop's thread, used by another one."""

    def __init__(self) -> None:
        """Watch the running loop."""
        self.users = 0
        """How many want the watch."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._asked: float | None = None
        self._busy_with: str | None = None

    def look(self) -> None:
        """Ask the loop for a sign of life, unless it owes one already."""
        if self._asked is None:
            self._busy_with = None
            self._asked = time.monotonic()
            with contextlib.suppress(RuntimeError):  # it was closed
                self._loop.call_soon_threadsafe(self._answer)
        elif self.blocked_seconds > SAMPLED_SECONDS:
            self._busy_with = self._sample() or self._busy_with

    def forgive(self) -> None:
        """Begin anew: the whole process stood still."""
        if self._asked is not None:
            self._asked = time.monotonic()

    @property
    def blocked_seconds(self) -> float:
        """For how long the loop has owed a sign of life."""
        asked = self._asked
        return 0 if asked is None else time.monotonic() - asked

    def _answer(self) -> None:
        blocked, self._asked = self.blocked_seconds, None
        if blocked > LOGGED_SECONDS and self._busy_with is not None:
            _logger.warning(
                "%s blocked the worker's event loop for %.1f s. Everything async on this worker waited, its workflows "
                "included. Write it as `def` instead of `async def`, so that it runs in a thread of its own, or await "
                "what takes so long.",
                self._busy_with, blocked,
            )  # fmt: skip

    def _sample(self) -> str | None:
        """The task that keeps the loop, and where it is."""
        task = asyncio.current_task(self._loop)
        frame = sys._current_frames().get(self._thread)  # pyright: ignore[reportPrivateUsage]
        if task is None or frame is None:
            return None
        where = f"{frame.f_code.co_name}(), {frame.f_code.co_filename}:{frame.f_lineno}"
        return f"{task.get_name()} ({where})"
