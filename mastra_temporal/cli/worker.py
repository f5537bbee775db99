"""``mastra-temporal worker``: the worker process of a deployment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import Annotated

import typer

from mastra_temporal.cli.environment import use_server
from mastra_temporal.cli.loading import load_app
from mastra_temporal.cli.running import on_stop_signal, run
from mastra_temporal.cli.worker_options import polling, slots, threads
from mastra_temporal.mastra import Mastra
from mastra_temporal.worker import GRACEFUL_SHUTDOWN_TIMEOUT, WorkerOptions, create_workers, run_workers

__all__ = ["worker"]

_logger = logging.getLogger("mastra_temporal.worker")

_CAPACITY = "Capacity"


def worker(
    app: Annotated[str, typer.Option(help="The Mastra object to work for, as `module:attribute`.")],
    address: Annotated[str | None, typer.Option(help="Server's host and port (default: the environment's)")] = None,
    namespace: Annotated[str | None, typer.Option(help="Temporal namespace (default: the environment's)")] = None,
    task_queue: Annotated[
        list[str] | None, typer.Option(help="Queue to work on; may be repeated (default: the Mastra object's)")
    ] = None,
    max_concurrent_activities: Annotated[
        int | None, typer.Option(min=1, help="Steps at the same time (default: 100)", rich_help_panel=_CAPACITY)
    ] = None,
    max_concurrent_workflow_tasks: Annotated[
        int | None,
        typer.Option(min=2, help="Workflow tasks at the same time (default: 100)", rich_help_panel=_CAPACITY),
    ] = None,
    max_concurrent_local_activities: Annotated[
        int | None,
        typer.Option(min=1, help="Conditions, mappings and schemas (default: 100)", rich_help_panel=_CAPACITY),
    ] = None,
    target_memory_usage: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Take work below this share of memory; resource-based tuner.", rich_help_panel=_CAPACITY
        ),
    ] = None,
    target_cpu_usage: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Take work below this share of the CPU; resource-based tuner.", rich_help_panel=_CAPACITY
        ),
    ] = None,
    max_activity_polls: Annotated[
        int | None, typer.Option(min=1, help="Open polls for steps (default: 5)", rich_help_panel=_CAPACITY)
    ] = None,
    max_workflow_polls: Annotated[
        int | None, typer.Option(min=2, help="Open polls for workflow tasks (default: 5)", rich_help_panel=_CAPACITY)
    ] = None,
    autoscaling_polls: Annotated[
        bool,
        typer.Option("--autoscaling-polls", help="Open polls by load, up to the maximum.", rich_help_panel=_CAPACITY),
    ] = False,
    max_cached_workflows: Annotated[
        int, typer.Option(min=1, help="Runs that are kept in memory.", rich_help_panel=_CAPACITY)
    ] = 1000,
    max_threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads for steps that are not async (default: no limit)", rich_help_panel=_CAPACITY),
    ] = None,
    graceful_shutdown_timeout: Annotated[
        float, typer.Option(min=0, help="Seconds in which running steps may finish at the end.")
    ] = GRACEFUL_SHUTDOWN_TIMEOUT.total_seconds(),
) -> None:
    """Run a worker. On SIGTERM or Ctrl-C it lets running steps finish and ends. A second signal ends it at once.

    Connection settings come from Temporal's environment variables and configuration file, and from Mastra(connect=...).
    Each option has an environment variable, for example MASTRA_WORKER_MAX_CACHED_WORKFLOWS.
    """
    options: WorkerOptions = {
        "max_cached_workflows": max_cached_workflows,
        **slots(
            activities=max_concurrent_activities,
            workflow_tasks=max_concurrent_workflow_tasks,
            local_activities=max_concurrent_local_activities,
            target_memory_usage=target_memory_usage,
            target_cpu_usage=target_cpu_usage,
        ),
        **polling(activity_tasks=max_activity_polls, workflow_tasks=max_workflow_polls, autoscaling=autoscaling_polls),
        **threads(max_threads, graceful_shutdown_timeout),
    }
    if task_queue:
        options["task_queues"] = task_queue
    use_server(address, namespace)
    raise typer.Exit(run(serve(app, options)))


async def serve(app: str, options: WorkerOptions) -> None:
    """Run a worker until SIGINT or SIGTERM, with a log on standard error."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("temporalio").setLevel(logging.WARNING)
    working = asyncio.create_task(_work(load_app(app), app, options))

    def stop() -> None:
        _logger.info("stopping: no new work, running steps may finish")
        working.cancel()

    on_stop_signal(stop)
    with contextlib.suppress(asyncio.CancelledError):
        await working
    _logger.info("stopped")


async def _work(mastra: Mastra, app: str, options: WorkerOptions) -> None:
    client = await mastra.connect()
    workers = await create_workers(mastra, **options)
    _logger.info(
        "worker %s for %s at %s, namespace %s, task queue %s",
        client.identity,
        app,
        client.service_client.config.target_host,
        client.namespace,
        ", ".join(worker.task_queue for worker in workers),
    )
    await run_workers(workers)
