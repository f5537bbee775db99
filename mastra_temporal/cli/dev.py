"""``mastra-temporal dev``: the development server and, beside it, a worker in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from pathlib import Path

from rich.console import Console

from mastra_temporal.cli.loading import load_app
from mastra_temporal.cli.running import on_stop_signal
from mastra_temporal.devserver import DevServer, start_dev_server

__all__ = ["develop"]

_console = Console(highlight=False, soft_wrap=True)


async def develop(app: str | None, *, port: int, ui_port: int, database: Path, namespace: str) -> None:
    """Run the server, and a worker if there is an app, until SIGINT or SIGTERM."""
    if app:
        load_app(app)
    stopped = asyncio.Event()
    on_stop_signal(stopped.set)
    async with start_dev_server(port=port, ui=True, ui_port=ui_port, database=database, namespace=namespace) as server:
        _describe(server, database)
        async with _worker_beside(server, app) if app else contextlib.nullcontext():
            await stopped.wait()
            _console.print("Stopping")


def _describe(server: DevServer, database: Path) -> None:
    _console.print(f"Temporal server  {server.address}  (namespace {server.namespace}, {server.binary.origin})")
    _console.print(f"Temporal UI      {server.ui_url}")
    _console.print(f"Database         {database}")


@contextlib.asynccontextmanager
async def _worker_beside(server: DevServer, app: str) -> AsyncGenerator[None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mastra_temporal.cli", "worker", "--app", app),
        env=_environment(server),
        start_new_session=True,  # a Ctrl-C in the terminal comes to us alone: the worker is stopped before the server
    )
    _console.print(f"Worker           process {process.pid} for {app}")
    watching = asyncio.create_task(_tell_end(process, app))
    try:
        yield
    finally:
        watching.cancel()
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _tell_end(process: Process, app: str) -> None:
    status = await process.wait()
    _console.print(f"The worker ended with status {status}; start another: mastra-temporal worker --app {app}")


def _environment(server: DevServer) -> dict[str, str]:
    """Our environment, without the settings of another server: a profile of a cloud would demand its TLS here."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    return {
        **others,
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "TEMPORAL_ADDRESS": server.address,
        "TEMPORAL_NAMESPACE": server.namespace,
    }
