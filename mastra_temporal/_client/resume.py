"""`Run.resume`: send the data to the suspended run in an update.

The update's validator accepts or rejects the data before anything is written to the history.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.arguments import ResumeOptions
from mastra_temporal._client.busy import unhurried
from mastra_temporal._client.handle import RunHandle
from mastra_temporal._client.outcome import status_of
from mastra_temporal._client.recovery.stuck import send_until_answered
from mastra_temporal._client.step_path import path_of
from mastra_temporal._client.waiting import waiting
from mastra_temporal._data.gate import to_json
from mastra_temporal._data.shown import shown
from mastra_temporal._protocol.limits import size_error, stored_from
from mastra_temporal._protocol.messages import DataProblem, ResumeReply, ResumeRequest
from mastra_temporal._protocol.names import (
    INVALID_DATA,
    MEMO_RESUME_COUNT,
    MEMO_STATUS,
    NOT_SUSPENDED,
    RESUME_CLAIMED,
    RUN_NOT_SUSPENDED,
    UPDATE_RESUME,
    resume_claimed,
)
from mastra_temporal.errors import (
    MastraError,
    PayloadTooLargeError,
    ResumeAlreadyClaimedError,
    RunError,
    RunNotFoundError,
    RunNotSuspendedError,
    SchemaValidationError,
)

__all__ = ["resume", "resume_request", "resume_seen"]


PATIENCE_SECONDS = 2.0
"""Seconds to wait for a run that is not suspended yet, as in Mastra."""
POLL_SECONDS = 0.1
"""Seconds between two looks at such a run."""


def resume_request(run: RunHandle, resume_data: Any, options: ResumeOptions) -> ResumeRequest:
    """Validate the arguments of a resume and build the request.

    Args:
        run: The run.
        resume_data: The data for the suspended step.
        options: The caller's further arguments.

    Returns:
        The request.

    Raises:
        RunError: An argument is of the wrong type.
        SerializationError: The data cannot be written as JSON.
    """
    step, label, index = options.get("step"), options.get("label"), options.get("for_each_index")
    if label is not None and not isinstance(label, str):
        raise RunError(f"{run.label}: `label` is text, got {shown(label)}.")
    if index is not None and (not isinstance(index, int) or abs(index) >= 2**53):
        raise RunError(f"{run.label}: `for_each_index` is a whole number from 0, got {shown(index)}.")
    return ResumeRequest(
        step=None if step is None else to_json(path_of(step), what=f"`step` of {run.label}"),
        label=to_json(label, what=f"`label` of {run.label}"),
        for_each_index=index,
        resume_data=to_json(resume_data, what=f"The resume data of {run.label}"),
        request_context=run.request_context(options.get("request_context")) or None,
        per_step=options.get("per_step") or None,
    )


async def resume(run: RunHandle, request: ResumeRequest, *, known: bool, canceled: bool) -> int:
    """Resume a run.

    Args:
        run: The run.
        request: What to resume, and the data.
        known: Whether the caller knows that the run exists in Temporal.
        canceled: Whether the caller has canceled the run before its start.

    Returns:
        How often the run has been resumed, including this time.

    Raises:
        RunNotSuspendedError: The run or the step is not suspended.
        ResumeAlreadyClaimedError: Another caller has resumed this suspension.
        RunNotFoundError: Temporal has no such run.
        SchemaValidationError: The data do not match the step's schema.
        PayloadTooLargeError: The data are too large.
    """
    description = await run.describe(known=known)
    if description is None and canceled:
        raise RunNotSuspendedError(NOT_SUSPENDED)
    if description is None:
        raise RunNotFoundError(f"No snapshot found for this workflow run: {run.workflow.id} {run.run_id}")
    return await resume_seen(run.client, description, request)


async def resume_seen(client: Client, description: WorkflowExecutionDescription, request: ResumeRequest) -> int:
    """Resume the suspension that the caller has seen.

    The resume is refused if that suspension was resumed meanwhile, or if the run continued elsewhere by time travel.

    Args:
        client: The client.
        description: The run as the caller has seen it.
        request: What to resume, and the data.

    Returns:
        How often the run has been resumed, including this time.

    Raises:
        RunNotSuspendedError: The run or the step is not suspended.
        ResumeAlreadyClaimedError: Another caller has resumed this suspension.
        SchemaValidationError: The data do not match the step's schema.
        PayloadTooLargeError: The data are too large.
    """
    # Check the size here: the server would accept larger data, the worker's reply would exceed the limit, and the
    # run's workflow task would fail forever.
    request = request.model_copy(update={"stored_from": stored_from(client.data_converter)})
    too_large = size_error(request, f"The resume data of run `{description.id}`", request.stored_from)
    if too_large is not None:
        raise PayloadTooLargeError(too_large["message"])
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        resume_count, status = await _seen(description)
        # A run that was resumed before may be running and still have other suspended steps. Its memo does not show
        # them, so send the update and let the validator decide.
        if status == "suspended" or resume_count > 0:
            try:
                return await _send(client, description, request.model_copy(update={"resume_count": resume_count}))
            except RunNotSuspendedError as refusal:
                if status == "suspended" or isinstance(refusal, ResumeAlreadyClaimedError):
                    raise
        if time.monotonic() > patience:
            raise RunNotSuspendedError(NOT_SUSPENDED)
        await asyncio.sleep(POLL_SECONDS)
        description = await unhurried(client.get_workflow_handle(description.id).describe)


async def _seen(description: WorkflowExecutionDescription) -> tuple[int, str | None]:
    """Return the resume count and the status from the memo of the run that the caller has seen.

    Raises:
        RunNotSuspendedError: The run is closed, or its cancellation was requested.
    """
    canceled = description.raw_description.workflow_extended_info.cancel_requested
    if description.status != WorkflowExecutionStatus.RUNNING or canceled:
        raise RunNotSuspendedError(NOT_SUSPENDED)
    memo = await description.memo()
    return int(memo.get(MEMO_RESUME_COUNT, 0)), memo.get(MEMO_STATUS)


async def _send(client: Client, seen: WorkflowExecutionDescription, request: ResumeRequest) -> int:
    """Send the resume update to the chain of executions that the caller has seen."""
    # The first run id is the same after continue-as-new, but differs after time travel. Without it, the data could
    # resume a suspension of another timeline.
    first = seen.raw_description.workflow_execution_info.first_run_id
    handle = client.get_workflow_handle(seen.id, first_execution_run_id=first)
    update_id = f"resume-{uuid.uuid4()}"  # unique per call: a shared id would drop the data of the second caller
    try:
        async with waiting(client).turn(seen.id):
            reply = await send_until_answered(
                lambda: handle.execute_update(UPDATE_RESUME, request, id=update_id, result_type=ResumeReply)
            )
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from None
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise await _refusal_of_ended(client, seen.id, request.resume_count) from error
        raise
    return reply.resume_count


async def _refusal_of_ended(client: Client, run_id: str, resume_count: int | None) -> RunNotSuspendedError:
    """Return the error for a run that was suspended and has ended: it was resumed by another caller, or canceled."""
    description = await client.get_workflow_handle(run_id).describe()
    if (await description.memo()).get(MEMO_RESUME_COUNT) == resume_count:
        return RunNotSuspendedError(NOT_SUSPENDED)
    status = await status_of(client, description)
    return ResumeAlreadyClaimedError(resume_claimed(description.workflow_type, run_id, status))


def _refusal(error: WorkflowUpdateFailedError) -> MastraError:
    """Return this package's error for an update that the run rejected."""
    cause = error.cause
    if not isinstance(cause, ApplicationError):
        return RunNotSuspendedError(NOT_SUSPENDED)
    if cause.type == INVALID_DATA:
        problem = DataProblem.model_validate(cause.details[0])
        return SchemaValidationError(cause.message, code=problem.code, issues=problem.issues)
    if cause.type == RESUME_CLAIMED:
        return ResumeAlreadyClaimedError(cause.message)
    if cause.type == RUN_NOT_SUSPENDED:
        return RunNotSuspendedError(cause.message)
    return RunNotSuspendedError(f"The run could not be resumed: {cause.message}")
