"""Start a run, alone or together with the update that waits for its outcome."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from typing import Any

from temporalio.client import WithStartWorkflowOperation, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from mastra_temporal._client.arguments import StartOptions
from mastra_temporal._client.busy import has_failing_task, is_busy, unhurried
from mastra_temporal._client.handle import RunHandle
from mastra_temporal._client.outcome import outcome_of_start, wait_for_outcome
from mastra_temporal._client.records.description import is_no_such_run, started_with
from mastra_temporal._client.waiting import waiting
from mastra_temporal._compat.temporal import started_workflow
from mastra_temporal._definition.validation import validate_start
from mastra_temporal._protocol.limits import stored_from
from mastra_temporal._protocol.messages import OutcomeReply
from mastra_temporal._protocol.names import UPDATE_OUTCOME, outcome_update_id
from mastra_temporal._protocol.results import WorkflowResult
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._tracing.client import CallHeaders
from mastra_temporal._tracing.refusal import record_refusal
from mastra_temporal.errors import ConfigurationError, RunAlreadyStartedError, SchemaValidationError

__all__ = ["require_same_input", "start", "start_and_wait", "start_envelope"]

FIRST_START: dict[str, Any] = {
    "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    "id_conflict_policy": WorkflowIDConflictPolicy.FAIL,
}
"""Workflow id policies of a start: the run must not exist, unless it has failed."""


def start_envelope(
    run: RunHandle,
    headers: CallHeaders,
    input_data: Any,
    options: StartOptions,
    *,
    canceled: bool,
) -> StartEnvelope:
    """Validate the arguments of a start and build the envelope.

    Args:
        run: The run.
        headers: The caller's tracing headers, used to trace a refusal.
        input_data: The workflow's input.
        options: The caller's further arguments.
        canceled: Whether the run was canceled before its start.

    Returns:
        The envelope.

    Raises:
        SchemaValidationError: An argument does not match its schema. The refusal is traced.
    """
    context = run.request_context(options.get("request_context"))
    try:
        data, state = validate_start(run.workflow, input_data, options.get("initial_state"), context)
    except SchemaValidationError as error:
        with contextlib.suppress(ConfigurationError):  # not connected: there is no tracer
            record_refusal(
                run.client,
                error,
                headers,
                workflow_id=run.workflow.id,
                run_id=run.run_id,
                resource_id=run.resource_id,
                input_data=input_data,
            )
        raise
    return StartEnvelope(
        input_data=data,
        initial_state=state or None,
        request_context=context or None,
        run_id=run.run_id,
        resource_id=run.resource_id,
        per_step=options.get("per_step") or None,
        graph=run.workflow.graph,
        search_attributes=run.session.has_search_attributes or None,
        stored_from=stored_from(run.client.data_converter),
        canceled=canceled or None,
    )


async def start(run: RunHandle, envelope: StartEnvelope) -> None:
    """Start a run.

    Raises:
        WorkflowAlreadyStartedError: The run exists.
    """
    async with waiting(run.client).calls:
        await unhurried(
            lambda: run.client.start_workflow(run.workflow.id, envelope, **run.start_options(envelope), **FIRST_START)
        )


async def start_and_wait(
    run: RunHandle, envelope: StartEnvelope, *, started: Callable[[], None]
) -> WorkflowResult[Any]:
    """Start a run and wait for its outcome, in one request if a long poll is free.

    Args:
        run: The run.
        envelope: The arguments of the start.
        started: Called when the server has started the run.

    Returns:
        The outcome.

    Raises:
        WorkflowAlreadyStartedError: The run exists.
    """
    places, result = waiting(run.client).outcomes, None
    if places.any_free and await places.take():
        try:
            result = await _start_with_update(run, envelope, started)
        finally:
            places.give_back()
    else:
        await start(run, envelope)
        started()
    return result or await wait_for_outcome(run.client, run.run_id, 0)


async def require_same_input(run: RunHandle, envelope: StartEnvelope) -> None:
    """Raise an error if the existing run was started with a different input.

    Raises:
        RunAlreadyStartedError: The input is different.
        RunError: The run id belongs to a run of another workflow.
    """
    await run.describe()
    recorded = await started_with(run.client.get_workflow_handle(run.run_id), run.client)
    if recorded.input_data != envelope.input_data:
        raise RunAlreadyStartedError(
            f"Run `{run.run_id}` of workflow `{run.workflow.id}` exists and was started with another input. "
            "Use another run id, or start it with the same input to join it."
        )


async def _start_with_update(
    run: RunHandle, envelope: StartEnvelope, started: Callable[[], None]
) -> WorkflowResult[Any] | None:
    """Start a run and wait for its outcome in one request. Return None if the caller has to wait further.

    The SDK reports in two ways: ``handle`` (the run was started) and ``answer`` (the update completed). If something
    fails before the request is sent, such as encoding the input, only ``answer`` gets the error, so we wait for
    whichever comes first.
    """
    operation = WithStartWorkflowOperation[Any, Any](
        run.workflow.id, envelope, **run.start_options(envelope), **FIRST_START
    )
    update = run.client.execute_update_with_start_workflow(
        UPDATE_OUTCOME,
        0,
        start_workflow_operation=operation,
        # Use a fresh update ID: the one that later waiters share would return the reply of an earlier, failed run.
        id=f"{outcome_update_id(0)}-{uuid.uuid4()}",
        result_type=OutcomeReply,
    )
    answer, handle = asyncio.ensure_future(update), started_workflow(operation)
    for future in (answer, handle):
        # Retrieve the error, also if we are cancelled twice. asyncio would log that it was never retrieved.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        await asyncio.wait((handle, answer), return_when=asyncio.FIRST_COMPLETED)
        if handle.done() and handle.exception() is None:
            started()
            return await outcome_of_start(run.client, run.run_id, answer)
        await asyncio.wait((answer,))
        error = answer.exception()
    finally:
        # Let the request end before we return, so that it does not outlive its caller. Do not cancel `handle`: the SDK
        # completes it while `answer` ends, and raises InvalidStateError if it is cancelled.
        answer.cancel()
        await asyncio.wait((answer,))
    if _may_be_lost(error):
        # Start again without the update. If the first request did arrive, this raises WorkflowAlreadyStartedError and
        # our caller joins the run. Without this retry, a busy server would make the start fail.
        await start(run, envelope)
        started()
    elif error is not None and not is_no_such_run(error):
        raise error
    return None  # the server returns NOT_FOUND if the run closes during the update


def _may_be_lost(error: BaseException | None) -> bool:
    """Return whether the server was too busy for the request, did not reply in time, or could not run the update."""
    if isinstance(error, WorkflowUpdateRPCTimeoutOrCancelledError):
        return True
    return isinstance(error, RPCError) and (is_busy(error) or has_failing_task(error))
