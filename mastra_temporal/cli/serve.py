"""``mastra-temporal serve``: runs Mastra's HTTP API."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import socket
from collections.abc import Generator, Sequence
from typing import Any

from mastra_temporal.cli.addresses import listening
from mastra_temporal.cli.loading import load_app
from mastra_temporal.cli.running import on_stop_signal
from mastra_temporal.cli.telemetry import set_up_logs
from mastra_temporal.errors import ConfigurationError

__all__ = ["has_server_packages", "serve_api"]

GRACE_SECONDS = 5
"""How long open streams may continue when the server stops, in seconds. Readers can reconnect with an offset."""

_logger = logging.getLogger("mastra_temporal.server")


def has_server_packages() -> bool:
    """Return whether the packages of the extra ``server`` are installed."""
    return all(importlib.util.find_spec(package) for package in ("starlette", "uvicorn"))


async def serve_api(
    app: str,
    *,
    host: str,
    port: int,
    authenticate: str | None,
    allow_unauthenticated: bool,
    cors_origins: Sequence[str],
) -> None:
    """Serve the HTTP API until SIGINT or SIGTERM.

    Args:
        app: The registry as ``module:attribute``.
        host: The address to bind.
        port: The port to bind.
        authenticate: The function for `create_app` as ``module:attribute``.
        allow_unauthenticated: Whether to bind a public address without authentication.
        cors_origins: The sites whose pages may call the API.

    Raises:
        ConfigurationError: The packages or the app are missing, the address is public and not protected, or the address
            is in use.
    """
    if not has_server_packages():
        raise ConfigurationError("The HTTP server needs its packages: run `pip install 'mastra-temporal[server]'`.")
    from mastra_temporal.server import create_app
    from mastra_temporal.server.security import LOOPBACK_NAMES, check_address, is_loopback

    set_up_logs()
    check_address(host, protected=authenticate is not None or allow_unauthenticated)
    mastra = load_app(app)
    application = create_app(
        mastra,
        authenticate=None if authenticate is None else _function(authenticate),
        cors_origins=cors_origins,
        allowed_hosts=LOOPBACK_NAMES if is_loopback(host) else (),
    )
    with listening(host, port) as listener:
        _logger.info("Mastra's HTTP API for %s at http://%s:%d/api", app, host, port)
        await _run(application, listener)
    _logger.info("stopped")


def _function(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"`--authenticate {name}` cannot be found as `module:function`: {error}.") from error


async def _run(application: Any, listener: socket.socket) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None]:
            # `on_stop_signal` handles the signals. uvicorn would raise a captured signal again after its end, and the
            # process would end with the status of a killed process instead of 0.
            yield

    config = uvicorn.Config(
        application, log_level="warning", timeout_graceful_shutdown=GRACE_SECONDS, server_header=False, lifespan="off"
    )
    server = Server(config)

    def stop() -> None:
        server.should_exit = True

    on_stop_signal(stop)
    await server.serve(sockets=[listener])
