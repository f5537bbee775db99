"""`start_dev_server`: runs the official Temporal development server as a context manager.

The ``dev-server`` extra installs the official ``temporal`` binary from PyPI, so nothing but Python is needed. The
server is for development and tests. In production, use a Temporal cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import FrameType

from temporalio.testing import WorkflowEnvironment

from mastra_temporal._client.records.search_attributes import KEYS
from mastra_temporal.errors import ConfigurationError
from mastra_temporal.shutdown_grace import settle_at_exit

__all__ = ["DYNAMIC_CONFIG", "DevServer", "ServerBinary", "find_server_binary", "start_dev_server"]

DYNAMIC_CONFIG: dict[str, int | str] = {
    "history.transferProcessorMaxPollRPS": 2000,
    "history.timerProcessorMaxPollRPS": 2000,
    "history.outboundProcessorMaxPollRPS": 2000,
    "history.visibilityProcessorMaxPollRPS": 2000,
    "history.timerProcessorMaxTimeShift": "1ms",
    "frontend.keepAliveTime": "1s",
    "frontend.keepAliveTimeout": "1500ms",
}
"""Server settings that make single runs fast and let the server notice lost machines within seconds.

By default the server loads its queues at most 20 times a second, so every task of a single run waits up to 50 ms, and
a timer may fire up to a second late. By default it pings a silent connection only after a minute. Until then it hands
tasks to the open polls of a worker that is frozen or whose machine has lost power or network.
"""

_HOST = "127.0.0.1"
_STARTUP_TIMEOUT = timedelta(seconds=15)
_SHUTDOWN_SECONDS = 5.0


@dataclass(frozen=True)
class ServerBinary:
    """A server executable and its origin."""

    path: str | None
    """The path of the executable, or None if none is installed. The SDK then downloads one."""
    origin: str
    """A description of where the executable comes from."""


@dataclass(frozen=True)
class DevServer:
    """A running development server."""

    address: str
    """The host and port that clients and workers connect to."""
    namespace: str
    ui_url: str | None
    """The address of the Temporal UI, or None if the UI is off."""
    binary: ServerBinary


def find_server_binary(name: str = "temporal") -> ServerBinary:
    """Find a server executable: first in its PyPI package, then on the PATH; otherwise the SDK downloads one.

    Args:
        name: ``temporal``, or ``temporal-test-server`` for the server that skips time.
    """
    package = f"{name}-bin"
    with contextlib.suppress(PackageNotFoundError):
        installed = distribution(package)
        for file in installed.files or []:
            path = Path(str(file.locate()))
            if path.stem == name and os.access(path, os.X_OK):
                return ServerBinary(str(path.resolve()), f"{package} {installed.version}")
    if on_path := shutil.which(name):
        return ServerBinary(on_path, f"{on_path}, found on the PATH")
    return ServerBinary(None, "downloaded by the Temporal SDK")


@contextlib.asynccontextmanager
async def start_dev_server(
    *,
    port: int | None = None,
    ui: bool = False,
    ui_port: int | None = None,
    database: Path | None = None,
    namespace: str = "default",
) -> AsyncGenerator[DevServer]:
    """Run a development server until the ``async with`` block ends.

    Args:
        port: The port for clients and workers. Default: a free port.
        ui: Whether to serve the Temporal UI as well.
        ui_port: The port of the UI. Default: a free port.
        database: The file that keeps the runs. It is created if it is missing. Default: in memory.
        namespace: The namespace to create.

    Raises:
        ConfigurationError: A port is in use, or no server could be started.
    """
    port = _usable_port(port)
    ui_port = _usable_port(ui_port) if ui else None
    if port == ui_port:
        raise ConfigurationError(f"Port {port} cannot serve both Temporal and its UI: choose another one for the UI.")
    if database and not database.parent.is_dir():
        raise ConfigurationError(f"The folder of the database file `{database}` does not exist: create it first.")
    binary = find_server_binary()
    settle_at_exit()
    try:
        with _banner_discarded():
            environment = await WorkflowEnvironment.start_local(
                namespace=namespace,
                ip=_HOST,
                port=port,
                ui=ui,
                ui_port=ui_port,
                dev_server_existing_path=binary.path,
                dev_server_database_filename=str(database) if database else None,
                dev_server_log_level="error",
                dev_server_extra_args=_dynamic_config_arguments(),
                dev_server_startup_timeout=_STARTUP_TIMEOUT,
                search_attributes=KEYS,
            )
    except RuntimeError as error:
        raise ConfigurationError(_start_failure(binary, error)) from error
    async with environment:
        with _stopped_by_sigterm(environment):
            ui_url = f"http://{_HOST}:{ui_port}" if ui else None
            yield DevServer(f"{_HOST}:{port}", namespace, ui_url, binary)


@contextlib.contextmanager
def _stopped_by_sigterm(environment: WorkflowEnvironment) -> Generator[None]:
    """Stop the server on SIGTERM.

    Without a handler SIGTERM ends the Python process at once, and the server would stay behind as an orphan process.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        # The signal interrupts the main thread, whose event loop may be running or not. A new event loop in a thread
        # of its own works in both cases.
        stopping = threading.Thread(target=lambda: asyncio.run(environment.shutdown()), daemon=True)
        stopping.start()
        stopping.join(_SHUTDOWN_SECONDS)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is stop:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _dynamic_config_arguments() -> list[str]:
    values = [f"{key}={json.dumps(value)}" for key, value in DYNAMIC_CONFIG.items()]
    return [argument for value in values for argument in ("--dynamic-config-value", value)]


def _usable_port(port: int | None) -> int:
    with socket.socket() as probe:
        # The server sets SO_REUSEADDR too. Without it, connections of an earlier server in TIME_WAIT would make the
        # probe fail although the server could bind the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port or 0))
        except (OSError, OverflowError) as error:
            raise ConfigurationError(
                f"Port {port} cannot be used ({error}): choose another one, or stop what uses it."
            ) from error
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _banner_discarded() -> Generator[None]:
    """Redirect standard output while the server starts, so that its banner does not mix with our output."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "w") as devnull:
        os.dup2(devnull.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _start_failure(binary: ServerBinary, error: RuntimeError) -> str:
    if binary.path:
        reason = str(error).partition(";")[0]
        return f"{reason} ({binary.origin}). The output of the server is above this message."
    return (
        "There is no `temporal` binary and the SDK could not download one: "
        f"run `pip install 'mastra-temporal[dev-server]'`, or put `temporal` on the PATH. ({error})"
    )
