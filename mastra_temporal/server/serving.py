"""Running the application with uvicorn, on an address that is safe."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp

from mastra_temporal import ConfigurationError
from mastra_temporal.server.security import is_loopback

__all__ = ["LOOPBACK_NAMES", "check_address", "serve_http"]

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
GRACE_SECONDS = 5
"""How long streams may go on when the server stops. Their readers come again, with an offset."""


def check_address(host: str, *, protected: bool) -> None:
    """Refuse an address that others reach when anybody could do anything there.

    Args:
        host: What is to be bound.
        protected: Whether there is an authentication, or it is said that none is needed.

    Raises:
        ConfigurationError: It is public and not protected.
    """
    if not protected and not is_loopback(host):
        raise ConfigurationError(
            f"Others can reach {host}, and there is no authentication: anybody could start, read and delete runs. "
            "Name a function with --authenticate, bind 127.0.0.1, or say --allow-unauthenticated "
            "where something else protects the server."
        )


async def serve_http(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 4111) -> None:
    """Serve an application until SIGINT or SIGTERM.

    Args:
        app: What `create_app` made. Whether it has an authentication is not known here: the command
            ``mastra-temporal serve`` checks it.
        host: The address to bind.
        port: The port.

    Raises:
        ConfigurationError: The port is taken.
    """
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=GRACE_SECONDS, server_header=False
    )
    server = uvicorn.Server(config)
    try:
        await server.serve()
    except SystemExit:
        raise ConfigurationError(f"Cannot listen on {host}:{port}: is the port taken?") from None
