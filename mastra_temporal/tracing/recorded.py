"""The trace of a run out of its recorded history: its activities were told of it."""

from __future__ import annotations

from temporalio.client import WorkflowHistory

from mastra_temporal.tracing.headers import read_header
from mastra_temporal.tracing.ids import parsed_traceparent

__all__ = ["recorded_ids"]


def recorded_ids(history: WorkflowHistory) -> dict[str, str]:
    """The ids of the trace and of the run's span, as a result has them; nothing when the trace was not recorded."""
    for event in reversed(history.events):
        header = read_header(event.activity_task_scheduled_event_attributes.header.fields)
        if header.run is not None:
            found = parsed_traceparent(header.run)
            return {"trace_id": found.trace_id, "span_id": found.span_id} if found and found.sampled else {}
    return {}
