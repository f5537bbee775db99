"""Liveness and readiness of a worker over HTTP: ``/livez`` and ``/readyz``."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import socket
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import Executor, Future
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from mastra_temporal._worker.activities.heartbeat import BLOCKED_LIMIT_SECONDS
from mastra_temporal.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import JSONResponse

__all__ = ["WorkerHealth", "require_packages", "serve_health"]

RPC_TIMEOUT = timedelta(seconds=2)
"""How long the server may take to answer before the worker counts as not connected."""
BUSY_SECONDS = 5.0
"""Seconds after which a blocked event loop, or a pool without a free thread, makes the worker not ready."""
_CHECK_SECONDS = 0.2
"""How long one check waits for the event loop and for a thread, in seconds."""

_OK = "ok"


class WorkerHealth:
    """The health of the workers of this process. It is created on their event loop and used from another thread."""

    def __init__(self, client: Client, workers: Sequence[Worker], threads: Executor | None) -> None:
        """Watch workers.

        Args:
            client: The client of the workers.
            workers: The workers, all on the event loop that runs.
            threads: Their pool for steps that are not async. None: there is no limit of threads.
        """
        self.stopping = False
        """Whether the workers take no new work because the process ends."""
        self._client = client
        self._workers = workers
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._loop_waits: _Waiting | None = None
        self._thread_waits: _Waiting | None = None

    async def live(self) -> dict[str, str]:
        """Check whether the process should go on.

        Steps on an event loop that is blocked stay alive for five minutes, so a restart of the process before that
        would only lose them.
        """
        blocked = await self._blocked_seconds()
        stuck = f"the event loop has been blocked for {blocked:.0f} s"
        return {"event_loop": _OK if blocked < BLOCKED_LIMIT_SECONDS else stuck}

    async def ready(self) -> dict[str, str]:
        """Check whether the workers can take work: each check with ``ok`` or with what is wrong."""
        blocked = await self._blocked_seconds()
        without = await self._seconds_without_thread()
        late, all_busy = f"blocked for {blocked:.0f} s", f"all have been busy for {without:.0f} s, and steps wait"
        checks = {
            "event_loop": _OK if blocked < BUSY_SECONDS else late,
            "threads": _OK if without < BUSY_SECONDS else all_busy,
        }
        if self.stopping:
            return {**checks, "polling": "stopping: no new work is taken"}
        try:
            missing = [worker.task_queue for worker in self._workers if not await self._polls(worker.task_queue)]
        except RPCError as error:
            return {**checks, "connected": f"the Temporal server does not answer: {error.message}"}
        not_polled = f"the server sees no poll of this worker on {', '.join(missing)}"
        return {**checks, "connected": _OK, "polling": not_polled if missing else _OK}

    async def _polls(self, task_queue: str) -> bool:
        """Return whether the server lists this process among the pollers of a queue, for workflow tasks or steps.

        The server forgets a poller after five minutes. A worker whose slots are all in use stops polling for steps,
        but it polls for workflow tasks.
        """
        for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
            request = DescribeTaskQueueRequest(
                namespace=self._client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
            )
            described = await self._client.workflow_service.describe_task_queue(
                request, retry=False, timeout=RPC_TIMEOUT
            )
            if any(poller.identity == self._client.identity for poller in described.pollers):
                return True
        return False

    async def _blocked_seconds(self) -> float:
        if self._loop_waits is None or self._loop_waits.done:
            self._loop_waits = _Waiting()
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
                self._loop.call_soon_threadsafe(self._loop_waits.finish)
        return await self._loop_waits.seconds()

    async def _seconds_without_thread(self) -> float:
        if self._threads is None:
            return 0
        if self._thread_waits is None or self._thread_waits.done:
            waiting = self._thread_waits = _Waiting()
            self._threads.submit(waiting.finish)
        return await self._thread_waits.seconds()


class _Waiting:
    """A question to the event loop or to the pool, and how long the answer takes."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._answer: Future[None] = Future()

    @property
    def done(self) -> bool:
        return self._answer.done()

    def finish(self) -> None:
        self._answer.set_result(None)

    async def seconds(self) -> float:
        """Wait a moment for the answer. Return for how many seconds it has been missing, 0 if it is there."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._answer)), _CHECK_SECONDS)
        return 0 if self.done else time.monotonic() - self._since


def require_packages() -> None:
    """Raise a `ConfigurationError` if the packages for HTTP are not installed."""
    if not all(importlib.util.find_spec(package) for package in ("starlette", "uvicorn")):
        raise ConfigurationError("Health checks need HTTP packages: run `pip install 'mastra-temporal[worker]'`.")


@contextlib.contextmanager
def serve_health(health: WorkerHealth, listener: socket.socket) -> Generator[None]:
    """Serve ``/livez`` and ``/readyz`` during the block, from a thread of its own.

    The answers must not depend on the event loop of the workers: a step that blocks it would fail the probes, and the
    platform would kill the process with all its steps.
    """
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None]:
            yield  # signals are those of the worker

    server = Server(uvicorn.Config(_application(health), log_level="warning", lifespan="off", server_header=False))
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listener])), name="mastra-health", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=1)


def _application(health: WorkerHealth) -> Any:
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    def answer(checks: dict[str, str]) -> JSONResponse:
        well = all(value == _OK for value in checks.values())
        return JSONResponse({"status": _OK if well else "failed", "checks": checks}, status_code=200 if well else 503)

    async def livez(request: Request) -> JSONResponse:
        return answer(await health.live())

    async def readyz(request: Request) -> JSONResponse:
        return answer(await health.ready())

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz)])
