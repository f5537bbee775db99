"""`run_worker`: runs a worker from Python. The command line for deployments is ``workers/main.py``."""

from __future__ import annotations

import logging
from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from mastra_temporal._client.rpc_errors import missing_namespace
from mastra_temporal.mastra import Mastra

__all__ = ["run_worker"]

_logger = logging.getLogger("mastra_temporal.worker")


async def run_worker(
    mastra: Mastra,
    *,
    client: Client | None = None,
    task_queue: str | None = None,
    graceful_shutdown_timeout: timedelta = timedelta(seconds=10),
) -> None:
    """Run a worker for all workflows and steps of a registry, until this coroutine is cancelled.

    Before it starts, it creates and updates the schedules that the workflows declare, see `Schedules.reconcile`. A
    cancelled worker takes no new work and lets its running steps finish. Steps that still run after the graceful
    timeout are cancelled, and Temporal gives them to another worker.

    Args:
        mastra: The registry.
        client: The client to use. Default: a client with the settings of the environment, see ``Mastra.connect``.
        task_queue: The task queue to poll. Default: the task queue of the registry.
        graceful_shutdown_timeout: How long running steps may take to finish after the cancellation. Keep it below
            the time that the platform gives a process between SIGTERM and SIGKILL.

    Raises:
        ServerUnreachableError: No Temporal server answers.
        ConfigurationError: The server does not have the namespace.
        ScheduleError: A schedule that this package did not create has the id of a declared schedule.
    """
    client = await mastra.connect(client)
    await _require_namespace(client)
    await _bring_schedules_about(mastra, task_queue)
    worker = Worker(
        client,
        task_queue=task_queue or mastra.task_queue,
        graceful_shutdown_timeout=graceful_shutdown_timeout,
    )
    await worker.run()


async def _require_namespace(client: Client) -> None:
    """Raise a `ConfigurationError` if the namespace is missing. The SDK's own check only reports the gRPC error."""
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise missing_namespace(client.namespace) from error
        raise


async def _bring_schedules_about(mastra: Mastra, task_queue: str | None) -> None:
    if task_queue not in (None, mastra.task_queue):
        return  # this worker only runs some steps; schedules are left to the workers of the registry's own queue
    try:
        await mastra.schedules.reconcile()
    except RPCError as error:
        # A worker that declares no schedules must start even if it may not list them, to find those it has to delete.
        if any(workflow.schedules for workflow in mastra.list_workflows().values()):
            raise
        _logger.warning("Schedules that are no longer declared were not looked for: %s", error.message)
