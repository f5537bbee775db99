"""Handlers that start, resume, time travel and observe runs and answer with their events."""

from __future__ import annotations

from typing import Any

from mastra_temporal import WorkflowRunOutput
from mastra_temporal.server.handlers.actions import resume_arguments, started, time_travel_arguments, travelling_run
from mastra_temporal.server.handlers.finding import existing_run, new_run, suspended_run
from mastra_temporal.server.handlers.streams import (
    begun,
    events_until_suspended,
    observed_events,
    output_events,
    require_unfinished,
)
from mastra_temporal.server.models import ObserveQuery, StreamBody
from mastra_temporal.server.route import Call, Events

__all__ = ["observe", "resume_stream", "stream", "time_travel_stream"]


async def stream(call: Call) -> Events:
    """Start a run and return its events."""
    body: StreamBody = call.body
    run = await new_run(call, call.query.run_id, body.resource_id)
    await require_unfinished(call, run)
    await started(call, run)
    return events_until_suspended(run, close_on_suspend=body.close_on_suspend)


async def resume_stream(call: Call) -> Events:
    """Resume a run and return its events from the resume on."""
    output = (await suspended_run(call, call.query.run_id)).resume_stream(**resume_arguments(call))
    return await _opened(output)


async def time_travel_stream(call: Call) -> Events:
    """Run again from a step and return the events."""
    run = await travelling_run(call)
    return await _opened(run.time_travel_stream(**time_travel_arguments(call)))


async def observe(call: Call) -> Events:
    """Return the events of a run from the first one, or from an offset, to its end. Wait if it is not started."""
    query: ObserveQuery = call.query
    run = await existing_run(call, query.run_id)
    return observed_events(run, query.offset)


async def _opened(output: WorkflowRunOutput[Any]) -> Events:
    try:
        await begun(output)
    except BaseException:
        # Nothing else closes the output here: without a response there is no EventStream that would do it.
        await output.aclose()
        raise
    return output_events(output)
