"""`Session`: the connection shared by runs, records, schedules and bulk restarts."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any, Protocol
from weakref import WeakValueDictionary

from temporalio.client import Client

from mastra_temporal._client.records.search_attributes import registered
from mastra_temporal._protocol.results import RunStatus
from mastra_temporal.errors import ConfigurationError

__all__ = ["LiveRun", "Session"]


class LiveRun(Protocol):
    """A `Run` object of this process. The records include those that are not started yet."""

    @property
    def run_id(self) -> str: ...
    @property
    def workflow_id(self) -> str: ...
    @property
    def resource_id(self) -> str | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def status(self) -> RunStatus: ...
    @property
    def serialized_step_graph(self) -> list[dict[str, Any]]: ...


class Session:
    """A client, the task queue of the runs, and the server's capabilities. Exists before it is connected."""

    def __init__(self, task_queue: str) -> None:
        """Create a session that is not connected yet."""
        self.task_queue = task_queue
        self.has_search_attributes: bool = False
        """Whether the server has our search attributes. Known once connected."""
        self.live_runs: WeakValueDictionary[tuple[str, str], LiveRun] = WeakValueDictionary()
        """`Run` objects of this process by workflow id and run id, as weak references."""
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The Temporal client.

        Raises:
            ConfigurationError: The session is not connected.
        """
        if self._client is None:
            raise ConfigurationError("Mastra is not connected to Temporal: call `await mastra.connect()` first.")
        return self._client

    @property
    def is_connected(self) -> bool:
        """Whether the session has a client."""
        return self._client is not None

    async def connect(self, client: Client) -> None:
        """Set the client and find out which search attributes the server has."""
        self._client = client
        self.has_search_attributes = await registered(client)

    def on(self, task_queue: str) -> Session:
        """Return a session with the same connection and another task queue."""
        other = copy.copy(self)
        other.task_queue = task_queue
        return other
