"""Detect and reset runs whose workflow task fails repeatedly, for example after a bad deploy.

The server retries such a task with growing backoff and rejects updates meanwhile. Once a good worker is up, the run
recovers at the next retry. A reset to the last failure makes it recover now and keeps everything recorded before.

A reset starts the pending activities again and drops what was recorded, or buffered, since the failure. So we reset
only if no step is alive and nothing would be lost. The server does not protect a run from two resets at once, and both
would happen, so we take a lock.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, PendingActivityState, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionResponse,
    ResetWorkflowExecutionRequest,
)
from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from mastra_temporal._client.busy import has_failing_task, is_busy, pauses
from mastra_temporal._client.recovery.liveness import LivenessChecker, describe
from mastra_temporal._client.recovery.lock import locked

__all__ = ["is_stuck", "reset_stuck_run", "send_until_answered"]

_logger = logging.getLogger("mastra_temporal.restart")

T = TypeVar("T")

POLL_SECONDS = 1.0
"""Seconds between two looks at a run that cannot be reset yet, and between two attempts of a rejected update."""
SHORT_POLL_SECONDS = 0.1
"""Seconds between two looks while another caller holds the lock, and before a broken connection is used again."""

CARRIED_OVER = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
}
"""Events after the last failure that a reset may drop, or that it applies again (signals)."""
TASK_ENDS = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
}
ACTIVITY_ENDS = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
}
NOT_OF_A_WORKER = {
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
}
"""Causes of a failed workflow task that are no fault of the worker's code: our own `held_task`, a reset, or new events
that arrived during the task."""


def is_stuck(description: DescribeWorkflowExecutionResponse) -> bool:
    """Return whether a run's workflow task failed or timed out and is being retried."""
    return description.pending_workflow_task.attempt >= 2


async def reset_stuck_run(client: Client, run_id: str, *, force: bool) -> bool:
    """Reset a run to its last failed workflow task. Wait until the reset repeats no step.

    If several callers do this at once, one of them resets the run.

    Returns:
        Whether this caller reset the run. If not, the run has recovered, or its last workflow task did not fail.
    """
    told, first = False, ""
    while True:
        description = await describe(client, run_id)
        execution = description.workflow_execution_info.execution
        first = first or execution.run_id
        # A new run id means that another caller has reset the run. A second reset would start its activities again.
        if not is_stuck(description) or execution.run_id != first:
            return False
        events = await _events(client, execution)
        tasks = [event for event in events if event.event_type in TASK_ENDS]
        if not tasks or not _is_failure(failure := tasks[-1]):
            return False
        if not told:
            told = True
            reason = failure.workflow_task_failed_event_attributes.failure.message
            _logger.warning("run `%s`: its workflow task fails again and again (%s); resetting it", run_id, reason)
        loses_nothing = _all_before(events, failure) and not _any_ended_unrecorded(events, description)
        if loses_nothing and (force or not await _any_step_alive(client, run_id, description)):
            async with locked(client, run_id) as mine:
                # Look again under the lock: a result recorded since the checks above would be dropped by the reset.
                if mine and await _still(client, run_id, description):
                    await _reset(client, execution, failure.event_id)
                    return True
            await asyncio.sleep(SHORT_POLL_SECONDS)
        else:
            await asyncio.sleep(POLL_SECONDS)


async def send_until_answered(update: Callable[[], Awaitable[T]]) -> T:
    """Send an update until it is answered.

    The update is sent again if the run's workflow task fails, if the run or the server has too many updates in flight,
    or if the connection closed while we waited for the reply. The update must have a fixed id: without one, the run
    would handle each attempt as a new update.
    """
    told, busy = False, 0
    while True:
        try:
            return await update()
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            if isinstance(error.__cause__ or error.__context__, asyncio.CancelledError):
                # The SDK turns our own cancellation into an RPC error. Without this, the loop would ignore it.
                raise asyncio.CancelledError from error
            await asyncio.sleep(SHORT_POLL_SECONDS)
            continue
        except RPCError as error:
            if is_busy(error):
                busy += 1
                await pauses(busy)
                continue
            if not has_failing_task(error):
                raise
        if not told:
            told = True
            _logger.warning("the run's workflow task fails: waiting for a worker that can go on with it")
        await asyncio.sleep(POLL_SECONDS)


async def _events(client: Client, execution: WorkflowExecution) -> list[HistoryEvent]:
    """Return the history of an execution."""
    handle = client.get_workflow_handle(execution.workflow_id, run_id=execution.run_id)
    return [event async for event in handle.fetch_history_events()]


def _is_failure(event: HistoryEvent) -> bool:
    """Return whether an event is a failed workflow task, caused by the worker's code."""
    failed = event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    return failed and event.workflow_task_failed_event_attributes.cause not in NOT_OF_A_WORKER


def _all_before(events: list[HistoryEvent], failure: HistoryEvent) -> bool:
    """Return whether a reset to the failure would drop no recorded event that matters."""
    after = (event for event in events if event.event_id > failure.event_id)
    return all(event.event_type in CARRIED_OVER for event in after)


def _any_ended_unrecorded(events: list[HistoryEvent], description: DescribeWorkflowExecutionResponse) -> bool:
    """Return whether the server buffers the result of a step that has ended.

    The server holds such events back while a workflow task is started. They are not in the history, but the activity is
    no longer pending. A reset would drop the result, and the step would run again.
    """
    names = {
        event.event_id: event.activity_task_scheduled_event_attributes.activity_id
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    }
    for event in events:
        if event.event_type in ACTIVITY_ENDS:
            names.pop(getattr(event, event.WhichOneof("attributes") or "").scheduled_event_id, None)
    return bool(set(names.values()) - {item.activity_id for item in description.pending_activities})


async def _any_step_alive(client: Client, run_id: str, description: DescribeWorkflowExecutionResponse) -> bool:
    """Return whether a worker of a running step is alive. A reset would run that step a second time."""
    workers = {
        item.last_worker_identity
        for item in description.pending_activities
        if item.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    }
    return bool(workers - await LivenessChecker(client).gone(run_id, sorted(workers)))


async def _still(client: Client, run_id: str, seen: DescribeWorkflowExecutionResponse) -> bool:
    """Return whether nothing has happened to the run since ``seen``.

    Retries of the workflow task add no events, so the history length shows whether anything else happened.
    """
    now = await describe(client, run_id)
    return (
        is_stuck(now)
        and now.workflow_execution_info.execution == seen.workflow_execution_info.execution
        and now.workflow_execution_info.history_length == seen.workflow_execution_info.history_length
        and len(now.pending_activities) == len(seen.pending_activities)
    )


async def _reset(client: Client, execution: WorkflowExecution, event_id: int) -> None:
    """Reset an execution to the workflow task that ended with this event."""
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=execution,
            reason="restart(): the workflow task failed again and again",
            workflow_task_finish_event_id=event_id,
            request_id=str(uuid.uuid4()),
            identity=client.identity,
        )
    )
