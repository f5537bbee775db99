"""The trace of a run out of its recorded history: its activities were told of it."""

from __future__ import annotations

from temporalio.client import WorkflowHistory

from mastra_temporal._tracing.headers import TracingHeader, read_header
from mastra_temporal._tracing.ids import parsed_traceparent

__all__ = ["recorded_ids", "recorded_trace"]


def recorded_ids(history: WorkflowHistory) -> dict[str, str]:
    """The ids of the trace and of the run's span, as a result has them; nothing when the trace was not recorded."""
    found = parsed_traceparent(recorded_trace(history).run or "")
    return {"trace_id": found.trace_id, "span_id": found.span_id} if found and found.sampled else {}


def recorded_trace(history: WorkflowHistory) -> TracingHeader:
    """The options of the run's trace, and the span that the run was in, as its last activity was told of them."""
    for event in reversed(history.events):
        header = read_header(event.activity_task_scheduled_event_attributes.header.fields)
        if header.run is not None:
            return header
    return TracingHeader()
