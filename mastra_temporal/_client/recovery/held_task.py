"""Release of a workflow task that a dead worker holds.

A worker whose process is frozen or whose machine is gone still has open polls, so the server may give it the next
workflow task. A worker may also die while it processes a task. In both cases the server waits for the workflow task
timeout (10 seconds by default), and so does the run.

We fail such a task on behalf of its worker. The server then gives it to another worker at once. This needs the task
token, which the server sends only to the worker. We build the token ourselves: it only identifies the task. A server
with another token format rejects it, and the run waits for the timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType, PendingWorkflowTaskState, WorkflowTaskFailedCause
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryReverseRequest,
    RespondWorkflowTaskFailedRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from mastra_temporal._client.recovery.liveness import POLL_SECONDS, LivenessChecker, describe

__all__ = ["free_held_task", "freeing_held_tasks"]

ANSWER_SECONDS = 0.8
"""Seconds that a task of an unknown worker may take before we treat it as held. The task only delivers an update. The
limit doubles with each freed task, because the worker may be alive but slow."""
MOST_FREED = 3
"""Maximum number of tasks freed for one update. Without a limit, a slow worker that is alive would never finish."""

STARTED = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
TASK_EVENTS = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
}


@dataclass(frozen=True)
class HeldTask:
    """A workflow task that a worker has started."""

    run_id: str
    execution: str
    scheduled_event_id: int
    attempt: int
    worker: str
    """Identity of the worker. Empty if unknown: the server records a speculative or retried task only at its end."""


async def free_held_task(
    client: Client, description: DescribeWorkflowExecutionResponse, liveness: LivenessChecker
) -> bool:
    """Release a run's workflow task to another worker if the worker that holds it is gone.

    Takes as long as the liveness check of that worker.

    Returns:
        Whether the task was released.
    """
    task = await _taken(client, description)
    if task is None or not task.worker or not await liveness.is_worker_gone(task.worker):
        return False
    return await _fail(client, task)


@contextlib.asynccontextmanager
async def freeing_held_tasks(client: Client, run_id: str, liveness: LivenessChecker) -> AsyncGenerator[None]:
    """Release held workflow tasks while the block waits for the reply to an update.

    Without this, an update whose workflow task went to a dead worker would wait for the workflow task timeout.
    """
    freeing = asyncio.create_task(_free_again_and_again(client, run_id, liveness))
    try:
        yield
    finally:
        freeing.cancel()
        await asyncio.gather(freeing, return_exceptions=True)


async def _free_again_and_again(client: Client, run_id: str, liveness: LivenessChecker) -> None:
    """Watch the run's workflow task, and fail it each time that a dead or unknown worker holds it for too long."""
    seen: HeldTask | None = None
    since = 0.0
    freed = 0
    while freed < MOST_FREED:
        await asyncio.sleep(POLL_SECONDS)
        task = await _taken(client, await describe(client, run_id))
        if task != seen:
            seen, since = task, time.monotonic()
        if task is None:
            continue
        if (
            await liveness.is_worker_gone(task.worker)
            if task.worker
            else time.monotonic() - since > ANSWER_SECONDS * 2**freed
        ):
            await _fail(client, task)
            freed += 1


async def _taken(client: Client, description: DescribeWorkflowExecutionResponse) -> HeldTask | None:
    """Return the run's workflow task if a worker has started it."""
    pending = description.pending_workflow_task
    if pending.state != STARTED:
        return None
    info = description.workflow_execution_info
    page = await client.workflow_service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(namespace=client.namespace, execution=info.execution)
    )
    # The pending task in the description has no event id and no identity. The latest event of a task has both, if the
    # server has recorded the start.
    last = next((event for event in page.history.events if event.event_type in TASK_EVENTS), None)
    if last is not None and last.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
        started = last.workflow_task_started_event_attributes
        scheduled, worker = started.scheduled_event_id, started.identity
    else:
        # The task is not in the history yet. Its scheduled event will get the next event id; a token with another id
        # would be rejected.
        scheduled, worker = info.history_length + 1, ""
    return HeldTask(info.execution.workflow_id, info.execution.run_id, scheduled, pending.attempt, worker)


async def _fail(client: Client, task: HeldTask) -> bool:
    """Fail a workflow task on behalf of its worker. Return whether the server accepted it."""
    try:
        described = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace)
        )
        await client.workflow_service.respond_workflow_task_failed(
            RespondWorkflowTaskFailedRequest(
                namespace=client.namespace,
                task_token=_token(described.namespace_info.id, task),
                # The server does not count this cause as a fault of the workflow, and stuck.py ignores it. With
                # another cause, a later restart might take the run for stuck and reset it.
                cause=WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
                identity=client.identity,
            )
        )
    except RPCError:
        return False  # the task has ended meanwhile, or the server uses another token format
    return True


def _token(namespace_id: str, task: HeldTask) -> bytes:
    """Return the task token: the message ``temporal.server.api.token.v1.Task`` with the five fields required."""
    fields = (namespace_id, task.run_id, task.execution, task.scheduled_event_id, task.attempt)
    return b"".join(_field(number, value) for number, value in enumerate(fields, start=1))


def _field(number: int, value: str | int) -> bytes:
    """Encode one field of a protobuf message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    text = value.encode()
    return _varint(number << 3 | 2) + _varint(len(text)) + text


def _varint(value: int) -> bytes:
    """Encode a number as a protobuf varint."""
    low = value & 0x7F
    return bytes([low]) if value == low else bytes([low | 0x80]) + _varint(value >> 7)
