"""The processes of a batch besides its own: workers, and one that restarts all runs again and again."""

import asyncio
import logging
import os
import signal
import sys
import time
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from mastra_temporal import Mastra, MastraError
from mastra_temporal.testing import worker_for
from tests.chaos.server import silent_runtime
from tests.support import Build, Effects

AWAY = (RPCError, MastraError, asyncio.TimeoutError, OSError)
"""What calls raise while the server is down."""
BLOCK = signal.SIGUSR1
"""Blocks a worker's event loop, as a step does that forgets to await."""
BLOCK_SECONDS = 7.0
"""Longer than the steps' heartbeat timeout: a beat that needed the event loop would lose them."""
GONE_SECONDS = 20.0
"""How long a process may take to be gone after SIGKILL."""


async def persistently(call: Any) -> Any:
    """Call the server until it answers: it may be down."""
    while True:
        try:
            return await call()
        except AWAY:
            await asyncio.sleep(0.2)


def serve(build: Build, effects: Effects, address: str, task_queue: str) -> None:
    """The main function of a worker's process."""

    async def work() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        asyncio.get_running_loop().add_signal_handler(BLOCK, time.sleep, BLOCK_SECONDS)
        mastra = connected(build, effects, task_queue)
        identity = f"chaos-{os.getpid()}-{time.time_ns()}"
        client = await persistently(lambda: client_of(address, identity))
        async with worker_for(mastra, client, graceful_shutdown_timeout=timedelta(milliseconds=200)):
            await stop.wait()

    quietly(work)


def restart_all(build: Build, effects: Effects, address: str, task_queue: str) -> None:
    """The main function of a process that restarts all active runs, again and again."""

    async def storm() -> None:
        mastra = connected(build, effects, task_queue)
        client = await persistently(lambda: client_of(address))
        await persistently(lambda: mastra.connect(client))
        while True:
            await asyncio.sleep(2)
            try:
                await mastra.restart_all_active_workflow_runs()
            except AWAY:
                continue

    quietly(storm)


def kill(process: Any) -> None:
    """Send SIGKILL, and return when the process is gone."""
    process.kill()
    process.join(GONE_SECONDS)
    assert not process.is_alive(), f"process {process.pid} lived on for {GONE_SECONDS} s after SIGKILL"


async def client_of(address: str, identity: str | None = None) -> Client:
    """Connect to the server.

    Raises:
        OSError: It is away.
    """
    try:
        return await Client.connect(address, runtime=silent_runtime(), identity=identity)
    except RuntimeError as error:
        raise OSError(str(error)) from error


def connected(build: Build, effects: Effects, task_queue: str) -> Mastra:
    return Mastra(workflows=build(effects), task_queue=task_queue)


def quietly(main: Any) -> None:
    logging.disable(logging.CRITICAL)
    try:
        asyncio.run(main())
    except Exception as error:
        print(f"a process of the batch ended: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)  # the server went down when it began: another worker is hired
