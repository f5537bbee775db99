"""Is the server in reach? Asked every second while steps run, once for all steps that have one client.

A heartbeat says nothing of its fate: the SDK sends it in the background and tries again. So a step of a worker that is
cut off from the server would never hear that the server has given it to another worker. It has to be told by ourselves.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from datetime import timedelta
from weakref import WeakKeyDictionary

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

__all__ = ["Contact"]

INTERVAL = 1.0
TIMEOUT = timedelta(seconds=2)


class Contact:
    """When a client last had an answer from the server."""

    _of_clients: WeakKeyDictionary[Client, Contact] = WeakKeyDictionary()

    def __init__(self, client: Client) -> None:
        """Use `of`."""
        self._client = client
        self._users = 0
        self._asking: asyncio.Task[None] | None = None
        self.last = 0.0
        """By the event loop's clock, which goes on while the process is frozen."""

    @classmethod
    def of(cls, client: Client) -> Contact:
        """The contact of a client."""
        return cls._of_clients.setdefault(client, cls(client))

    @contextlib.contextmanager
    def kept(self) -> Generator[Contact, None, None]:
        """Ask the server again and again for the length of the block, which begins with an answer just had."""
        self.last = asyncio.get_running_loop().time()
        self._users += 1
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        try:
            yield self
        finally:
            self._users -= 1
            if self._users == 0:
                self._asking.cancel()
                self._asking = None

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(INTERVAL)
            with contextlib.suppress(RPCError):
                await self._client.workflow_service.get_system_info(
                    GetSystemInfoRequest(), retry=False, timeout=TIMEOUT
                )
                self.last = loop.time()
