"""`Endpoints`: authenticates and validates a request, calls its handler, and answers with its result or its error."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from mastra_temporal import Mastra
from mastra_temporal.server.answers import as_json
from mastra_temporal.server.background import Background
from mastra_temporal.server.created import CreatedRuns
from mastra_temporal.server.errors import HttpError, explain, invalid
from mastra_temporal.server.event_stream import EventStream, StreamLimit
from mastra_temporal.server.route import Call, Caller, Route
from mastra_temporal.server.security import Authenticate, MapUser, caller_of, read_body

__all__ = ["Endpoints", "refusal"]


@dataclass
class Endpoints:
    """The objects that all routes of an application share."""

    mastra: Mastra
    authenticate: Authenticate | None
    map_user: MapUser | None
    max_body_bytes: int
    streams: StreamLimit
    created: CreatedRuns = field(default_factory=CreatedRuns)
    background: Background = field(default_factory=Background)
    connecting: asyncio.Lock = field(default_factory=asyncio.Lock)

    def endpoint(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """Return the Starlette endpoint of a route."""

        async def endpoint(request: Request) -> Response:
            try:
                return await self._answer(route, request)
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception as error:
                return refusal(explain(error))

        return endpoint

    async def _answer(self, route: Route, request: Request) -> Response:
        caller = await caller_of(request, self.authenticate, self.map_user)
        call = Call(
            mastra=self.mastra,
            caller=replace(caller, query_context=_query_context(request)),
            path=dict(request.path_params),
            query=_checked(route.query, dict(request.query_params), "query parameters"),
            body=None if route.body is None else await self._body(route.body, request),
            created=self.created,
            background=self.background,
            receive=request.receive,
        )
        if route.is_stream:
            return await self._stream(route, call, caller)
        await self._connect()
        answer = route.handler(call)
        # A GET is cancelled when its client disconnects. Other requests run to their end: cancelled in the middle,
        # they could leave a change half done.
        return JSONResponse(as_json(await (call.wait(answer) if route.method == "GET" else answer)))

    async def _stream(self, route: Route, call: Call, caller: Caller) -> Response:
        self.streams.check(caller.client)
        await self._connect()
        return EventStream(await route.handler(call), self.streams, caller.client)

    async def _connect(self) -> None:
        # Connect at the first request and not in a lifespan handler. A mounted application gets no lifespan events,
        # and a failed connection must be answered with 503 instead of ending the server.
        async with self.connecting:
            await self.mastra.connect()

    async def _body(self, model: type[BaseModel], request: Request) -> BaseModel:
        text = await read_body(request, self.max_body_bytes)
        try:
            data: Any = from_json(text or b"{}", allow_inf_nan=False)
        except ValueError as error:
            issues = [{"field": "body", "message": str(error)}]
            raise HttpError(400, "Invalid request body", issues) from None
        return _checked(model, data, "request body")


def refusal(error: HttpError) -> Response:
    """Return the response for an error."""
    issues = {} if error.issues is None else {"issues": error.issues}
    return JSONResponse({"error": str(error), **issues}, status_code=error.status)


def _checked(model: type[BaseModel], data: Any, what: str) -> BaseModel:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise invalid(what, error) from None


def _query_context(request: Request) -> dict[str, Any]:
    """Return the request context in the query: JSON, plain or in base64. Other text is ignored, as in Mastra."""
    text = request.query_params.get("requestContext", "")
    for decode in (str.encode, base64.b64decode):
        with contextlib.suppress(ValueError):
            found: Any = json.loads(decode(text))
            return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return {}
