"""Check which attempts that `restart()` saw are still pending, right before the run acts on it.

While no worker is up, any amount of time may pass between the caller's check and the delivery of its update. The server
may have given the step to another worker in the meantime. Giving up that attempt would run a healthy step twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest

from mastra_temporal._protocol.attempts import NOT_STARTED, attempt_started
from mastra_temporal._protocol.messages import RestartRequest
from mastra_temporal._protocol.names import ACTIVITY_STILL_LOST

__all__ = ["still_lost"]

SOON = timedelta(seconds=1)
"""Longer than the run needs to act on the answer, with a margin for clock differences."""


@activity.defn(name=ACTIVITY_STILL_LOST)
async def still_lost(request: RestartRequest) -> list[str]:
    """Return the ids of the activities whose attempt is still the one that the caller saw."""
    info, client = activity.info(), activity.client()
    assert info.workflow_id is not None
    assert info.workflow_run_id is not None
    execution = WorkflowExecution(workflow_id=info.workflow_id, run_id=info.workflow_run_id)
    description = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    )
    pending = {item.activity_id: item for item in description.pending_activities}
    return [
        item.activity_id
        for item in request.attempts
        if item.activity_id in pending and _is_same(pending[item.activity_id], item.started)
    ]


def _is_same(pending: PendingActivityInfo, seen: str | None) -> bool:
    """Return whether the pending attempt is the one that started at the time ``seen``."""
    if seen == NOT_STARTED:  # a cancelled run changes the state
        return pending.state != PendingActivityState.PENDING_ACTIVITY_STATE_STARTED and not _is_due(pending)
    return attempt_started(pending) == seen


def _is_due(pending: PendingActivityInfo) -> bool:
    """Return whether the next attempt may begin before the run can act on the answer. It is then left alone."""
    if not pending.HasField("next_attempt_schedule_time"):
        return False
    due = pending.next_attempt_schedule_time.ToDatetime(timezone.utc)
    return due - datetime.now(timezone.utc) < SOON
