"""Which attempts of steps are still those that `restart()` saw: asked on the worker, right before the run acts on it.

Between the caller's verdict and its update's arrival any time may pass, if no worker is up. The server may have given
the step to another worker meanwhile, and then it must not be given up.
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
"""More than the run needs to act on the answer, with some room for clocks that differ."""


@activity.defn(name=ACTIVITY_STILL_LOST)
async def still_lost(request: RestartRequest) -> list[str]:
    """The activities of which the attempt that the caller saw is under way for the server."""
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
    if seen == NOT_STARTED:  # the run may have been canceled, which shows in the state
        return pending.state != PendingActivityState.PENDING_ACTIVITY_STATE_STARTED and not _is_due(pending)
    return attempt_started(pending) == seen


def _is_due(pending: PendingActivityInfo) -> bool:
    """Whether the next attempt may begin before the run can act on the answer: then it is left to begin."""
    if not pending.HasField("next_attempt_schedule_time"):
        return False
    due = pending.next_attempt_schedule_time.ToDatetime(timezone.utc)
    return due - datetime.now(timezone.utc) < SOON
