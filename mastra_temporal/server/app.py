"""`create_app`: creates the ASGI application, to be run by uvicorn or mounted in FastAPI or Starlette."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as StarletteRoute

from mastra_temporal import Mastra
from mastra_temporal.server.endpoint import Endpoints
from mastra_temporal.server.event_stream import StreamLimit
from mastra_temporal.server.openapi import openapi_document
from mastra_temporal.server.security import Authenticate, MapUser, OriginCheck
from mastra_temporal.server.table import ROUTES

__all__ = ["create_app"]


def create_app(
    mastra: Mastra,
    *,
    authenticate: Authenticate | None = None,
    map_user_to_resource_id: MapUser | None = None,
    middleware: Sequence[Middleware] = (),
    cors_origins: Collection[str] = (),
    allowed_hosts: Collection[str] = (),
    prefix: str = "/api",
    max_body_bytes: int = 4 * 1024 * 1024,
    max_streams_per_client: int = 100,
) -> Starlette:
    """Create Mastra's HTTP API for the workflows of a registry, as an ASGI application.

    The application connects to Temporal at the first request, unless ``mastra.connect()`` was called before. It needs
    no worker in its process. Reading runs needs no worker at all.

    Args:
        mastra: The registry.
        authenticate: Gets each request and returns its user as JSON-able data, or None for an unknown user, which is
            answered with 401. The user is stored in the request context of the runs that it starts, as ``user`` and
            ``mastra__user``, and so in their histories. It must not have secrets.
        map_user_to_resource_id: Gets the user and returns its resource id. The user can then read and change only the
            runs of this resource.
        middleware: Additional ASGI middleware, for example another kind of authentication.
        cors_origins: The sites whose pages may call the API, for example ``http://localhost:3000``, or ``*`` for all.
            Default: none.
        allowed_hosts: The host names that the server accepts. Default: any.
        prefix: The path prefix of the API, called ``apiPrefix`` in the client.
        max_body_bytes: The largest request body in bytes. Temporal itself takes 2 MiB of data by default.
        max_streams_per_client: The largest number of open streams for one user or one address.
    """
    endpoints = Endpoints(
        mastra=mastra,
        authenticate=authenticate,
        map_user=map_user_to_resource_id,
        max_body_bytes=max_body_bytes,
        streams=StreamLimit(max_streams_per_client),
    )
    prefix = f"/{prefix.strip('/')}" if prefix.strip("/") else ""
    document = openapi_document(ROUTES, prefix)

    async def openapi(request: Request) -> Response:
        return JSONResponse(document)

    app = Starlette(
        routes=[
            StarletteRoute("/", _here),
            StarletteRoute("/health", _health),
            StarletteRoute(f"{prefix}/openapi.json", openapi),
            *(StarletteRoute(prefix + each.path, endpoints.endpoint(each), methods=[each.method]) for each in ROUTES),
        ],
        middleware=[
            *_cors(cors_origins),
            Middleware(OriginCheck, origins=cors_origins, hosts=allowed_hosts),
            *middleware,
        ],
        exception_handlers={HTTPException: _refused},
    )
    app.state.streams = endpoints.streams
    return app


def _cors(origins: Collection[str]) -> list[Middleware]:
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["*"],
            allow_credentials="*" not in origins,
        )
    ]


async def _here(request: Request) -> Response:
    """Answer Studio's check whether a server is running."""
    return JSONResponse({"name": "mastra-temporal"})


async def _health(request: Request) -> Response:
    return JSONResponse({"success": True})


async def _refused(request: Request, error: Exception) -> Response:
    """Answer errors of Starlette itself, such as an unknown path or a wrong method, in Mastra's shape."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)
