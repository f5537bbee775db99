"""Generators of the events of runs. All of them read one log per run in Temporal, so a reader can reconnect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from mastra_temporal import Run, RunNotFoundError, WorkflowEvent, WorkflowRunOutput
from mastra_temporal.server.errors import HttpError
from mastra_temporal.server.route import Call

__all__ = ["begun", "events_until_suspended", "observed_events", "output_events", "require_unfinished"]

PATIENCE_SECONDS = 2.0
"""How long to wait for a refusal before the response begins, in seconds. After that its status is already sent."""
START_POLL_SECONDS = 0.5
"""The interval for checking whether an observed run has been started, in seconds."""
TERMINAL = ("success", "failed", "canceled", "tripwire")


async def begun(output: WorkflowRunOutput[Any]) -> None:
    """Wait for the first event or the result, up to `PATIENCE_SECONDS`.

    Raises:
        Exception: The error of a refused action. Raised before the response begins, it gives the response its status.
    """
    first = asyncio.ensure_future(_first(output))
    result = asyncio.ensure_future(output.result)
    try:
        await asyncio.wait({first, result}, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if result.done() and (refused := result.exception()) is not None:
            raise refused
    finally:
        first.cancel()
        result.cancel()
        await asyncio.gather(first, result, return_exceptions=True)


async def _first(output: WorkflowRunOutput[Any]) -> None:
    async for _ in output:
        return


async def output_events(output: WorkflowRunOutput[Any]) -> AsyncGenerator[WorkflowEvent]:
    """Yield the events of an action that has begun. Closing the generator stops the reading, not the run."""
    try:
        async for event in output:
            yield event
    finally:
        await output.aclose()


async def events_until_suspended(run: Run[Any], *, close_on_suspend: bool) -> AsyncGenerator[WorkflowEvent]:
    """Yield the events of a run from its start to its end, or to its suspension.

    Args:
        run: The run.
        close_on_suspend: Whether the stream ends when the run is suspended. Otherwise it continues with the events of
            a later resume, without the finish event before and the start event after the suspension, as in Mastra.
    """
    begun = False
    events = run.observe_stream()
    try:
        async for event in events:
            own = event.source == "WORKFLOW"
            is_suspension = own and event.type == "workflow-finish" and event.payload["workflowStatus"] == "suspended"
            is_start = own and event.type == "workflow-start"
            if close_on_suspend or not (is_suspension or (is_start and begun)):
                yield event
            if is_suspension and close_on_suspend:
                return
            begun = begun or is_start
    finally:
        await events.aclose()


async def observed_events(run: Run[Any], offset: int) -> AsyncGenerator[WorkflowEvent]:
    """Wait until a run is started, and yield its events from an offset on."""
    while (status := await run.fetch_status()) == "pending":  # noqa: ASYNC110 - another process may start it
        await asyncio.sleep(START_POLL_SECONDS)
    events = run.observe_stream(from_offset=offset)
    try:
        async for event in events:
            yield event
    except RunNotFoundError:
        if status != "canceled":  # a run that was canceled before its start has no events
            raise
    finally:
        await events.aclose()


async def require_unfinished(call: Call, run: Run[Any]) -> None:
    """Refuse to stream a run that has ended. Its events would be those of the earlier start.

    Raises:
        HttpError: 409, the run has ended.
    """
    if run.status in TERMINAL and call.created.get(run.workflow_id, run.run_id) is None:
        raise HttpError(
            409,
            f'Workflow run {run.run_id} already finished with status "{run.status}". '
            "Use /observe to read its stream back, or stream a new runId.",
        )
