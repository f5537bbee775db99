"""``mastra-temporal dev``: the development server, with a worker and the HTTP API in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from rich.console import Console

from mastra_temporal.cli.loading import load_app
from mastra_temporal.cli.running import on_stop_signal
from mastra_temporal.cli.serve import has_server_packages
from mastra_temporal.devserver import DevServer, start_dev_server

__all__ = ["develop"]

_console = Console(highlight=False, soft_wrap=True)


async def develop(
    app: str | None,
    *,
    port: int,
    ui_port: int,
    api_port: int,
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
        _describe(server, database)
        async with contextlib.AsyncExitStack() as beside:
            if app:
                await beside.enter_async_context(_beside(server, "worker", "worker", "--app", app))
                if has_server_packages():
                    origins = [part for origin in cors_origins for part in ("--cors-origin", origin)]
                    api = ("serve", "--app", app, "--port", str(api_port), *origins)
                    await beside.enter_async_context(_beside(server, "HTTP API", *api))
                else:
                    _console.print("HTTP API         none: pip install 'mastra-temporal\\[server]'")
            await stopped.wait()
            _console.print("Stopping")


def _describe(server: DevServer, database: Path) -> None:
    _console.print(f"Temporal server  {server.address}  (namespace {server.namespace}, {server.binary.origin})")
    _console.print(f"Temporal UI      {server.ui_url}")
    _console.print(f"Database         {database}")


@contextlib.asynccontextmanager
async def _beside(server: DevServer, title: str, *command: str) -> AsyncGenerator[None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mastra_temporal.cli", *command),
        env=_environment(server),
        # With a session of its own the child gets no Ctrl-C from the terminal. We stop it before the server; otherwise
        # a worker would lose its server while its steps finish.
        start_new_session=True,
    )
    _console.print(f"{title[0].upper() + title[1:]:<16} process {process.pid} for {' '.join(command[1:])}")
    watching = asyncio.create_task(_tell_end(process, title, command))
    try:
        yield
    finally:
        watching.cancel()
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _tell_end(process: Process, title: str, command: tuple[str, ...]) -> None:
    status = await process.wait()
    _console.print(f"The {title} ended with status {status}; start another: mastra-temporal {' '.join(command)}")


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
