"""`Run.restart` of an open run: continue it without its lost worker. Finished steps never run again.

The execution stays the same. An update schedules the active steps again whose workers are gone. The sticky queue must
be cleared first: otherwise the update would wait for the dead worker. A step that waits for a retry is retried at once.
Everything else continues by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import ResetActivityRequest, ResetStickyTaskQueueRequest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.recovery.held_task import free_held_task, freeing_held_tasks
from mastra_temporal._client.recovery.liveness import SILENCE_SECONDS, LivenessChecker, describe
from mastra_temporal._client.recovery.stuck import is_stuck, reset_stuck_run, send_until_answered
from mastra_temporal._client.waiting import waiting
from mastra_temporal._protocol.attempts import attempt_started
from mastra_temporal._protocol.messages import LostAttempt, RestartRequest
from mastra_temporal._protocol.names import UPDATE_RESTART
from mastra_temporal._protocol.step_calls import Checkpoint
from mastra_temporal._worker.activities.lost_attempts import died_unrecorded

__all__ = ["Rescheduling", "clear_sticky_queue", "release", "reschedule", "reviving", "workers_of"]


STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
CANCEL_REQUESTED = PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
"""State of an activity that an earlier restart gave up, if the run itself is not canceled. Its dead worker will never
report the cancellation."""


@dataclass(frozen=True)
class Rescheduling:
    """What `reschedule` did with a run."""

    how: Literal["restarted", "attached"]
    """``restarted``: something was scheduled or freed. ``attached``: the run continues by itself."""
    why: str
    """Human-readable reason."""


async def reschedule(
    client: Client,
    run_id: str,
    *,
    request_context: dict[str, Any] | None = None,
    tracing_options: dict[str, Any] | None = None,
    force: bool = False,
    liveness: LivenessChecker | None = None,
) -> Rescheduling:
    """Schedule the steps of a run again whose workers are gone. Return when the run has accepted this.

    Args:
        client: The client.
        run_id: An open run.
        request_context: Values to put into the run's request context.
        tracing_options: The tracing options in the caller's headers, which the run adopts.
        force: Treat every running step as lost, without checking its worker.
        liveness: A checker shared with other runs; by default a new one.

    Returns:
        What was done.
    """
    one_of_many = liveness is not None
    liveness = liveness or LivenessChecker(client)
    try:
        # First of all: a workflow task that is already on a dead worker's sticky queue would stay there until it times
        # out, and the update below would wait for it.
        await clear_sticky_queue(client, run_id)
        description = await describe(client, run_id)
        reset = False
        if is_stuck(description):
            reset = await reset_stuck_run(client, run_id, force=force)
            description = await describe(client, run_id)
        pending = list(description.pending_activities)
        idle = [item for item in pending if _waits_for_retry(item)]
        told = bool(request_context or tracing_options)
        hurried = [] if told else [await _retry_now(client, run_id, item) for item in idle]
        lost = [item for item in pending if item.state == STARTED]
        freed = False
        if not force:
            lost, freed = await asyncio.gather(
                _lost(run_id, lost, liveness), free_held_task(client, description, liveness)
            )
        if told:
            # `_retry_now` would repeat the recorded arguments. Only a new activity gets the caller's values.
            lost += idle
        seen = description.workflow_execution_info.history_length
        moved = 0
        if lost or told:
            # In a bulk restart workers are slow to answer. Their tasks would be taken for held, and failed.
            watched = None if one_of_many else liveness
            said = [each for each in (request_context, tracing_options) if each]
            moved = await _give_up(client, run_id, lost, watched, request_context, said, seen)
    except WorkflowUpdateFailedError:
        return Rescheduling("attached", "it ended meanwhile")
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return Rescheduling("attached", "it ended meanwhile")
    if reset:
        return Rescheduling("restarted", "its workflow task had failed again and again")
    if moved:
        return Rescheduling("restarted", "the worker of its step was gone" if not force else "by force")
    if freed:
        return Rescheduling("restarted", "the worker of its workflow task was gone")
    if any(hurried):
        return Rescheduling("restarted", "its step waited for the next attempt")
    return Rescheduling("attached", "its steps are alive" if pending else "no step was under way")


@contextlib.asynccontextmanager
async def reviving(
    client: Client,
    run_id: str,
    *,
    request_context: dict[str, Any],
    tracing_options: dict[str, Any] | None,
    force: bool,
) -> AsyncGenerator[None]:
    """Call `reschedule` before the block. If forced, call it again during the block, this time with liveness checks.

    A forced restart does not check the workers, so the server may give a step to the open poll of a dead worker.
    Without the second call, that step would be lost again.
    """
    await reschedule(client, run_id, request_context=request_context, tracing_options=tracing_options, force=force)
    again = asyncio.create_task(reschedule(client, run_id)) if force else None
    try:
        yield
    finally:
        if again is not None:
            again.cancel()
            await asyncio.gather(again, return_exceptions=True)


def workers_of(pending: Iterable[PendingActivityInfo]) -> list[str]:
    """Return the identities of the workers that run a run's steps."""
    return [item.last_worker_identity for item in pending if item.state == STARTED]


