"""Check whether a worker polls a task queue, and warn if a restart or resume has to wait for one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta, timezone

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import PendingActivityState, TaskQueueType, VersioningBehavior
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client
from temporalio.service import RPCError

from mastra_temporal._client.recovery.liveness import POLL_SECONDS, SILENCE_SECONDS, describe, worker_beats
from mastra_temporal._client.visibility import all_of, equals

__all__ = ["has_pollers", "queues_of", "warning_when_unattended"]

_logger = logging.getLogger("mastra_temporal.restart")

MOMENT_SECONDS = 1.0
"""Seconds that a resume waits for an answer before the check for workers begins."""
LONG_POLL = timedelta(seconds=70)
"""Maximum age of a live worker's last poll. A long poll lasts one minute at most."""


def queues_of(description: DescribeWorkflowExecutionResponse) -> list[tuple[str, TaskQueueType.ValueType]]:
    """Return the task queues that a run waits for: its own and those of steps that no worker has started."""
    queues = [
        (item.activity_options.task_queue.name, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
        for item in description.pending_activities
        if item.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED and item.activity_options.task_queue.name
    ]
    own = description.workflow_execution_info.task_queue or description.execution_config.task_queue.name
    return list(dict.fromkeys([(own, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW), *queues]))


def pinned_version(description: DescribeWorkflowExecutionResponse) -> WorkerDeploymentVersion | None:
    """Return the worker version that a run is pinned to. None if it is not pinned."""
    versioning = description.workflow_execution_info.versioning_info
    if versioning.versioning_override.HasField("pinned"):
        return versioning.versioning_override.pinned.version
    pinned = versioning.behavior == VersioningBehavior.VERSIONING_BEHAVIOR_PINNED
    return versioning.deployment_version if pinned else None


async def has_pollers(
    client: Client,
    task_queue: str,
    kind: TaskQueueType.ValueType,
    version: WorkerDeploymentVersion | None = None,
) -> bool:
    """Return whether a worker polls a task queue. True comes soon; False takes as long as a liveness check.

    The server also lists pollers that stopped minutes ago, so the heartbeats of their workers decide who is alive.

    Args:
        client: The client.
        task_queue: The task queue.
        kind: Task queue of workflows or of activities.
        version: The version that the worker must have; by default any.
    """

    def is_wanted(beat: WorkerHeartbeat) -> bool:
        return beat.task_queue == task_queue and version in (None, beat.deployment_version)

    first: dict[str, tuple[int, int]] = {}
    began = time.monotonic()
    while True:
        beats = await worker_beats(client, all_of(equals("TaskQueue", task_queue)), is_wanted)
        for source, at, _, shut_down in beats:
            beat = (at.seconds, at.nanos)
            if not shut_down and first.setdefault(source, beat) != beat:
                return True
        if not beats and await _polled(client, task_queue, kind, version):
            return True  # the workers do not heartbeat, or the server does not list them
        if time.monotonic() - began > SILENCE_SECONDS:
            return False
        await asyncio.sleep(POLL_SECONDS)


async def _polled(
    client: Client, task_queue: str, kind: TaskQueueType.ValueType, version: WorkerDeploymentVersion | None
) -> bool:
    """Return whether a worker has polled the task queue within `LONG_POLL`."""
    description = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
        )
    )
    # This compares the server's clock with ours. It is only used for workers without heartbeats.
    oldest = datetime.now(timezone.utc) - LONG_POLL
    return any(
        poller.last_access_time.ToDatetime(timezone.utc) > oldest and version in (None, _version_of(poller))
        for poller in description.pollers
    )


def _version_of(poller: PollerInfo) -> WorkerDeploymentVersion:
    """Return the worker version of a poller."""
    options = poller.deployment_options
    return WorkerDeploymentVersion(deployment_name=options.deployment_name, build_id=options.build_id)


@contextlib.asynccontextmanager
async def warning_when_unattended(client: Client, run_id: str, *, what: str = "restart") -> AsyncGenerator[None]:
    """Log one warning per task queue without a worker that the run needs, while the block runs.

    Args:
        client: The client.
        run_id: The run.
        what: What the caller is doing. For ``restart`` the check begins at once, because the run has probably lost its
            worker. For all others it begins after `MOMENT_SECONDS`, to save calls when the run answers soon.
    """
    watching = asyncio.create_task(_warn(client, run_id, what))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _warn(client: Client, run_id: str, what: str) -> None:
    """Log a warning for each task queue without a worker that the run needs."""
    await asyncio.sleep(0 if what == "restart" else MOMENT_SECONDS)
    with contextlib.suppress(RPCError):
        description = await describe(client, run_id)
        version = pinned_version(description)
        for task_queue, kind in queues_of(description):
            # Check the pinned version only for workflow tasks. An activity queue may belong to another deployment.
            of_version = version if kind == TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW else None
            if not await has_pollers(client, task_queue, kind, of_version):
                _logger.warning("%s of run `%s`: %s", what, run_id, _waits_for(run_id, task_queue, of_version))


def _waits_for(run_id: str, task_queue: str, version: WorkerDeploymentVersion | None) -> str:
    """Return what a run without a worker waits for, and the remedy."""
    start = f"`mastra-temporal worker --app <module>:<attribute> --task-queue {task_queue}"
    if version is None:
        return f"no worker polls the task queue `{task_queue}`; waiting for one (start it with {start}`)"
    build = f"--deployment-name {version.deployment_name} --build-id {version.build_id}`"
    return (
        f"the run is pinned to build `{version.build_id}` of deployment `{version.deployment_name}`, and no worker of "
        f"this build polls the task queue `{task_queue}`; waiting for one (start it with {start} {build}, or let the "
        f"run take the current build with `temporal workflow update-options --workflow-id {run_id} "
        "--versioning-override-behavior auto_upgrade`)"
    )
