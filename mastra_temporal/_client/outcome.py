"""Wait until a run has ended or is suspended, and read its result.

All waiters send an update with the same id, so the server keeps only one update per run. The waiters of one client also
share one long poll, see `waiting.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowHistoryEventFilterType,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError, TimeoutError
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.busy import has_failing_task, is_busy, unhurried
from mastra_temporal._client.records.open_status import open_status
from mastra_temporal._client.recovery.stuck import send_until_answered
from mastra_temporal._client.replay import recorded_result
from mastra_temporal._client.waiting import waiting
from mastra_temporal._data.gate import to_json
from mastra_temporal._data.schema import Schema, SchemaError
from mastra_temporal._definition.options import OutputOptions
from mastra_temporal._protocol.messages import OutcomeReply
from mastra_temporal._protocol.names import (
    FAILED_RUN,
    MEMO_RESUME_COUNT,
    MEMO_STATUS,
    REFUSED_RUN,
    UPDATE_OUTCOME,
    outcome_update_id,
)
from mastra_temporal._protocol.results import RunStatus, WorkflowResult
from mastra_temporal.errors import RunRefusedError

MOVE_SECONDS = 0.02
"""Seconds to wait for the next execution of a run before it is asked again."""
LOOK_SECONDS = 10
"""Maximum seconds that a waiter without a place waits for an outcome that exists."""
CLOSE_EVENT = WorkflowHistoryEventFilterType.CLOSE_EVENT

__all__ = ["closed_result", "ending", "outcome_of_start", "present", "status_of", "wait_for_outcome"]


async def outcome_of_start(
    client: Client, run_id: str, reply: asyncio.Future[OutcomeReply]
) -> WorkflowResult[Any] | None:
    """Return the outcome of a run that was started together with its outcome update.

    Args:
        client: The client.
        run_id: The run.
        reply: The future reply to the update.

    Returns:
        The outcome. None if the update did not deliver it and the caller has to wait for it with `wait_for_outcome`.
    """
    # Do not await `reply` itself: if we are cancelled, the SDK turns that into an RPC error, and we would not stop.
    await asyncio.wait((reply,))
    if (error := reply.exception()) is not None:
        if _is_gone(error) or (isinstance(error, RPCError) and (is_busy(error) or has_failing_task(error))):
            return None  # `wait_for_outcome` sends the update again
        raise error
    answer = reply.result()
    handle = client.get_workflow_handle(run_id, result_type=WorkflowResult[Any])
    return None if answer.continued_as_new else await _result_of(client, handle, answer)


async def wait_for_outcome(client: Client, run_id: str, resume_count: int) -> WorkflowResult[Any]:
    """Wait until a run has ended or is suspended.

    Args:
        client: The client.
        run_id: The run.
        resume_count: How often the run has been resumed.

    Returns:
        The outcome.
    """
    while True:
        outcome, shared = await waiting(client).share(
            (client, run_id, resume_count), functools.partial(_wait_in_line, client, run_id, resume_count)
        )
        if isinstance(outcome, WorkflowResult):
            return outcome.model_copy(deep=True) if shared else outcome  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        resume_count = outcome


async def _wait_in_line(client: Client, run_id: str, resume_count: int) -> WorkflowResult[Any] | int:
    """Wait for a place, then for the outcome.

    Returns:
        The outcome, or the resume count to wait with next: the run was resumed meanwhile, or continues elsewhere.
    """
    handle = client.get_workflow_handle(run_id, result_type=WorkflowResult[Any])
    places = waiting(client).outcomes
    while not await places.take():
        async with waiting(client).calls:
            if await _is_there(handle, resume_count):
                # The outcome of a suspended run needs a worker. Without the timeout, waiters without a worker would
                # hold all of the client's calls.
                with contextlib.suppress(asyncio.TimeoutError):
                    return await asyncio.wait_for(_wait(client, handle, resume_count), LOOK_SECONDS)
    try:
        return await _wait(client, handle, resume_count)
    finally:
        places.give_back()


async def _is_there(handle: WorkflowHandle[Any, Any], resume_count: int) -> bool:
    """Return whether the outcome exists, so that waiting for it returns at once."""
    description = await unhurried(handle.describe)
    if description.status != WorkflowExecutionStatus.RUNNING:
        return True
    memo = await description.memo()
    resumed = int(memo.get(MEMO_RESUME_COUNT, 0))
    return resumed > resume_count or (resumed == resume_count and memo.get(MEMO_STATUS) == "suspended")


async def _wait(client: Client, handle: WorkflowHandle[Any, Any], resume_count: int) -> WorkflowResult[Any] | int:
    """Wait for the outcome, or for the resume count to wait with next."""
    # Wait for both: a terminated or timed-out run never answers the update, and a suspended run never closes.
    update = asyncio.ensure_future(_outcome(handle, resume_count))
    closed = asyncio.ensure_future(closed_result(client, handle))
    try:
        await asyncio.wait((update, closed), return_when=asyncio.FIRST_COMPLETED)
        if closed.done():
            return await closed
        if _is_gone(update.exception()):
            # If the run continues in a new execution, send the update to that one: a run that is suspended there never
            # closes. If the run has ended, each further update would fail too, so read its result.
            return resume_count if await _goes_on(handle) else await closed
        reply = update.result()
        # The run replied just before continue-as-new. Give the server time to start the next execution: the update
        # would otherwise reach the old one again and loop.
        if reply.continued_as_new:
            await asyncio.sleep(MOVE_SECONDS)
            return resume_count
        return await _result_of(client, handle, reply) if reply.resume_count is None else reply.resume_count
    finally:
        # Wait until both have ended, so that no request outlives its waiter.
        update.cancel()
        closed.cancel()
        await asyncio.gather(update, closed, return_exceptions=True)


async def _goes_on(handle: WorkflowHandle[Any, Any]) -> bool:
    """Return whether a run whose execution closed has another, open execution."""
    await asyncio.sleep(MOVE_SECONDS)
    return (await handle.describe()).status == WorkflowExecutionStatus.RUNNING


async def _result_of(client: Client, handle: WorkflowHandle[Any, Any], reply: OutcomeReply) -> WorkflowResult[Any]:
    """Return the result for an update reply.

    The reply has no result if the result is too large or the run failed to start. Then read it from the close event.
    """
    if reply.result is None:
        return await closed_result(client, handle)
    return await _with_steps(client, handle, reply.result)


async def closed_result(client: Client, handle: WorkflowHandle[Any, Any]) -> WorkflowResult[Any]:
    """Wait until the execution is closed and read its result.

    Args:
        client: The client.
        handle: The run, with `WorkflowResult` as its result type.

    Returns:
        The result. The result of a run that Temporal closed is read by replay of its history.

    Raises:
        RunRefusedError: ``on_start`` raised.
    """
    ended = await ending(handle)
    if isinstance(ended, WorkflowResult):
        return await _with_steps(client, handle, ended)  # pyright: ignore[reportUnknownArgumentType]
    return (await recorded_result(client, handle.id)).model_copy(update=ended)


async def ending(handle: WorkflowHandle[Any, Any]) -> WorkflowResult[Any] | dict[str, Any]:
    """Wait until the execution is closed and tell how it ended, without a replay.

    Args:
        handle: The run, with `WorkflowResult` as its result type.

    Returns:
        The result, maybe without its steps. For a run that Temporal closed: its ``status`` and ``error``.

    Raises:
        RunRefusedError: ``on_start`` raised.
    """
    try:
        return await unhurried(handle.result)
    except WorkflowFailureError as failure:
        cause = failure.cause
    # A reset terminates the execution, and the run continues in a new one. Without this, waiters would get a failure.
    if isinstance(cause, TerminatedError) and await _is_replaced(handle):
        return await ending(handle)
    if isinstance(cause, ApplicationError) and cause.type == FAILED_RUN:
        return WorkflowResult[Any].model_validate(cause.details[0])
    if isinstance(cause, ApplicationError) and cause.type == REFUSED_RUN:
        raise RunRefusedError(cause.details[0].get("message") or cause.message)
    if isinstance(cause, CancelledError):
        return {"status": "canceled"}
    return {"status": "failed", "error": await _error(handle, cause)}


async def _with_steps(
    client: Client, handle: WorkflowHandle[Any, Any], result: WorkflowResult[Any]
) -> WorkflowResult[Any]:
    """Return the complete result. A large result has its steps in the history only."""
    if not result.compacted:
        return result
    recorded = await recorded_result(client, handle.id)
    left_out = {name: getattr(recorded, name) for name in ("steps", "input", "state", "suspend_payload")}
    return result.model_copy(update={**left_out, "compacted": None})


async def _outcome(handle: WorkflowHandle[Any, Any], resume_count: int) -> OutcomeReply:
    """Send the outcome update. All waiters use the same id, so the run has one update in flight for all of them."""
    update_id = outcome_update_id(resume_count)
    return await send_until_answered(
        lambda: handle.execute_update(UPDATE_OUTCOME, resume_count, id=update_id, result_type=OutcomeReply)
    )


def _is_gone(error: BaseException | None) -> bool:
    """Return whether the update failed because the execution closed while it was in flight."""
    if isinstance(error, RPCError):
        return error.status == RPCStatusCode.NOT_FOUND
    return isinstance(error, (WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError))


async def _is_replaced(handle: WorkflowHandle[Any, Any]) -> bool:
    """Return whether a terminated execution was reset, that is, another execution continues."""
    return (await handle.describe()).status != WorkflowExecutionStatus.TERMINATED


async def _error(handle: WorkflowHandle[Any, Any], cause: BaseException) -> dict[str, Any]:
    """Return the error of a run that was closed from outside, or whose workflow failed."""
    if isinstance(cause, TimeoutError):
        return {"name": "RunTimeoutError", "message": "The run exceeded its execution timeout."}
    if isinstance(cause, TerminatedError):
        events = [event async for event in handle.fetch_history_events(event_filter_type=CLOSE_EVENT)]
        reason = events[-1].workflow_execution_terminated_event_attributes.reason or "no reason was given"
        return {"name": "RunTerminatedError", "message": f"The run was terminated: {reason}"}
    return {"name": type(cause).__name__, "message": str(cause)}


async def status_of(client: Client, description: WorkflowExecutionDescription) -> RunStatus:
    """Return the status of an open or closed run."""
    if description.status == WorkflowExecutionStatus.RUNNING:
        return await open_status(description)
    handle = client.get_workflow_handle(description.id, result_type=WorkflowResult[Any])
    ended = await ending(handle)
    return ended.status if isinstance(ended, WorkflowResult) else ended["status"]


def present(result: WorkflowResult[Any], schema: Schema | None, options: OutputOptions) -> WorkflowResult[Any]:
    """Return a result for the caller.

    Args:
        result: The result as recorded.
        schema: The workflow's output schema. The output becomes an instance of it.
        options: Whether to keep the state and the resume labels.
    """
    update: dict[str, Any] = {}
    if not options.include_state:
        update["state"] = None
    if not options.include_resume_labels:
        update["resume_labels"] = None
    if schema is not None and result.status == "success":
        with contextlib.suppress(SchemaError):
            update["result"] = schema.validate(to_json(result.result, what="The result"))
    return result.model_copy(update=update)