async def release(client: Client, run_id: str) -> None:
    """Let a canceled run end without waiting for steps of dead workers or for steps that wait for a retry."""
    with contextlib.suppress(WorkflowUpdateFailedError):
        pending = list((await describe(client, run_id)).pending_activities)
        # No step is rescheduled here, so no grace period for reconnecting workers is needed.
        liveness = LivenessChecker(client, unlisted_seconds=SILENCE_SECONDS)
        lost = await _lost(run_id, [item for item in pending if item.state in (STARTED, CANCEL_REQUESTED)], liveness)
        idle = [item for item in pending if _waits_for_retry(item)]
        if lost or idle:
            # Not earlier: the workflow task with the cancellation may be on the sticky queue. If its worker is alive,
            # clearing the queue would take the task away from it.
            await clear_sticky_queue(client, run_id)
            await _give_up(client, run_id, lost + idle, liveness)


async def _lost(
    run_id: str, under_way: list[PendingActivityInfo], liveness: LivenessChecker
) -> list[PendingActivityInfo]:
    """Return the activities whose workers are gone."""
    gone = await liveness.gone(run_id, [item.last_worker_identity for item in under_way])
    return [item for item in under_way if item.last_worker_identity in gone]


def _waits_for_retry(activity: PendingActivityInfo) -> bool:
    """Return whether an activity waits for the retry interval before its next attempt."""
    scheduled = activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    return scheduled and activity.HasField("next_attempt_schedule_time")


async def _retry_now(client: Client, run_id: str, activity: PendingActivityInfo) -> bool:
    """Start a step's next attempt now instead of after its retry interval. Return whether this worked.

    An attempt that began meanwhile continues.
    """
    try:
        await client.workflow_service.reset_activity(
            ResetActivityRequest(
                namespace=client.namespace,
                execution=WorkflowExecution(workflow_id=run_id),
                identity=client.identity,
                id=activity.activity_id,
            )
        )
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.UNIMPLEMENTED):
            return False  # the step has ended, or the server is too old and keeps the retry interval
        raise
    return True


async def _give_up(
    client: Client,
    run_id: str,
    lost: list[PendingActivityInfo],
    liveness: LivenessChecker | None,
    request_context: dict[str, Any] | None = None,
    said: Sequence[dict[str, Any]] = (),
    seen: int = 0,
) -> int:
    """Send the update that makes the run schedule these steps again and adopt the caller's values.

    Args:
        client: The client.
        run_id: The run.
        lost: The pending activities of the steps.
        liveness: The checker used to free held workflow tasks that should deliver the update. None frees none.
        request_context: The caller's values.
        said: The caller's values and tracing options, which distinguish this restart from others.
        seen: The run's history length when the caller looked.

    Returns:
        How many of the steps were still pending.
    """
    request = RestartRequest(
        attempts=[
            LostAttempt(
                activity_id=item.activity_id,
                attempt=item.attempt,
                started=attempt_started(item),
                carried=await _carried(client, item),
            )
            for item in lost
        ],
        request_context=request_context,
    )
    handle = client.get_workflow_handle(run_id)
    update_id = _update_id(request, said, seen)
    freeing = freeing_held_tasks(client, run_id, liveness) if lost and liveness else contextlib.nullcontext()
    async with freeing, waiting(client).turn(run_id):
        return await send_until_answered(
            lambda: handle.execute_update(UPDATE_RESTART, request, id=update_id, result_type=int)
        )


async def _carried(client: Client, activity: PendingActivityInfo) -> Checkpoint | None:
    """Return the heartbeat details of the lost attempt. Temporal drops them with the activity, so we pass them on."""
    if not activity.HasField("heartbeat_details"):
        lost = activity.state == STARTED or activity.last_failure.HasField("timeout_failure_info")
        return died_unrecorded(activity) if lost else None
    [checkpoint] = await client.data_converter.decode(activity.heartbeat_details.payloads, [Checkpoint])
    return checkpoint


def _update_id(request: RestartRequest, said: Sequence[dict[str, Any]], seen: int) -> str:
    """Return an update id derived from the request.

    Concurrent restarts of the same attempts get the same id, so the server runs the update once. With random ids each
    caller would schedule the steps again.
    """
    wanted = sorted(f"{item.activity_id}:{item.attempt}:{item.started}" for item in request.attempts) or [str(seen)]
    wanted += [json.dumps(each, sort_keys=True) for each in said]
    return f"restart-{hashlib.sha256(';'.join(wanted).encode()).hexdigest()[:32]}"


async def clear_sticky_queue(client: Client, run_id: str) -> None:
    """Make the server forget which worker has the run in its cache.

    If that worker is dead, every workflow task would first wait on its sticky queue. Call this before anything else:
    a task that is already on the sticky queue stays there until it times out.
    """
    await client.workflow_service.reset_sticky_task_queue(
        ResetStickyTaskQueueRequest(namespace=client.namespace, execution=WorkflowExecution(workflow_id=run_id))
    )
