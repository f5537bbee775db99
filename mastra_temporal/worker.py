"""`run_worker`: runs a worker from Python. The command line for deployments is ``mastra-temporal worker``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker, WorkerConfig
from typing_extensions import Unpack

from mastra_temporal._client.rpc_errors import missing_namespace
from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal.errors import ConfigurationError
from mastra_temporal.mastra import Mastra

__all__ = ["GRACEFUL_SHUTDOWN_TIMEOUT", "WorkerOptions", "create_workers", "run_worker", "run_workers"]

GRACEFUL_SHUTDOWN_TIMEOUT = timedelta(seconds=60)
"""How long running steps may take to finish when a worker stops. A step that calls a language model often takes 30
seconds, and sometimes twice as long. A worker without running steps stops at once."""

_logger = logging.getLogger("mastra_temporal.worker")


class WorkerOptions(WorkerConfig, total=False):
    """The options of `run_worker`: all arguments of ``temporalio.worker.Worker``, and `task_queues`.

    ``client`` is by default what ``mastra.connect()`` returns, ``task_queue`` that of the registry, and
    ``graceful_shutdown_timeout`` 60 seconds. ``workflows`` and ``activities`` are added to those of the registry.
    """

    task_queues: Sequence[str]
    """Several task queues. Each gets a worker of its own in this process, with the same options."""


async def run_worker(mastra: Mastra, **options: Unpack[WorkerOptions]) -> None:
    """Run a worker for all workflows and steps of a registry, until this coroutine is cancelled.

    Before it starts, it creates and updates the schedules that the workflows declare, see `Schedules.reconcile`. A
    cancelled worker takes no new work and lets its running steps finish. Steps that still run after the graceful
    timeout are cancelled, and Temporal gives them to another worker. Keep this timeout below the time that the
    platform gives a process between SIGTERM and SIGKILL.

    Args:
        mastra: The registry.
        options: See `WorkerOptions`.

    Raises:
        ServerUnreachableError: No Temporal server answers.
        ConfigurationError: An option does not exist, or the server does not have the namespace.
        ScheduleError: A schedule that this package did not create has the id of a declared schedule.
    """
    await run_workers(await create_workers(mastra, **options))


async def create_workers(mastra: Mastra, **options: Unpack[WorkerOptions]) -> list[Worker]:
    """Connect, create the declared schedules, and return a worker for each task queue. See `run_worker`."""
    for name in options:
        if name not in WorkerOptions.__annotations__:
            raise ConfigurationError(
                f"run_worker() has no option `{name}`.{did_you_mean(name, WorkerOptions.__annotations__)}"
            )
    queues = _task_queues(mastra, options)
    client = await mastra.connect(options.get("client"))
    await _require_namespace(client)
    # A worker of other task queues only runs some steps. Schedules are left to the workers of the registry's own queue.
    if mastra.task_queue in queues:
        await _reconcile_schedules(mastra)
    arguments: dict[str, Any] = {"graceful_shutdown_timeout": GRACEFUL_SHUTDOWN_TIMEOUT, **options}
    for name in ("client", "task_queue", "task_queues"):
        arguments.pop(name, None)
    return [Worker(client, task_queue=queue, **arguments) for queue in queues]


async def run_workers(workers: Sequence[Worker]) -> None:
    """Run workers until this coroutine is cancelled or one of them fails. Then stop all of them gracefully."""
    running = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _task_queues(mastra: Mastra, options: WorkerOptions) -> list[str]:
    """Return the task queues to poll, each once. Two workers of a process cannot poll the same one."""
    several, one = options.get("task_queues"), options.get("task_queue")
    if several is not None and one is not None:
        raise ConfigurationError("run_worker() takes either `task_queue` or `task_queues`.")
    if isinstance(several, str) or (several is not None and not several):
        raise ConfigurationError("`task_queues` of run_worker() is a list of one or more names.")
    return list(dict.fromkeys(several or [one or mastra.task_queue]))


async def _require_namespace(client: Client) -> None:
    """Raise a `ConfigurationError` if the namespace is missing. The SDK's own check only reports the gRPC error."""
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise missing_namespace(client.namespace) from error
        raise


async def _reconcile_schedules(mastra: Mastra) -> None:
    try:
        await mastra.schedules.reconcile()
    except RPCError as error:
        # A worker that declares no schedules must start even if it may not list them, to find those it has to delete.
        if any(workflow.schedules for workflow in mastra.list_workflows().values()):
            raise
        _logger.warning("Schedules that are no longer declared were not looked for: %s", error.message)
