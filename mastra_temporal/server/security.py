"""Authentication, reserved keys of the request context, checks of origins and hosts, and the limit of body sizes."""

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
"""Keys of the request context that only the server may set, as in Mastra."""
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
"""The host names of a server on loopback."""

User = Mapping[str, Any]
Authenticate = Callable[[Request], "User | Awaitable[User | None] | None"]
"""Gets the request and returns the user as JSON-able data, or None for an unknown user, which is answered with 401."""
MapUser = Callable[[User], str]
"""Gets the user and returns the resource that it is restricted to. Mastra's ``mapUserToResourceId``."""


def without_reserved(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return a client's request context without the reserved keys."""
    return {key: value for key, value in context.items() if key not in RESERVED_KEYS}


async def caller_of(request: Request, authenticate: Authenticate | None, map_user: MapUser | None) -> Caller:
    """Authenticate a request and return its caller.

    Raises:
        HttpError: 401, the authentication function does not know the user. 403, the user has no resource id.
    """
    address = request.client.host if request.client else "unknown"
    if authenticate is None:
        return Caller(client=address)
    try:
        found = authenticate(request)
        user = await found if inspect.isawaitable(found) else found
    except Exception:  # from the user's function, for example for a malformed token; answered with 401 as in Mastra
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
    """Read and return the body of a request.

    Raises:
        HttpError: 413, the body is larger than the limit. The rest of it is not read.
    """
    too_large = HttpError(413, f"The request body is larger than {limit} bytes.")
    said = request.headers.get("content-length", "0")
    if not said.isdecimal() or int(said) > limit:
        raise too_large
    # Count the bytes as well: a chunked body has no Content-Length, and could fill the memory.
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def check_address(host: str, *, protected: bool) -> None:
    """Refuse to bind a public address without protection.

    Args:
        host: The address to bind.
        protected: Whether there is an authentication, or the user has allowed to bind without one.

    Raises:
        ConfigurationError: The address is public and not protected.
    """
    if not protected and not is_loopback(host):
        raise ConfigurationError(
            f"Others can reach {host or 'every address'}, and there is no authentication: anybody could start, read "
            "and delete runs. Name a function with --authenticate, bind 127.0.0.1, or say --allow-unauthenticated "
            "where something else protects the server."
        )


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached only from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class OriginCheck:
    """ASGI middleware that refuses requests which a page of another site makes the browser send.

    Without it every page in the user's browser could change runs on a server that is bound to loopback. It checks only
    requests that change something; CORS protects reading. It also refuses unexpected values of ``Host``, against DNS
    rebinding, in which a foreign host name resolves to this server.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str], hosts: Collection[str]) -> None:
        """Wrap an application.

        Args:
            app: The application.
            origins: The sites that may call, besides the server's own site, or ``*`` for all.
            hosts: The accepted host names. If empty, all are accepted.
        """
        self._app = app
        self._origins = origins
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request with 403, or pass it on to the application."""
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
