"""``mastra-temporal worker``: the worker process of a deployment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated

import typer
from temporalio.client import Client
from temporalio.worker import Worker

from mastra_temporal.cli.addresses import host_and_port, listening
from mastra_temporal.cli.environment import use_server
from mastra_temporal.cli.health import WorkerHealth, require_packages, serve_health
from mastra_temporal.cli.loading import load_app
from mastra_temporal.cli.running import on_stop_signal, run
from mastra_temporal.cli.telemetry import LogFormat, LogLevel, sdk_runtime, set_up_logs
from mastra_temporal.cli.worker_options import Versioning, polling, slots, threads, versioning
from mastra_temporal.worker import GRACEFUL_SHUTDOWN_TIMEOUT, WorkerOptions, create_workers, run_workers

__all__ = ["worker"]

_logger = logging.getLogger("mastra_temporal.worker")

_CAPACITY = "Capacity"
_VERSIONING = "Worker Versioning"
_OBSERVING = "Health, metrics and logs"


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
    deployment_name: Annotated[
        str | None,
        typer.Option(
            envvar="TEMPORAL_DEPLOYMENT_NAME", help="Worker Versioning: the deployment.", rich_help_panel=_VERSIONING
        ),
    ] = None,
    build_id: Annotated[
        str | None,
        typer.Option(
            envvar="TEMPORAL_WORKER_BUILD_ID", help="Worker Versioning: this build.", rich_help_panel=_VERSIONING
        ),
    ] = None,
    versioning_behavior: Annotated[
        Versioning, typer.Option(help="What open runs do after a deploy.", rich_help_panel=_VERSIONING)
    ] = Versioning.AUTO_UPGRADE,
    health_address: Annotated[
        str | None, typer.Option(help="Serve /livez and /readyz at this host:port.", rich_help_panel=_OBSERVING)
    ] = None,
    metrics_address: Annotated[
        str | None, typer.Option(help="Serve /metrics for Prometheus at this host:port.", rich_help_panel=_OBSERVING)
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(help="JSON is one object a line.", rich_help_panel=_OBSERVING)
    ] = LogFormat.TEXT,
    log_level: Annotated[LogLevel, typer.Option(rich_help_panel=_OBSERVING)] = LogLevel.INFO,
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
        **versioning(deployment_name, build_id, versioning_behavior),
    }
    if task_queue:
        options["task_queues"] = task_queue
    use_server(address, namespace)
    observing = Observing(health_address, metrics_address, log_format, log_level)
    raise typer.Exit(run(serve(app, options, observing)))


@dataclass(frozen=True)
class Observing:
    """How the worker can be observed."""

    health_address: str | None
    metrics_address: str | None
    log_format: LogFormat
    log_level: LogLevel


async def serve(app: str, options: WorkerOptions, observing: Observing) -> None:
    """Run a worker until SIGINT or SIGTERM, with a log on standard error."""
    set_up_logs(observing.log_level, observing.log_format)
    mastra = load_app(app)
    # Listen first: an address that cannot be used is found before the schedules are changed.
    with _listener(observing.health_address) as listener:
        client = await mastra.connect(runtime=sdk_runtime(observing.metrics_address, observing.log_format))
        workers = await create_workers(mastra, **options)
        health = WorkerHealth(client, workers, options.get("activity_executor"))
        with serve_health(health, listener) if listener else contextlib.nullcontext():
            working = asyncio.create_task(run_workers(workers))

            def stop() -> None:
                _logger.info("stopping: no new work, running steps may finish")
                health.stopping = True
                working.cancel()

            on_stop_signal(stop)
            _logger.info("worker %s for %s at %s", client.identity, app, _place(client, workers))
            if (deployment := options.get("deployment_config")) is not None:
                _logger.info(
                    "build %s of deployment %s gets work once it is current or ramping (`temporal worker deployment "
                    "set-current-version`)", deployment.version.build_id, deployment.version.deployment_name,
                )  # fmt: skip
            for address, paths in (
                (observing.health_address, "/livez and /readyz"),
                (observing.metrics_address, "/metrics"),
            ):
                if address is not None:
                    _logger.info("%s at http://%s", paths, address)
            with contextlib.suppress(asyncio.CancelledError):
                await working
    _logger.info("stopped")


def _place(client: Client, workers: Sequence[Worker]) -> str:
    queues = ", ".join(worker.task_queue for worker in workers)
    return f"{client.service_client.config.target_host}, namespace {client.namespace}, task queue {queues}"


def _listener(address: str | None) -> AbstractContextManager[socket.socket | None]:
    if address is None:
        return contextlib.nullcontext()
    require_packages()
    host, port = host_and_port(address, option="--health-address")
    return listening(host, port)
