"""Does a worker poll the task queue? A restart without one waits, and must say what for."""

# pyright: reportUnknownMemberType=false
# Some of the SDK's overloads are not fully typed.

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta, timezone

from temporalio.api.enums.v1 import PendingActivityState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client
from temporalio.service import RPCError

from mastra_temporal.run.recovery.liveness import POLL_SECONDS, SILENCE_SECONDS, describe, worker_beats
from mastra_temporal.run.visibility import all_of, equals

__all__ = ["attended", "queues_of", "warning_when_unattended"]

_logger = logging.getLogger("mastra_temporal.restart")

LONG_POLL = timedelta(seconds=70)
"""A poll waits for a minute at most: an older one was nobody's last."""


def queues_of(description: DescribeWorkflowExecutionResponse) -> list[tuple[str, TaskQueueType.ValueType]]:
    """The task queues that a run waits for: its own, and those of steps that no worker has taken yet."""
    queues = [
        (item.activity_options.task_queue.name, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
        for item in description.pending_activities
        if item.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED and item.activity_options.task_queue.name
    ]
    own = description.workflow_execution_info.task_queue or description.execution_config.task_queue.name
    return list(dict.fromkeys([(own, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW), *queues]))


async def attended(client: Client, task_queue: str, kind: TaskQueueType.ValueType) -> bool:
    """Whether a worker polls a task queue. A yes comes soon; a no takes as long as the verdict on a worker.

    The server remembers the pollers of the last minutes: who of them is alive, their workers' heartbeats tell.
    """
    first: dict[str, tuple[int, int]] = {}
    began = time.monotonic()
    while True:
        query = all_of(equals("TaskQueue", task_queue))
        beats = await worker_beats(client, query, lambda beat: beat.task_queue == task_queue)
        for source, at, _, shut_down in beats:
            beat = (at.seconds, at.nanos)
            if not shut_down and first.setdefault(source, beat) != beat:
                return True
        if not beats and await _polled(client, task_queue, kind):
            return True  # workers without heartbeats, or a server that does not list them
        if time.monotonic() - began > SILENCE_SECONDS:
            return False
        await asyncio.sleep(POLL_SECONDS)


async def _polled(client: Client, task_queue: str, kind: TaskQueueType.ValueType) -> bool:
    description = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
        )
    )
    oldest = datetime.now(timezone.utc) - LONG_POLL
    return any(poller.last_access_time.ToDatetime(timezone.utc) > oldest for poller in description.pollers)


@contextlib.asynccontextmanager
async def warning_when_unattended(client: Client, run_id: str) -> AsyncGenerator[None]:
    """For the length of the block: warn, once, if what the run needs has no worker."""
    watching = asyncio.create_task(_warn(client, run_id))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _warn(client: Client, run_id: str) -> None:
    with contextlib.suppress(RPCError):
        for task_queue, kind in queues_of(await describe(client, run_id)):
            if not await attended(client, task_queue, kind):
                _logger.warning(
                    "restart of run `%s`: no worker polls the task queue `%s`; waiting for one (start it with "
                    "`mastra-temporal worker --app <module>:<attribute> --task-queue %s`)",
                    run_id, task_queue, task_queue,
                )  # fmt: skip
