"""Child processes of ``mastra-temporal dev``: started again when they end or when files change."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

from rich.console import Console

__all__ = ["Changes", "supervised"]

FIRST_DELAY_SECONDS = 0.5
"""Seconds before a process that ended by itself is started again. The delay doubles each time."""
LONGEST_DELAY_SECONDS = 10.0
"""The longest delay, in seconds. A change of a file ends it."""
STABLE_SECONDS = 10.0
"""A process that ran for this long was well: the next one is started after the first delay again."""


class Changes:
    """Changes of Python files in a folder. Several waiters get each of them."""

    def __init__(self, folder: Path) -> None:
        """Watch nothing yet.

        Args:
            folder: The folder with the files of the app.
        """
        self._folder = folder
        self._next = asyncio.Event()

    @property
    def can_be_seen(self) -> bool:
        """Whether the package that watches files is installed."""
        return importlib.util.find_spec("watchfiles") is not None

    async def watch(self) -> None:
        """Watch the folder until this coroutine is cancelled. Virtual environments and caches are left out."""
        from watchfiles import PythonFilter, awatch  # pyright: ignore[reportUnknownVariableType]

        async for _ in awatch(self._folder, watch_filter=PythonFilter()):
            changed, self._next = self._next, asyncio.Event()
            changed.set()

    async def wait(self) -> None:
        """Wait for the next change."""
        await self._next.wait()


@contextlib.asynccontextmanager
async def supervised(
    title: str, command: Sequence[str], *, environment: Mapping[str, str], changes: Changes, console: Console
) -> AsyncGenerator[None]:
    """Keep a command of ``mastra-temporal`` running during the block, in a process of its own.

    Args:
        title: What it is, for the console.
        command: The command and its arguments.
        environment: Its environment variables.
        changes: The changes after which it is started again.
        console: Says when a process starts or ends.
    """
    keeping = asyncio.create_task(_keep_running(title, command, environment, changes, console))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def _keep_running(
    title: str, command: Sequence[str], environment: Mapping[str, str], changes: Changes, console: Console
) -> None:
    delay = FIRST_DELAY_SECONDS
    while True:
        began = time.monotonic()
        changed, status = await _run(title, command, environment, changes, console)
        if changed:
            console.print(f"{title}: a file has changed, starting again")
            delay = FIRST_DELAY_SECONDS
            continue
        if time.monotonic() - began > STABLE_SECONDS:
            delay = FIRST_DELAY_SECONDS
        console.print(f"{title} ended with status {status}; starting again in {delay:g} s, or when a file changes")
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(changes.wait(), delay)
        delay = min(2 * delay, LONGEST_DELAY_SECONDS)


async def _run(
    title: str, command: Sequence[str], environment: Mapping[str, str], changes: Changes, console: Console
) -> tuple[bool, int | None]:
    """Run a process until it ends or a file changes. Return whether a file has changed, and the exit status."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mastra_temporal.cli", *command),
        env=environment,
        # With a session of its own the child gets no Ctrl-C from the terminal. We stop it before the server; otherwise
        # a worker would lose its server while its steps finish.
        start_new_session=True,
    )
    console.print(f"{title:<16} process {process.pid}")
    ended, changed = asyncio.create_task(process.wait()), asyncio.create_task(changes.wait())
    try:
        await asyncio.wait((ended, changed), return_when=asyncio.FIRST_COMPLETED)
        return not ended.done(), process.returncode
    finally:
        changed.cancel()
        if process.returncode is None:
            process.terminate()
        await process.wait()
