"""Ask the server why an attempt is no longer wanted, and how the attempt before it ended."""

from __future__ import annotations

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowExecutionStatus
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from mastra_temporal.context import AbortReason

__all__ = ["pending_activity", "why_given_up"]

RUNNING = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
LATEST_EVENTS = 200
"""Number of latest history events that are searched for a replacement of the attempt."""
CANCELED = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED
CLOSED_FROM_OUTSIDE = (
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
)


async def why_given_up(client: Client, info: activity.Info, *, known: bool) -> AbortReason:
    """Return why the server no longer wants an attempt.

    Args:
        client: The client.
        info: The attempt.
        known: Whether the server still knows the attempt and requested its cancellation. If False, the server has ended
            it.
    """
    try:
        run = await _describe(client, info, info.workflow_run_id)
        status = run.workflow_execution_info.status
        if status == CANCELED or (status == RUNNING and run.workflow_extended_info.cancel_requested):
            return "canceled"
        if await _is_replaced(client, info, run):
            return "restarted"
        if status in CLOSED_FROM_OUTSIDE:
            latest = await _describe(client, info, None)
            # After a time travel or `restart()`, a terminated run continues in a new execution under the same workflow
            # ID.
            goes_on = latest.workflow_execution_info.execution.run_id != info.workflow_run_id
            return "restarted" if goes_on else "canceled"
    except RPCError:
        pass
    return "canceled" if known else "timed_out"


async def pending_activity(client: Client, info: activity.Info) -> PendingActivityInfo | None:
    """Return what the server knows about an attempt's activity, or None if it is not pending."""
    return _pending(await _describe(client, info, info.workflow_run_id), info)


def _pending(run: DescribeWorkflowExecutionResponse, info: activity.Info) -> PendingActivityInfo | None:
    return next((item for item in run.pending_activities if item.activity_id == info.activity_id), None)


async def _is_replaced(client: Client, info: activity.Info, run: DescribeWorkflowExecutionResponse) -> bool:
    """Return whether the run has scheduled the activity again although this attempt has not ended.

    The activity ID of the replacement has the next number: see `Attempts` in ``_worker/workflow/attempts.py``.
    """
    name, _, number = info.activity_id.partition("#")
    replacement = f"{name}#{int(number or 1) + 1}"
    if any(item.activity_id == replacement for item in run.pending_activities):
        return True
    latest = await client.workflow_service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(
            namespace=info.namespace,
            execution=run.workflow_execution_info.execution,
            maximum_page_size=LATEST_EVENTS,
        )
    )
    return any(
        event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        and event.activity_task_scheduled_event_attributes.activity_id == replacement
        for event in latest.history.events
    )


async def _describe(client: Client, info: activity.Info, run_id: str | None) -> DescribeWorkflowExecutionResponse:
    execution = WorkflowExecution(workflow_id=info.workflow_id or "", run_id=run_id or "")
    return await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=info.namespace, execution=execution)
    )
