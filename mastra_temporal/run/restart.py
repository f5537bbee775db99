"""`Run.restart`: brings a run that lost its worker back to work, and never runs a finished step again.

The run stays the same execution. Its active steps whose workers are gone are scheduled again by an update, which comes
to the workflow only after the dead worker's sticky queue is cleared. Everything else is left to go on by itself.
"""

# pyright: reportUnknownMemberType=false
# Some of the SDK's overloads are not fully typed.

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal.execution.names import UPDATE_RESTART
from mastra_temporal.run.liveness import gone_workers, pending_steps
from mastra_temporal.wire import Checkpoint, LostAttempt, RestartRequest

__all__ = ["clear_sticky_queue", "reschedule_lost_steps"]

SOON = timedelta(seconds=2)
"""A retry that is due so soon is left alone: it might start while we look."""


async def reschedule_lost_steps(
    client: Client, run_id: str, *, request_context: dict[str, Any] | None = None, force: bool = False
) -> int:
    """Schedule the steps again that no worker is running any more.

    Args:
        client: The client.
        run_id: A run that is open.
        request_context: Values to put into the run's request context.
        force: Take every step under way for lost, without asking whether its worker is alive.

    Returns:
        How many steps were scheduled again.
    """
    try:
        pending = await pending_steps(client, run_id)
        lost = await _lost(client, run_id, pending, force)
        if not lost and not request_context:
            return 0
        await clear_sticky_queue(client, run_id)
        attempts = [
            LostAttempt(
                activity_id=activity.activity_id, attempt=activity.attempt, carried=await _carried(client, activity)
            )
            for activity in lost
        ]
        return await client.get_workflow_handle(run_id).execute_update(
            UPDATE_RESTART,
            RestartRequest(attempts=attempts, request_context=request_context),
            id=_update_id(lost, request_context),
            result_type=int,
        )
    except WorkflowUpdateFailedError:
        return 0  # the run ended while the update was under way
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return 0  # the run has ended


async def _lost(
    client: Client, run_id: str, pending: list[PendingActivityInfo], force: bool
) -> list[PendingActivityInfo]:
    started = [item for item in pending if item.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED]
    backing_off = [item for item in pending if _waits_for_retry(item)]
    if force:
        return started + backing_off
    identities = {item.last_worker_identity: None for item in started}
    gone = await gone_workers(client, run_id, identities) if identities else set[str]()
    return [item for item in started if item.last_worker_identity in gone] + backing_off


def _waits_for_retry(activity: PendingActivityInfo) -> bool:
    if activity.state != PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED or activity.attempt < 2:
        return False
    due = activity.next_attempt_schedule_time.ToDatetime(tzinfo=timezone.utc)
    return due - datetime.now(timezone.utc) > SOON


async def _carried(client: Client, activity: PendingActivityInfo) -> Checkpoint | None:
    """What the lost attempt had recorded: the new one is told, since Temporal forgets it with the activity."""
    if not activity.HasField("heartbeat_details"):
        return None
    [checkpoint] = await client.data_converter.decode(activity.heartbeat_details.payloads, [Checkpoint])
    return checkpoint


def _update_id(lost: Iterable[PendingActivityInfo], request_context: dict[str, Any] | None) -> str:
    """The same for all who want the same: of any number of restarts at once, one acts."""
    wanted = sorted(f"{item.activity_id}:{item.attempt}" for item in lost)
    if request_context:
        wanted.append(repr(sorted(request_context.items())))
    return f"restart-{hashlib.sha256(';'.join(wanted).encode()).hexdigest()[:32]}"


async def clear_sticky_queue(client: Client, run_id: str) -> None:
    """Forget which worker has the run in memory: if it is dead, every message would first wait for it.

    Do it before anything else: a task that is on that queue already stays there until its time is over.
    """
    await client.workflow_service.reset_sticky_task_queue(
        ResetStickyTaskQueueRequest(namespace=client.namespace, execution=WorkflowExecution(workflow_id=run_id))
    )
