"""Limit the workflow tasks in which workers die: conditions, mappings, durations and schemas run inside them."""

from __future__ import annotations

from collections.abc import Iterable

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, TimeoutType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.service import RPCError

from mastra_temporal.errors import LostAttemptsError

__all__ = ["check_workflow_task"]

LATEST_EVENTS = 100
"""Number of latest history events that are searched for recorded losses."""
TASK_ENDS = {EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED}
"""Events that end a workflow task with a decision of its worker."""


async def check_workflow_task(owner: str, limit: int | None) -> None:
    """Raise an error if too many workers died during the current workflow task.

    If the server cannot be asked, the code may run.

    Args:
        owner: Whose code is about to run, for the message.
        limit: How many workers may be lost in a row; None for no limit.

    Raises:
        LostAttemptsError: The limit is reached.
    """
    if limit is None:
        return
    try:
        lost = await _lost_in_a_row()
    except RPCError:
        return
    if lost >= limit:
        times = "once" if lost == 1 else f"{lost} times in a row"
        raise LostAttemptsError(
            f"{owner}: the worker died or did not answer {times} while it ran this, or what comes right after it; "
            f"`max_lost_attempts` is {limit}. The process ended (os._exit, a segmentation fault, no memory), or the "
            "code held Python's lock (the GIL) for longer than the workflow task's timeout."
        )


async def _lost_in_a_row() -> int:
    """Return how many attempts of the current workflow task were lost."""
    info, client = activity.info(), activity.client()
    execution = WorkflowExecution(workflow_id=info.workflow_id or "", run_id=info.workflow_run_id or "")
    latest = await client.workflow_service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(
            namespace=client.namespace, execution=execution, maximum_page_size=LATEST_EVENTS
        )
    )
    recorded = _recorded_losses(latest.history.events)
    # Without a recorded loss, the attempt number counts failures, which the server does not distinguish from losses.
    if recorded == 0:
        return 0
    description = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    )
    # From the second attempt on, the server writes no events and only increments the attempt number. Without adding it,
    # the count would stay at one.
    return recorded + max(description.pending_workflow_task.attempt - 2, 0)


def _recorded_losses(latest_first: Iterable[HistoryEvent]) -> int:
    """Count the losses recorded since the run last made progress."""
    losses, next_event = 0, None
    for event in latest_first:
        if _is_loss(event):
            losses += 1
        elif event.event_type in TASK_ENDS and not _is_extended(event, next_event):
            break
        next_event = event
    return losses


def _is_loss(event: HistoryEvent) -> bool:
    """Return whether a workflow task was lost: its worker did not answer, or `restart()` failed the task in its place.

    A real reset has the same cause, but names a new run.
    """
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
        timeout = event.workflow_task_timed_out_event_attributes.timeout_type
        return timeout == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
    failed = event.workflow_task_failed_event_attributes
    return failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW and not failed.new_run_id


def _is_extended(event: HistoryEvent, next_event: HistoryEvent | None) -> bool:
    """Return whether a workflow task was only extended because its local activities take longer than its timeout.

    The SDK then completes the task and asks for a new one. Treating that as progress would reset the count each time.
    """
    return (
        event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        and next_event is not None
        and next_event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
    )
