"""`Run.resume`: sends the data to the suspended run, which accepts or refuses them before anything is recorded."""

# pyright: reportUnknownMemberType=false
# Some of the SDK's overloads are not fully typed.

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.busy import unhurried
from mastra_temporal._client.outcome import closed_result
from mastra_temporal._client.records.open_status import open_status
from mastra_temporal._client.recovery.stuck import patiently
from mastra_temporal._client.waiting import waiting
from mastra_temporal._definition.step import Step
from mastra_temporal._protocol.limits import size_error, stored_from
from mastra_temporal._protocol.messages import DataProblem, ResumeReply, ResumeRequest
from mastra_temporal._protocol.names import (
    INVALID_DATA,
    MEMO_GENERATION,
    MEMO_STATUS,
    NOT_SUSPENDED,
    RESUME_CLAIMED,
    RUN_NOT_SUSPENDED,
    UPDATE_RESUME,
    resume_claimed,
)
from mastra_temporal._protocol.results import WorkflowResult
from mastra_temporal.errors import (
    MastraError,
    PayloadTooLargeError,
    ResumeAlreadyClaimedError,
    RunError,
    RunNotSuspendedError,
    SchemaValidationError,
)
from mastra_temporal.workflow import Workflow

__all__ = ["StepPath", "path_of", "resume"]

StepLike = str | Step[Any, Any] | Workflow[Any, Any, Any]
StepPath = StepLike | Sequence[StepLike]
"""A step by id, dotted path or object, or the steps on the way to it."""

PATIENCE_SECONDS = 2.0
"""How long a run that is not suspended yet is waited for, as in Mastra."""
POLL_SECONDS = 0.1


def path_of(step: StepPath) -> list[str]:
    """The ids on the way to a step.

    Raises:
        RunError: It is neither text nor a step, nor a list of them.
    """
    parts = [step] if isinstance(step, (str, Step, Workflow)) else step
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, (str, Step, Workflow)) for part in parts):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check types
        raise RunError(f"`step` is an id, a step, a path like `outer.inner`, or a list of ids and steps; got {step!r}.")
    ids = [part if isinstance(part, str) else part.id for part in parts]
    return ids[0].split(".") if len(ids) == 1 else ids


async def resume(client: Client, description: WorkflowExecutionDescription, request: ResumeRequest) -> int:
    """Resume a run.

    Returns:
        How often it has been resumed now.

    Raises:
        RunNotSuspendedError: It, or the step, is not suspended.
        SchemaValidationError: The data do not match the step's schema.
        PayloadTooLargeError: The data are too large.
    """
    # Larger ones the server would take, and the worker could not answer: the run would be stuck.
    request = request.model_copy(update={"stored_from": stored_from(client.data_converter)})
    too_large = size_error(request, f"The resume data of run `{description.id}`", request.stored_from)
    if too_large is not None:
        raise PayloadTooLargeError(too_large["message"])
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        generation, status = await _seen(description)
        # A run that was resumed and is running may have other steps that are still suspended: it knows.
        if status == "suspended" or generation > 0:
            try:
                return await _send(client, description, request.model_copy(update={"generation": generation}))
            except RunNotSuspendedError as refusal:
                if status == "suspended" or isinstance(refusal, ResumeAlreadyClaimedError):
                    raise
        if time.monotonic() > patience:
            raise RunNotSuspendedError(NOT_SUSPENDED)
        await asyncio.sleep(POLL_SECONDS)
        description = await unhurried(client.get_workflow_handle(description.id).describe)


async def _seen(description: WorkflowExecutionDescription) -> tuple[int, str | None]:
    """How often the run has been resumed, and the status that it has told: what the caller saw of it."""
    canceled = description.raw_description.workflow_extended_info.cancel_requested
    if description.status != WorkflowExecutionStatus.RUNNING or canceled:
        raise RunNotSuspendedError(NOT_SUSPENDED)
    memo = await description.memo()
    return int(memo.get(MEMO_GENERATION, 0)), memo.get(MEMO_STATUS)


async def _send(client: Client, seen: WorkflowExecutionDescription, request: ResumeRequest) -> int:
    # To the execution that the caller has seen, or one in which it goes on: not to one that has travelled in time.
    first = seen.raw_description.workflow_execution_info.first_run_id
    handle = client.get_workflow_handle(seen.id, first_execution_run_id=first)
    update_id = f"resume-{uuid.uuid4()}"  # of this call alone: another one has other data
    try:
        async with waiting(client).turn(seen.id):
            reply = await patiently(
                lambda: handle.execute_update(UPDATE_RESUME, request, id=update_id, result_type=ResumeReply)
            )
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from None
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise await _refusal_of_ended(client, seen.id, request.generation) from error
        raise
    return reply.generation


async def _refusal_of_ended(client: Client, run_id: str, generation: int | None) -> RunNotSuspendedError:
    """The run was suspended a moment ago and has ended: somebody has resumed it, or it was canceled."""
    handle = client.get_workflow_handle(run_id, result_type=WorkflowResult[Any])
    description = await handle.describe()
    if (await description.memo()).get(MEMO_GENERATION) == generation:
        return RunNotSuspendedError(NOT_SUSPENDED)
    if description.status == WorkflowExecutionStatus.RUNNING:
        status: str = await open_status(description)
    else:
        status = (await closed_result(client, handle)).status
    return ResumeAlreadyClaimedError(resume_claimed(description.workflow_type, run_id, status))


def _refusal(error: WorkflowUpdateFailedError) -> MastraError:
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
