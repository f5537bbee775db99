"""`Run.restart`: brings a run that lost its worker back to work, and never runs a finished step again.

The run stays the same execution. Its active steps whose workers are gone are scheduled again by an update, which comes
to the workflow only after the dead worker's sticky queue is cleared. A step that waits for its next attempt gets it
now. Everything else is left to go on by itself.
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
"""Of a run that is not canceled: an earlier restart has given up the attempt, whose worker will never say so."""


@dataclass(frozen=True)
class Rescheduling:
    """What was done for a run."""

    how: Literal["restarted", "attached"]
    why: str


async def reschedule(
    client: Client,
    run_id: str,
    *,
    request_context: dict[str, Any] | None = None,
    tracing_options: dict[str, Any] | None = None,
    force: bool = False,
    liveness: LivenessChecker | None = None,
) -> Rescheduling:
    """Schedule the steps of a run again that no worker is running any more; returns when that is done.

    Args:
        client: The client.
        run_id: A run that is open.
        request_context: Values to put into the run's request context.
        tracing_options: The options that the caller's headers carry: the run takes them over.
        force: Take every step under way for lost, without asking whether its worker is alive.
        liveness: What is known of workers already.
    """
    one_of_many = liveness is not None
    liveness = liveness or LivenessChecker(client)
    try:
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
        if told:  # the server would hurry them as they are; only the run itself can tell them what the caller says
            lost += idle
        seen = description.workflow_execution_info.history_length
        moved = 0
        if lost or told:
            watched = None if one_of_many else liveness  # many at once are slow, and must not be taken for held
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
    """`reschedule` a run, and look again during the block if it was by force.

    Nobody has asked then which workers are alive. The server may have given a step to the open poll of a dead one.
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
    """The identities of the workers that run a run's steps."""
    return [item.last_worker_identity for item in pending if item.state == STARTED]


async def release(client: Client, run_id: str) -> None:
    """Let a canceled run end without the steps that nobody runs: of dead workers, or waiting for a retry."""
    with contextlib.suppress(WorkflowUpdateFailedError):
        pending = list((await describe(client, run_id)).pending_activities)
        # Nothing is run again, so that a worker that only reconnects needs no longer patience.
        liveness = LivenessChecker(client, unlisted_seconds=SILENCE_SECONDS)
        lost = await _lost(run_id, [item for item in pending if item.state in (STARTED, CANCEL_REQUESTED)], liveness)
        idle = [item for item in pending if _waits_for_retry(item)]
        if lost or idle:
            # Not before: the task of the cancellation may be on that queue, where a worker that lives would not get it.
            await clear_sticky_queue(client, run_id)
            await _give_up(client, run_id, lost + idle, liveness)


async def _lost(
    run_id: str, under_way: list[PendingActivityInfo], liveness: LivenessChecker
) -> list[PendingActivityInfo]:
    gone = await liveness.gone(run_id, [item.last_worker_identity for item in under_way])
    return [item for item in under_way if item.last_worker_identity in gone]


def _waits_for_retry(activity: PendingActivityInfo) -> bool:
    scheduled = activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    return scheduled and activity.HasField("next_attempt_schedule_time")


async def _retry_now(client: Client, run_id: str, activity: PendingActivityInfo) -> bool:
    """Have a step's next attempt begin now. One that began while we looked goes on, see `is_given_up`."""
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
            return False  # the step has ended, or the server is too old: then it waits for its time
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
    """Have the run schedule these steps again, and take over what the caller says.

    Args:
        client: The client.
        run_id: The run.
        lost: The steps.
        liveness: What is known of workers, to free the workflow task that is to bring the request; None leaves it.
        request_context: The caller's values.
        said: All that the caller says, to tell this restart from others.
        seen: How many events the run had when the caller looked.

    Returns:
        How many of the steps were still in flight.
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
    """What the lost attempt had recorded: the new one is told, since Temporal forgets it with the activity."""
    if not activity.HasField("heartbeat_details"):
        lost = activity.state == STARTED or activity.last_failure.HasField("timeout_failure_info")
        return died_unrecorded(activity) if lost else None
    [checkpoint] = await client.data_converter.decode(activity.heartbeat_details.payloads, [Checkpoint])
    return checkpoint


def _update_id(request: RestartRequest, said: Sequence[dict[str, Any]], seen: int) -> str:
    """The same for all who want the same: of any number of restarts at once, one acts."""
    wanted = sorted(f"{item.activity_id}:{item.attempt}:{item.started}" for item in request.attempts) or [str(seen)]
    wanted += [json.dumps(each, sort_keys=True) for each in said]
    return f"restart-{hashlib.sha256(';'.join(wanted).encode()).hexdigest()[:32]}"


async def clear_sticky_queue(client: Client, run_id: str) -> None:
    """Forget which worker has the run in memory: if it is dead, every message would first wait for it.

    Do it before anything else: a task that is on that queue already stays there until its time is over.
    """
    await client.workflow_service.reset_sticky_task_queue(
        ResetStickyTaskQueueRequest(namespace=client.namespace, execution=WorkflowExecution(workflow_id=run_id))
    )
