"""`Run.restart`: find out what happened to a run, continue it if needed, and wait for its outcome."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowExecutionStatus

from mastra_temporal._client.handle import RunHandle
from mastra_temporal._client.records.open_status import open_status
from mastra_temporal._client.recovery.queues import warning_when_unattended
from mastra_temporal._client.recovery.reopen import is_closed_by_temporal, reopen
from mastra_temporal._client.recovery.reschedule import reviving
from mastra_temporal._protocol.results import RunStatus, WorkflowResult
from mastra_temporal._tracing.client import CallHeaders, sending
from mastra_temporal.errors import RunNotActiveError

__all__ = ["restart"]

NOT_ACTIVE = "This workflow run was not active"
"""Mastra's error message."""


async def restart(
    run: RunHandle,
    *,
    known: bool,
    request_context: dict[str, Any],
    headers: CallHeaders,
    force: bool,
    timeout: timedelta | None,
) -> WorkflowResult[Any]:
    """Restart a run and wait for its outcome.

    Args:
        run: The run.
        known: Whether the caller knows that the run exists in Temporal.
        request_context: Values that override the recorded ones.
        headers: The caller's tracing headers. Every call to Temporal made here carries them to the workflow, which puts
            them into the header of each activity that it schedules afterwards.
        force: Do not check whether the workers are alive.
        timeout: How long to wait for a worker and for the result.

    Returns:
        The outcome of the run.

    Raises:
        RunNotActiveError: The run was never started, or is suspended, canceled or paused.
        asyncio.TimeoutError: The run did not end in time. It continues.
    """
    restarting = _restart(run, known, request_context, headers, force)
    try:
        return await asyncio.wait_for(restarting, None if timeout is None else timeout.total_seconds())
    except asyncio.TimeoutError:
        raise asyncio.TimeoutError(
            f"{run.label} goes on, but was not over within {timeout}: call `restart()` again to wait on."
        ) from None


async def _restart(
    run: RunHandle, known: bool, request_context: dict[str, Any], headers: CallHeaders, force: bool
) -> WorkflowResult[Any]:
    """Reopen, join or revive the run, depending on its status, and wait for its outcome."""
    description = await run.describe(known=known)
    if description is None:
        raise RunNotActiveError(NOT_ACTIVE)
    with sending(headers):
        if is_closed_by_temporal(description):
            if not await reopen(run.client, description, request_context, headers, run.start_options):
                raise RunNotActiveError(NOT_ACTIVE)
            return await run.outcome()
        if description.status != WorkflowExecutionStatus.RUNNING:
            result = await run.outcome()
            _require_active(result.status)
            return result
        _require_active(await open_status(description))
        async with (
            warning_when_unattended(run.client, run.run_id),
            reviving(
                run.client,
                run.run_id,
                request_context=request_context,
                tracing_options=headers.options,
                force=force,
            ),
        ):
            return await run.outcome()


def _require_active(status: RunStatus) -> None:
    """Raise `RunNotActiveError` unless a run with this status can be restarted."""
    if status == "suspended":
        raise RunNotActiveError(f"{NOT_ACTIVE}: it is suspended. Continue it with `resume()`.")
    if status in ("pending", "canceled", "paused"):
        raise RunNotActiveError(NOT_ACTIVE)
