"""The workers of a case: in this process, or in one of their own that can be killed."""

import asyncio
import logging
import multiprocessing
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

from mastra_temporal import Mastra
from mastra_temporal.testing import worker_for
from tests.conformance.build import Builder
from tests.conformance.case_log import CaseLog
from tests.conformance.spans import SpanLog, connect

# Starts a process in milliseconds: the server process has imported everything and has no threads yet.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.conformance.workers"])


class CaseWorker(Protocol):
    @property
    def dead(self) -> bool: ...

    async def start(self) -> None: ...

    def kill(self) -> None: ...

    async def stop(self) -> None: ...


def registry(definition: dict[str, Any], log: CaseLog, task_queue: str) -> tuple[Mastra, Builder]:
    builder = Builder(definition, log)
    workflows = builder.all_workflows() if definition.get("registerAll") else [builder.workflow]
    return Mastra(workflows=workflows, task_queue=task_queue), builder


class LocalWorker:
    """A worker in the runner's own process."""

    dead = False

    def __init__(self, definition: dict[str, Any], log: CaseLog, task_queue: str, spans: SpanLog | None = None) -> None:
        self._spans = spans
        self._mastra, _ = registry(definition, log, task_queue)
        self._running = AsyncExitStack()

    async def start(self) -> None:
        await self._running.enter_async_context(worker_for(self._mastra, await connect(self._mastra, self._spans)))

    def kill(self) -> None:
        raise NotImplementedError("only a worker in a process of its own can be killed")

    async def stop(self) -> None:
        await self._running.aclose()


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(self, definition: dict[str, Any], log: CaseLog, task_queue: str) -> None:
        environment = {key: value for key, value in os.environ.items() if key.startswith(("TEMPORAL_", "MASTRA_"))}
        arguments = (definition, log.folder, task_queue, environment)
        self._process = PROCESSES.Process(target=serve, args=arguments, daemon=True)
        self._folder = log.folder

    async def start(self) -> None:
        """Returns when the worker is connected, so that its start takes nothing from the times of the case."""
        self._process.start()
        while not ready_file(self._folder, self._process.pid).exists():
            if not self._process.is_alive():
                raise RuntimeError("the worker process did not start; its reason is on the standard error")
            await asyncio.sleep(0.005)

    @property
    def dead(self) -> bool:
        return self._process.exitcode == -signal.SIGKILL

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    async def stop(self) -> None:
        self.kill()


def ready_file(folder: Path, pid: int | None) -> Path:
    return folder / f"{pid}.ready"


def serve(definition: dict[str, Any], folder: Path, task_queue: str, environment: dict[str, str]) -> None:
    """The main function of a worker process. It runs until it is killed."""
    os.environ.update(environment)
    logging.basicConfig(level=logging.ERROR)

    async def run() -> None:
        mastra, _ = registry(definition, CaseLog(folder), task_queue)
        async with worker_for(mastra, await mastra.connect()):
            ready_file(folder, os.getpid()).touch()
            await asyncio.Event().wait()

    asyncio.run(run())
