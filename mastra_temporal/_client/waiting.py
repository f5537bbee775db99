"""How the waiters of one client share the server's long polls, of which a namespace has a limited number.

The server refuses more than 1,200 of one kind at once, from all clients together. So the waiters on one run share one,
and a client has a bounded number of places for all. Whoever finds none free looks at its run from time to time, all of
them together at a bounded rate: so everybody gets an answer soon after it is there, also behind hundreds of runs that
last for days.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from temporalio.client import Client
from temporalio.service import ServiceClient

__all__ = ["Places", "Waiting", "waiting"]

PLACES = 200
"""Long polls of a client at once, of each kind."""
LOOKS_PER_SECOND = 200
"""How many looks those take together who have no place."""
SHORTEST_SECONDS = 0.5
"""Between two looks of one."""
CALLS = 20
"""Looks, and starts, that are on their way at once."""
MESSAGES = 4
"""Updates to one run that are on their way at once. The server takes ten, from all clients together. When it refuses
one more, it also drops those under way and the workflow task that brings them (server 1.32): all of them come again."""


class Places:
    """A bounded number of places: first come, first served."""

    def __init__(self) -> None:
        """All are free."""
        self._free = PLACES
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def any_free(self) -> bool:
        """Whether nobody has to wait for a place."""
        return self._free > 0

    async def take(self) -> bool:
        """Take a place, or wait for one.

        Returns:
            False when it is time to look, without a place.
        """
        if self.any_free:
            self._free -= 1
            return True
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            await asyncio.wait((place,), timeout=max(SHORTEST_SECONDS, len(self._queue) / LOOKS_PER_SECOND))
        except asyncio.CancelledError:
            if place.done():
                self.give_back()
            raise
        finally:
            place.cancel()
            with contextlib.suppress(ValueError):
                self._queue.remove(place)
        return not place.cancelled()

    def give_back(self) -> None:
        """Let the next one have the place."""
        if self._queue:
            self._queue.popleft().set_result(None)
        else:
            self._free += 1


class Waiting:
    """What the waiters of one client share."""

    def __init__(self) -> None:
        """Nobody waits."""
        self.outcomes = Places()
        """For those who wait until a run ends or is suspended."""
        self.news = Places()
        """For those who read streams."""
        self.calls = asyncio.Semaphore(CALLS)
        """For the short calls of those who have no place."""
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._shared: dict[Hashable, tuple[asyncio.Task[Any], list[None]]] = {}

    def turn(self, run_id: str) -> asyncio.Semaphore:
        """For a message that changes what a run does: those who have one for the same run take turns."""
        return self._turns.setdefault(run_id, asyncio.Semaphore(MESSAGES))

    async def share(self, key: Hashable, wait: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, bool]:
        """Wait together with all others who wait for the same. It goes on until the last of them has left.

        Args:
            key: What is waited for.
            wait: Waits for it.

        Returns:
            What came, and whether somebody else has it, too.
        """
        if key not in self._shared:
            task = asyncio.ensure_future(wait())
            task.add_done_callback(lambda _: self._shared.pop(key, None))
            self._shared[key] = (task, [])
        task, waiters = self._shared[key]
        shared = bool(waiters)
        waiters.append(None)
        try:
            return await asyncio.shield(task), shared or len(waiters) > 1
        finally:
            waiters.pop()
            if not waiters and not task.done():
                self._shared.pop(key, None)
                task.cancel()
                await asyncio.wait((task,))


_known: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakKeyDictionary[ServiceClient, Waiting]] = WeakKeyDictionary()


def waiting(client: Client) -> Waiting:
    """What the waiters share who use this client's connection, in the running event loop."""
    of_loop = _known.setdefault(asyncio.get_running_loop(), WeakKeyDictionary())
    if client.service_client not in of_loop:
        of_loop[client.service_client] = Waiting()
    return of_loop[client.service_client]
