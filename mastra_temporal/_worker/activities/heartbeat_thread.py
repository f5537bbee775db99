"""The thread that beats for all attempts of this process, whatever their own event loops and threads are busy with.

It has an event loop of its own. It needs Python's lock for some microseconds a second: only code that keeps that lock
to itself, or a process that stands still, can hold it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Generator
from typing import Protocol

from mastra_temporal._worker.activities.loop_watch import LoopWatch

__all__ = ["HEARTBEATS", "Beating", "HeartbeatThread"]

TICK_SECONDS = 0.1
IDLE_SECONDS = 5.0
"""How long the thread stays when there is nothing to do."""
FROZEN_SECONDS = 1.0
"""A tick that takes so long means that the process stood still."""


class Beating(Protocol):
    """What the thread beats for."""

    def tick(self, now: float, *, awake_since: float) -> None:
        """Do what is due. Called ten times a second, on the thread's event loop."""
        ...


class HeartbeatThread:
    """One thread for a process. It exists while there is something to beat for or to watch."""

    def __init__(self) -> None:
        """There is nothing to do yet."""
        self._lock = threading.Lock()
        self._attempts = set[Beating]()
        self._watches: dict[asyncio.AbstractEventLoop, LoopWatch] = {}
        self._running = False

    def add(self, attempt: Beating) -> None:
        """Begin to beat for an attempt."""
        with self._lock:
            self._attempts.add(attempt)
            self._start()

    def remove(self, attempt: Beating) -> None:
        """Beat no more for an attempt. A tick that has begun may still reach it."""
        with self._lock:
            self._attempts.discard(attempt)

    @contextlib.contextmanager
    def watching(self) -> Generator[LoopWatch, None, None]:
        """Watch the running event loop for the length of the block."""
        loop = asyncio.get_running_loop()
        with self._lock:
            watch = self._watches.setdefault(loop, LoopWatch())
            watch.users += 1
            self._start()
        try:
            yield watch
        finally:
            with self._lock:
                watch.users -= 1
                if watch.users == 0:
                    del self._watches[loop]

    def _start(self) -> None:
        if not self._running:
            self._running = True
            threading.Thread(target=lambda: asyncio.run(self._run()), name="mastra-heartbeats", daemon=True).start()

    async def _run(self) -> None:
        awake_since = busy_at = time.monotonic()
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            with self._lock:
                attempts, watches = list(self._attempts), list(self._watches.values())
                if attempts or watches:
                    busy_at = now
                elif now - busy_at > IDLE_SECONDS:
                    self._running = False
                    return
            frozen = now - before > FROZEN_SECONDS
            awake_since = now if frozen else awake_since
            for watch in watches:
                if frozen:
                    watch.forgive()
                watch.look()
            for attempt in attempts:
                attempt.tick(now, awake_since=awake_since)


HEARTBEATS = HeartbeatThread()
