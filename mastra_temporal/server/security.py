"""Who may call, and what a client may not say: authentication, the request context's reserved keys, origins, sizes."""

from __future__ import annotations

import inspect
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mastra_temporal import ConfigurationError
from mastra_temporal.server.errors import HttpError
from mastra_temporal.server.route import Caller

__all__ = [
    "LOOPBACK_NAMES",
    "RESERVED_KEYS",
    "Authenticate",
    "MapUser",
    "OriginCheck",
    "caller_of",
    "check_address",
    "is_loopback",
    "read_body",
    "without_reserved",
]

_logger = logging.getLogger("mastra_temporal.server")

USER_KEY = "mastra__user"
RESOURCE_KEY = "mastra__resourceId"
RESERVED_KEYS = frozenset(
    {
        RESOURCE_KEY,
        USER_KEY,
        "mastra__threadId",
        "mastra__userPermissions",
        "mastra__userRoles",
        "mastra__authToken",
        "mastra__isStudio",
        "mastra__authMode",
        "mastra__inheritedMemory",
        "organizationId",
    }
)
"""Keys of the request context that only the server may set: Mastra's list."""
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
"""The names by which a server on loopback is addressed."""

User = Mapping[str, Any]
Authenticate = Callable[[Request], "User | Awaitable[User | None] | None"]
"""Gets the request and returns the user, as JSON-able data; None for somebody unknown, who is answered 401."""
MapUser = Callable[[User], str]
"""Gets the user and returns the resource that it is confined to. Mastra's ``mapUserToResourceId``."""


def without_reserved(context: Mapping[str, Any]) -> dict[str, Any]:
    """A client's request context without the keys that are the server's."""
    return {key: value for key, value in context.items() if key not in RESERVED_KEYS}


async def caller_of(request: Request, authenticate: Authenticate | None, map_user: MapUser | None) -> Caller:
    """Who calls.

    Raises:
        HttpError: 401, nobody that the hook knows.
    """
    address = request.client.host if request.client else "unknown"
    if authenticate is None:
        return Caller(client=address)
    try:
        found = authenticate(request)
        user = await found if inspect.isawaitable(found) else found
    except Exception:  # of the user's own function: a token that cannot be read is nobody's, as in Mastra
        _logger.exception("The authentication hook raised, so the caller is refused")
        user = None
    if user is None:
        raise HttpError(401, "Invalid or expired token")
    trusted: dict[str, Any] = {"user": dict(user), USER_KEY: dict(user)}
    if map_user is None:
        return Caller(client=address, trusted=trusted)
    resource_id = map_user(user)
    if not isinstance(resource_id, str) or not resource_id.strip():  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check types
        raise HttpError(403, "Failed to map authenticated user to a resource ID")
    return Caller(client=resource_id, resource_id=resource_id, trusted={**trusted, RESOURCE_KEY: resource_id})


async def read_body(request: Request, limit: int) -> bytes:
    """The body of a request.

    Raises:
        HttpError: 413, it is larger than the limit. It is not read to its end then.
    """
    too_large = HttpError(413, f"The request body is larger than {limit} bytes.")
    said = request.headers.get("content-length", "0")
    if not said.isdecimal() or int(said) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def check_address(host: str, *, protected: bool) -> None:
    """Refuse to bind an address that others reach when anybody could do anything there.

    Args:
        host: What is to be bound.
        protected: Whether there is an authentication, or it is said that none is needed.

    Raises:
        ConfigurationError: It is public and not protected.
    """
    if not protected and not is_loopback(host):
        raise ConfigurationError(
            f"Others can reach {host or 'every address'}, and there is no authentication: anybody could start, read "
            "and delete runs. Name a function with --authenticate, bind 127.0.0.1, or say --allow-unauthenticated "
            "where something else protects the server."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address that a server binds."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class OriginCheck:
    """Refuses what another site makes a browser send: a server on loopback is reachable from every page.

    Reading is the business of CORS; this is for requests that change something. It also refuses a ``Host`` that is
    not expected, so that a name which is made to point here (DNS rebinding) is of no use.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str], hosts: Collection[str]) -> None:
        """Wrap an application.

        Args:
            app: The application.
            origins: Sites that may call, beside the server's own; ``*`` for all.
            hosts: Names by which the server may be addressed; none for any.
        """
        self._app = app
        self._origins = origins
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or hand it on."""
        if scope["type"] == "http" and (reason := self._objection(Request(scope))) is not None:
            await JSONResponse({"error": reason}, status_code=403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _objection(self, request: Request) -> str | None:
        host = request.headers.get("host", "")
        if self._hosts and urlsplit(f"//{host}").hostname not in self._hosts:
            return "This host name is not allowed here."
        origin = request.headers.get("origin")
        if origin is None or request.method in ("GET", "HEAD", "OPTIONS"):
            return None
        if "*" in self._origins or origin in self._origins or urlsplit(origin).netloc == host:
            return None
        return "Requests from this origin are not allowed: name it in `cors_origins`."
