"""``mastra-temporal dev``: the development server, with a worker and the HTTP API in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mastra_temporal.cli.loading import load_app
from mastra_temporal.cli.running import on_stop_signal
from mastra_temporal.cli.serve import has_server_packages
from mastra_temporal.cli.supervised import Changes, supervised
from mastra_temporal.devserver import DevServer, start_dev_server

__all__ = ["develop"]

GRACE_SECONDS = 2
"""How long running steps may take to finish when a file changes or the server stops, in seconds. They run again."""
_HOST = "127.0.0.1"

_console = Console(highlight=False, soft_wrap=True)


async def develop(
    app: str | None,
    *,
    port: int,
    ui_port: int,
    api_port: int,
    metrics_port: int | None,
    database: Path,
    namespace: str,
    cors_origins: Sequence[str] = (),
) -> None:
    """Run the server until SIGINT or SIGTERM. If an app is given, run a worker and the HTTP API for it as well."""
    if app:
        load_app(app)
    stopped = asyncio.Event()
    on_stop_signal(stopped.set)
    async with start_dev_server(port=port, ui=True, ui_port=ui_port, database=database, namespace=namespace) as server:
        _say("Temporal server", f"{server.address}  (namespace {server.namespace}, {server.binary.origin})")
        _say("Temporal UI", str(server.ui_url))
        _say("Database", str(database))
        async with contextlib.AsyncExitStack() as beside:
            if app:
                commands = _commands(app, api_port, metrics_port or _free_port(), cors_origins)
                changes = Changes(Path.cwd())
                if changes.can_be_seen:
                    beside.push_async_callback(_cancelled, asyncio.create_task(changes.watch()))
                    _say("Reload", f"on changes of Python files in {Path.cwd()}")
                else:
                    _say("Reload", "none: pip install 'mastra-temporal\\[dev-server]'")
                for title, command in commands.items():
                    await beside.enter_async_context(
                        supervised(title, command, environment=_environment(server), changes=changes, console=_console)
                    )
            await stopped.wait()
            _console.print("Stopping")


def _commands(app: str, api_port: int, metrics_port: int, cors_origins: Sequence[str]) -> dict[str, list[str]]:
    """Return the commands that run beside the server, and say where they can be reached."""
    metrics = f"{_HOST}:{metrics_port}"
    _say("Metrics", f"http://{metrics}/metrics")
    worker = ["worker", "--app", app, "--metrics-address", metrics]
    commands = {"Worker": [*worker, "--graceful-shutdown-timeout", str(GRACE_SECONDS)]}
    if not has_server_packages():
        _say("HTTP API", "none: pip install 'mastra-temporal\\[server]'")
        return commands
    _say("HTTP API", f"http://{_HOST}:{api_port}/api")
    origins = [part for origin in cors_origins for part in ("--cors-origin", origin)]
    return {**commands, "HTTP API": ["serve", "--app", app, "--port", str(api_port), *origins]}


def _say(what: str, where: str) -> None:
    _console.print(f"{what:<16} {where}")


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as probe:
        return int(probe.getsockname()[1])


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _environment(server: DevServer) -> dict[str, str]:
    """Return the environment for a child: ours, but with the settings of this server only.

    With a ``TEMPORAL_PROFILE`` for Temporal Cloud, for example, the child would try to connect by TLS.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    return {
        **others,
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "TEMPORAL_ADDRESS": server.address,
        "TEMPORAL_NAMESPACE": server.namespace,
    }
