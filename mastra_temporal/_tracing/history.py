"""Read the trace of a run from its history: its activities received the headers."""

from __future__ import annotations

from temporalio.client import WorkflowHistory

from mastra_temporal._tracing.headers import TracingHeader, read_header
from mastra_temporal._tracing.ids import parsed_traceparent

__all__ = ["recorded_ids", "recorded_trace"]


def recorded_ids(history: WorkflowHistory) -> dict[str, str]:
    """Return the ids of the trace and of the run's span, as in a result; nothing if the trace was not sampled."""
    found = parsed_traceparent(recorded_trace(history).run or "")
    return {"trace_id": found.trace_id, "span_id": found.span_id} if found and found.sampled else {}


def recorded_trace(history: WorkflowHistory) -> TracingHeader:
    """Return the tracing header that the run's last activity received: the options and the span of the run."""
    for event in reversed(history.events):
        header = read_header(event.activity_task_scheduled_event_attributes.header.fields)
        if header.run is not None:
            return header
    return TracingHeader()
