"""The events of runs, as they happen. All are slices of one log that Temporal keeps, so any reader may come again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from mastra_temporal import Run, RunNotFoundError, WorkflowEvent, WorkflowRunOutput
from mastra_temporal.server.errors import HttpError
from mastra_temporal.server.route import Call

__all__ = ["begun", "events_until_suspended", "observed_events", "output_events", "require_unfinished"]

PATIENCE_SECONDS = 2.0
"""How long a refusal is waited for before the answer begins: afterwards it can only be an event."""
START_POLL_SECONDS = 0.5
"""How often it is looked whether a run that is observed has been started."""
TERMINAL = ("success", "failed", "canceled", "tripwire")


async def begun(output: WorkflowRunOutput[Any]) -> None:
    """Wait for the first event, for two seconds at most.

    Raises:
        Exception: What the action was refused with, so that the answer can have its status.
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
    """The events of an action that has begun. A reader that leaves stops the reading, not the run."""
    try:
        async for event in output:
            yield event
    finally:
        await output.aclose()


async def events_until_suspended(run: Run[Any], *, close_on_suspend: bool) -> AsyncGenerator[WorkflowEvent]:
    """The events of a run from its start to its end, or to its suspension.

    Args:
        run: The run.
        close_on_suspend: Whether the stream ends when the run is suspended. Otherwise it goes on with the events of a
            later resume, as one stream: the end before and the start after the suspension are left out, as in Mastra.
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
    """The events of a run from an offset on, as soon as it is started."""
    while (status := await run.fetch_status()) == "pending":  # noqa: ASYNC110 - another process may start it
        await asyncio.sleep(START_POLL_SECONDS)
    events = run.observe_stream(from_offset=offset)
    try:
        async for event in events:
            yield event
    except RunNotFoundError:
        if status != "canceled":  # before its start: then there are no events
            raise
    finally:
        await events.aclose()


async def require_unfinished(call: Call, run: Run[Any]) -> None:
    """Refuse to start a run anew under an id whose events would be another run's."""
    if run.status in TERMINAL and call.created.get(run.workflow_id, run.run_id) is None:
        raise HttpError(
            409,
            f'Workflow run {run.run_id} already finished with status "{run.status}". '
            "Use /observe to read its stream back, or stream a new runId.",
        )
