"""The thread that sends the heartbeats of all attempts of this process, even if their event loops or threads are busy.

It runs its own event loop and needs the GIL for some microseconds per second. Only code that holds the GIL, or a frozen
process, can delay it.
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
"""Seconds between two rounds of the thread."""
IDLE_SECONDS = 5.0
"""Seconds after which an idle thread ends."""
FROZEN_SECONDS = 1.0
"""Seconds that one round may take. A longer one means that the process was frozen."""


class Beating(Protocol):
    """An attempt that the thread sends heartbeats for."""

    def tick(self, now: float, *, awake_since: float) -> None:
        """Do what is due. The thread calls this ten times a second, on its event loop.

        Args:
            now: The current time of ``time.monotonic()``.
            awake_since: The time since which the process has not been frozen.
        """
        ...


class HeartbeatThread:
    """The one heartbeat thread of a process. It runs only while there is an attempt to serve or a loop to watch."""

    def __init__(self) -> None:
        """Create it without starting the thread."""
        self._lock = threading.Lock()
        self._attempts = set[Beating]()
        self._watches: dict[asyncio.AbstractEventLoop, LoopWatch] = {}
        self._running = False

    def add(self, attempt: Beating) -> None:
        """Start to send heartbeats for an attempt."""
        with self._lock:
            self._attempts.add(attempt)
            self._start()

    def remove(self, attempt: Beating) -> None:
        """Stop sending heartbeats for an attempt. A round that has begun may still call it."""
        with self._lock:
            self._attempts.discard(attempt)

    @contextlib.contextmanager
    def watching(self) -> Generator[LoopWatch, None, None]:
        """Watch the running event loop while the block runs."""
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
                # End under the lock that `add` takes. Otherwise an attempt added now would get no heartbeats.
                elif now - busy_at > IDLE_SECONDS:
                    self._running = False
                    return
            frozen = now - before > FROZEN_SECONDS
            awake_since = now if frozen else awake_since
            for watch in watches:
                # The frozen time is not the fault of the code that runs on the loop: do not report it as blocking.
                if frozen:
                    watch.forgive()
                watch.look()
            for attempt in attempts:
                attempt.tick(now, awake_since=awake_since)


HEARTBEATS = HeartbeatThread()
