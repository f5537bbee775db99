"""Runs whose workflow task fails again and again, as after a bad deploy: how to tell, and how to get them out at once.

The server tries such a task again, ever more slowly, and refuses updates meanwhile. A good worker is enough to heal the
run in time. A reset to the last failure heals it now: everything recorded before is kept. A reset starts the activities
under way once more, and cuts off what was recorded since, or waits to be; so it is made when no step is alive, and
nothing would be lost. Two resets at once would both happen, the server does not protect a run from that: so we take a
lock.
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

from mastra_temporal._client.busy import is_busy, pauses
from mastra_temporal._client.recovery.liveness import LivenessChecker, describe
from mastra_temporal._client.recovery.lock import locked

__all__ = ["is_stuck", "reset_stuck_run", "send_until_answered"]

_logger = logging.getLogger("mastra_temporal.restart")

T = TypeVar("T")

POLL_SECONDS = 1.0
SHORT_POLL_SECONDS = 0.1

CARRIED_OVER = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
}
"""Events after the last failure that a reset loses without harm, or applies again."""
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


def is_stuck(description: DescribeWorkflowExecutionResponse) -> bool:
    """Whether a run's workflow task failed or timed out, and is to be tried again."""
    return description.pending_workflow_task.attempt >= 2


async def reset_stuck_run(client: Client, run_id: str, *, force: bool) -> bool:
    """Reset a run to its last failed workflow task, as soon as that repeats no step. One of all callers does so.

    Returns:
        Whether it was this caller. If not, the run has recovered, or was never stuck in this way.
    """
    told, first = False, ""
    while True:
        description = await describe(client, run_id)
        execution = description.workflow_execution_info.execution
        first = first or execution.run_id
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
                if mine and await _still(client, run_id, description):
                    await _reset(client, execution, failure.event_id)
                    return True
            await asyncio.sleep(SHORT_POLL_SECONDS)
        else:
            await asyncio.sleep(POLL_SECONDS)


async def send_until_answered(update: Callable[[], Awaitable[T]]) -> T:
    """Send an update until it is answered. It must have an id of its own: then it is handled once.

    It is sent again while it is refused because the run's workflow task fails, or because the run or the server has too
    many under way, and after the server has closed the connection on which its answer was awaited.
    """
    told, busy = False, 0
    while True:
        try:
            return await update()
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            if isinstance(error.__cause__ or error.__context__, asyncio.CancelledError):
                raise asyncio.CancelledError from error  # it was us; the SDK hides that
            await asyncio.sleep(SHORT_POLL_SECONDS)
            continue
        except RPCError as error:
            if is_busy(error):
                busy += 1
                await pauses(busy)
                continue
            if "Workflow Task in failed state" not in error.message:
                raise
        if not told:
            told = True
            _logger.warning("the run's workflow task fails: waiting for a worker that can go on with it")
        await asyncio.sleep(POLL_SECONDS)


async def _events(client: Client, execution: WorkflowExecution) -> list[HistoryEvent]:
    handle = client.get_workflow_handle(execution.workflow_id, run_id=execution.run_id)
    return [event async for event in handle.fetch_history_events()]


def _is_failure(event: HistoryEvent) -> bool:
    failed = event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    return failed and event.workflow_task_failed_event_attributes.cause not in NOT_OF_A_WORKER


def _all_before(events: list[HistoryEvent], failure: HistoryEvent) -> bool:
    """Whether nothing was recorded after the failure that a reset would cut off."""
    after = (event for event in events if event.event_id > failure.event_id)
    return all(event.event_type in CARRIED_OVER for event in after)


def _any_ended_unrecorded(events: list[HistoryEvent], description: DescribeWorkflowExecutionResponse) -> bool:
    """Whether a step has ended, and the server keeps its result back until the workflow task under way is over."""
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
    workers = {
        item.last_worker_identity
        for item in description.pending_activities
        if item.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    }
    return bool(workers - await LivenessChecker(client).gone(run_id, sorted(workers)))


async def _still(client: Client, run_id: str, seen: DescribeWorkflowExecutionResponse) -> bool:
    """Whether nothing has happened to the run since: the task's attempts leave the number of events alone."""
    now = await describe(client, run_id)
    return (
        is_stuck(now)
        and now.workflow_execution_info.execution == seen.workflow_execution_info.execution
        and now.workflow_execution_info.history_length == seen.workflow_execution_info.history_length
        and len(now.pending_activities) == len(seen.pending_activities)
    )


async def _reset(client: Client, execution: WorkflowExecution, event_id: int) -> None:
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
