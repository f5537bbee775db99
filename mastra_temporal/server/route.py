"""A route, and what its handler is given."""

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
    """Who calls, as far as it is known."""

    client: str
    """Whose streams are counted together: the user's resource, or the address."""
    resource_id: str | None = None
    """What the user is confined to: set by the server, never by the client."""
    trusted: dict[str, Any] = field(default_factory=lambda: dict[str, Any]())
    """Entries of the request context that the server sets."""
    query_context: dict[str, Any] = field(default_factory=lambda: dict[str, Any]())
    """Entries of the request context that the client put into the address."""


@dataclass(frozen=True)
class Call:
    """One request, checked."""

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
            WorkflowNotFoundError: There is none.
        """
        return self.mastra.get_workflow(self.path["workflowId"])

    async def wait(self, work: Awaitable[T]) -> T:
        """Wait for what may take long, as long as the client does.

        Raises:
            HttpError: The client has left; nobody reads it.
        """
        task = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(until_gone(self.receive))
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise HttpError(499, "The client has left.")
        finally:
            task.cancel()
            leaving.cancel()
            await asyncio.gather(task, leaving, return_exceptions=True)


async def until_gone(receive: Receive) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """A row of the table from which the application and its OpenAPI document are made."""

    method: Method
    path: str
    """Below the prefix, as Starlette and OpenAPI write it."""
    handler: Handler
    """Gives what the response model describes; of a stream: an asynchronous generator of events."""
    summary: str
    tag: str
    response: Any
    """A type, for the document."""
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] | None = None
    is_stream: bool = False
    """Whether events are answered, as they happen."""


Events = AsyncGenerator[Any]
"""What the handler of a stream gives."""
