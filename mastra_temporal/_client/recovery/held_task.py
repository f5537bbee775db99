"""The workflow task that a dead worker holds: the server waits for it, ten seconds, and the run waits as long.

A worker that is frozen, or whose machine is gone, has open polls, and the server hands the next task to one of them. Or
it died while it worked on a task. Such a task is failed in the name of its worker; the server then gives it to another
one at once. Only the worker was told the token by which this is done. We make it ourselves: it says no more than which
task is meant. A server that does not take it refuses it, and then the run waits.
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
"""How long a task of an unknown worker may take before it counts as held: it only brings an update to the run. The next
one may take twice as long, because a worker that is alive may be slow."""
MOST_FREED = 3
"""Tasks that are freed for one update: a worker that is alive, and so slow, is to come to an end."""

STARTED = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
TASK_EVENTS = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
}


@dataclass(frozen=True)
class HeldTask:
    """A workflow task that a worker has taken."""

    run_id: str
    execution: str
    scheduled_event_id: int
    attempt: int
    worker: str
    """Its identity. Empty if the server does not tell: the task is not recorded before its end."""


async def free_held_task(
    client: Client, description: DescribeWorkflowExecutionResponse, liveness: LivenessChecker
) -> bool:
    """Have a run's workflow task given to another worker if the one that took it is gone. Takes as long as a verdict.

    Returns:
        Whether it was.
    """
    task = await _taken(client, description)
    if task is None or not task.worker or not await liveness.is_worker_gone(task.worker):
        return False
    return await _fail(client, task)


@contextlib.asynccontextmanager
async def freeing_held_tasks(client: Client, run_id: str, liveness: LivenessChecker) -> AsyncGenerator[None]:
    """For the length of the block, in which an update awaits its answer: free the task that is to bring it."""
    freeing = asyncio.create_task(_free_again_and_again(client, run_id, liveness))
    try:
        yield
    finally:
        freeing.cancel()
        await asyncio.gather(freeing, return_exceptions=True)


async def _free_again_and_again(client: Client, run_id: str, liveness: LivenessChecker) -> None:
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
    """The run's workflow task, if a worker has it."""
    pending = description.pending_workflow_task
    if pending.state != STARTED:
        return None
    info = description.workflow_execution_info
    page = await client.workflow_service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(namespace=client.namespace, execution=info.execution)
    )
    last = next((event for event in page.history.events if event.event_type in TASK_EVENTS), None)
    if last is not None and last.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
        started = last.workflow_task_started_event_attributes
        scheduled, worker = started.scheduled_event_id, started.identity
    else:  # it will be recorded when it ends: behind everything that is
        scheduled, worker = info.history_length + 1, ""
    return HeldTask(info.execution.workflow_id, info.execution.run_id, scheduled, pending.attempt, worker)


async def _fail(client: Client, task: HeldTask) -> bool:
    """Fail a task, with the cause that the server does not count as a fault of the workflow."""
    try:
        described = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace)
        )
        await client.workflow_service.respond_workflow_task_failed(
            RespondWorkflowTaskFailedRequest(
                namespace=client.namespace,
                task_token=_token(described.namespace_info.id, task),
                cause=WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
                identity=client.identity,
            )
        )
    except RPCError:
        return False  # it has ended meanwhile, or the server has other tokens
    return True


def _token(namespace_id: str, task: HeldTask) -> bytes:
    """The message ``temporal.server.api.token.v1.Task``, of which the server needs five fields."""
    fields = (namespace_id, task.run_id, task.execution, task.scheduled_event_id, task.attempt)
    return b"".join(_field(number, value) for number, value in enumerate(fields, start=1))


def _field(number: int, value: str | int) -> bytes:
    """A field of a protobuf message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    text = value.encode()
    return _varint(number << 3 | 2) + _varint(len(text)) + text


def _varint(value: int) -> bytes:
    low = value & 0x7F
    return bytes([low]) if value == low else bytes([low | 0x80]) + _varint(value >> 7)
