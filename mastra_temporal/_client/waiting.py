"""Share the server's long polls, which are limited per namespace, between the waiters of one client.

The server rejects more than 1,200 concurrent long polls of one kind per namespace. So all waiters on one run share one
poll, and each client has a bounded number of places, one per poll. A waiter without a place looks at its run from time
to time instead. The total rate of these looks is bounded. So every waiter gets its answer soon, even if hundreds of
runs that last for days hold all places.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from temporalio.client import Client
from temporalio.service import ServiceClient

__all__ = ["Places", "Waiting", "waiting"]

PLACES = 200
"""Maximum number of concurrent long polls per client and kind."""
LOOKS_PER_SECOND = 200
"""Maximum rate of looks of all waiters without a place."""
SHORTEST_SECONDS = 0.5
"""Minimum seconds between two looks of one waiter."""
CALLS = 20
"""Maximum number of concurrent looks and starts."""
MESSAGES = 4
"""Maximum number of concurrent updates to one run. The server accepts ten from all clients together. When it rejects
another one, it also aborts those in flight and their workflow task (server 1.32), and all have to be retried."""

T = TypeVar("T")


class Places:
    """A bounded number of places, served in order of arrival."""

    def __init__(self) -> None:
        """Create places that are all free."""
        self._free = PLACES
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def any_free(self) -> bool:
        """Whether a place is free."""
        return self._free > 0

    async def take(self) -> bool:
        """Take a place, or wait a limited time for one.

        Returns:
            True if the caller has a place. False if it has none and should look at its run now.
        """
        if self.any_free:
            self._free -= 1
            return True
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            await asyncio.wait((place,), timeout=max(SHORTEST_SECONDS, len(self._queue) / LOOKS_PER_SECOND))
        except asyncio.CancelledError:
            # The place may arrive together with the cancellation. Without this, it would be lost for all waiters.
            if place.done():
                self.give_back()
            raise
        finally:
            place.cancel()
            with contextlib.suppress(ValueError):
                self._queue.remove(place)
        return not place.cancelled()

    def give_back(self) -> None:
        """Give the place to the next waiter, or make it free."""
        if self._queue:
            self._queue.popleft().set_result(None)
        else:
            self._free += 1


class Waiting:
    """Resources shared by the waiters of one client."""

    def __init__(self) -> None:
        """Create the resources, without any waiter."""
        self.outcomes = Places()
        """Places for waiters on the outcome of a run (its end or suspension)."""
        self.news = Places()
        """Places for readers of streams."""
        self.calls = asyncio.Semaphore(CALLS)
        """Limits the short calls of waiters without a place, and starts."""
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._shared: dict[Hashable, tuple[asyncio.Task[Any], list[None]]] = {}
        self._held: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()

    def turn(self, run_id: str) -> asyncio.Semaphore:
        """Return the semaphore that limits concurrent updates to one run."""
        return self._turns.setdefault(run_id, asyncio.Semaphore(MESSAGES))

    def held_together(self, key: Hashable, create: Callable[[], T]) -> T:
        """Return the object of a key. It exists as long as someone holds it, and all get the same one meanwhile."""
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = create()
        return held

    async def share(self, key: Hashable, wait: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, bool]:
        """Wait for something together with all other waiters on the same key, using one task.

        The task is cancelled only when its last waiter is.

        Args:
            key: Identifies what is waited for.
            wait: Starts to wait. Called by the first waiter only.

        Returns:
            The result, and whether other waiters got the same object.
        """
        if key not in self._shared:
            task = asyncio.ensure_future(wait())
            task.add_done_callback(lambda _: self._shared.pop(key, None))
            self._shared[key] = (task, [])
        task, waiters = self._shared[key]
        shared = bool(waiters)
        waiters.append(None)
        try:
            # Without the shield, one cancelled waiter would cancel the task of all.
            return await asyncio.shield(task), shared or len(waiters) > 1
        finally:
            waiters.pop()
            if not waiters and not task.done():
                # Remove the task before it has ended. Otherwise a new waiter could join a task that is being cancelled.
                self._shared.pop(key, None)
                task.cancel()
                await asyncio.wait((task,))


_known: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakKeyDictionary[ServiceClient, Waiting]] = WeakKeyDictionary()


def waiting(client: Client) -> Waiting:
    """Return the resources shared by all waiters on this client's connection in the running event loop."""
    # One set per event loop: futures and tasks of one loop cannot be awaited in another.
    of_loop = _known.setdefault(asyncio.get_running_loop(), WeakKeyDictionary())
    if client.service_client not in of_loop:
        of_loop[client.service_client] = Waiting()
    return of_loop[client.service_client]
