"""`Route`, and the arguments of its handler."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import BaseModel
from starlette.types import Receive

from mastra_temporal import Mastra, Workflow
from mastra_temporal.server.background import Background
from mastra_temporal.server.created import CreatedRuns
from mastra_temporal.server.errors import HttpError
from mastra_temporal.server.models import NoQuery

__all__ = ["Call", "Caller", "Events", "Handler", "Method", "Route", "until_gone"]

T = TypeVar("T")

Method = Literal["GET", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True)
class Caller:
    """The caller of a request, as far as it is known."""

    client: str
    """The key for counting open streams: the user's resource id, or the address."""
    resource_id: str | None = None
    """The resource that the user is restricted to. It is set by the server, never by the client."""
    trusted: dict[str, Any] = field(default_factory=lambda: dict[str, Any]())
    """Entries of the request context that the server sets."""
    query_context: dict[str, Any] = field(default_factory=lambda: dict[str, Any]())
    """Entries of the request context that the client put into the query."""


@dataclass(frozen=True)
class Call:
    """A validated request."""

    mastra: Mastra
    caller: Caller
    path: dict[str, str]
    query: Any
    """An instance of the route's ``query``."""
    body: Any
    """An instance of the route's ``body``."""
    created: CreatedRuns
    background: Background
    receive: Receive

    @property
    def workflow(self) -> Workflow[Any, Any, Any]:
        """The workflow that the path names.

        Raises:
            WorkflowNotFoundError: The workflow is not registered.
        """
        return self.mastra.get_workflow(self.path["workflowId"])

    async def wait(self, work: Awaitable[T]) -> T:
        """Wait for work that may take long. Cancel it when the client disconnects.

        Raises:
            HttpError: 499, the client has disconnected. This response is not read.
        """
        task = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(until_gone(self.receive))
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise HttpError(499, "The client has left.")
        finally:
            # This cancels only the waiting in this process. The run in Temporal continues.
            task.cancel()
            leaving.cancel()
            await asyncio.gather(task, leaving, return_exceptions=True)


async def until_gone(receive: Receive) -> None:
    """Wait until the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """A row of the table of routes, from which the application and its OpenAPI document are built."""

    method: Method
    path: str
    """The path below the prefix, in the syntax of Starlette and OpenAPI."""
    handler: Handler
    """The handler. It returns data of the response type, or an asynchronous generator of events for a stream."""
    summary: str
    tag: str
    response: Any
    """The response type, for the OpenAPI document."""
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] | None = None
    is_stream: bool = False
    """Whether the response is a stream of events."""


Events = AsyncGenerator[Any]
"""The result of the handler of a stream."""
