"""Tracing in activities: one span for each attempt of a step. It is the current span while the step runs."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from temporalio import activity

from mastra_temporal._protocol.step_calls import StepCall, StepOutcome
from mastra_temporal._tracing.attributes import data_attribute, metadata_attributes, named_attributes
from mastra_temporal._tracing.context import Hidden, TracingSpan
from mastra_temporal._tracing.headers import Inbound, inbound
from mastra_temporal._tracing.ids import attempt_span_id, trace_id_of
from mastra_temporal._tracing.logs import LogFields, log_fields
from mastra_temporal._tracing.options import TracingOptions, run_metadata

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from mastra_temporal._tracing.otel import Tracing

__all__ = ["current_span", "observed"]

ATTEMPT = "workflow_step_attempt"
"""The type of the span of an attempt."""

NO_SPAN = TracingSpan()
_current: ContextVar[TracingSpan] = ContextVar("mastra_current_span", default=NO_SPAN)

Report = Callable[[Any], Any]
"""Records an activity's result in the span and returns it."""


def current_span() -> TracingSpan:
    """Return the span of the running step, or a span without effect if there are no traces."""
    return _current.get()


@contextlib.contextmanager
def observed(call: Any) -> Generator[Report]:
    """Run an activity with its log fields, the caller's trace context and, for a step, the span of the attempt.

    Args:
        call: The argument of the activity.
    """
    came = inbound.get()
    workflow_id, step_id = _names(call)
    fields = LogFields(
        run_id=_run_id(call),
        workflow_id=workflow_id,
        step_id=step_id,
        trace_id=trace_id_of(came.context),
    )
    token = log_fields.set(fields)
    try:
        if came.tracing is None:
            yield _unchanged
            return
        with came.tracing.extracted(came.context) as parent:
            if parent is None or not isinstance(call, StepCall):
                yield _unchanged
                return
            with _attempt(came.tracing, came, parent, call) as report:
                yield report
    finally:
        log_fields.reset(token)


def _run_id(call: Any) -> str:
    return getattr(call, "run_id", None) or activity.info().workflow_id or ""


def _names(call: Any) -> tuple[str, str]:
    """Return the IDs of the workflow and of the step, which may be empty."""
    if isinstance(call, StepCall):
        workflow_id, _, step_id = activity.info().activity_type.partition(".")  # IDs have no dots
        return workflow_id, step_id
    return getattr(call, "workflow_id", ""), ""


@contextlib.contextmanager
def _attempt(tracing: Tracing, came: Inbound, parent: SpanContext, call: StepCall) -> Generator[Report]:
    info = activity.info()
    options = came.header.parsed_options() or TracingOptions()
    attempt = info.attempt + (came.header.earlier_attempts or 0)
    metadata = run_metadata(options, _run_id(call), call.resource_id, call.request_context or {})
    workflow_id, step_id = _names(call)
    names = {"span.type": ATTEMPT, "step.id": step_id, "workflow.id": workflow_id, "attempt": attempt}
    span = tracing.start(
        f"attempt {attempt}",
        parent=parent,
        # A computed id: after a crash, the workflow links to this span although nothing reported its id.
        span_id=attempt_span_id(parent.span_id, info.activity_id, info.attempt),
        attributes={
            **named_attributes(names),
            **metadata_attributes(metadata),
            "temporalWorkflowID": info.workflow_id or "",
            "temporalRunID": info.workflow_run_id or "",
            "temporalActivityID": info.activity_id,
        },
    )
    current = TracingSpan(span, tracing.tracer, type=ATTEMPT, hidden=Hidden(options.hide_input, options.hide_output))
    token, attached = _current.set(current), tracing.attach(span)

    def report(outcome: Any) -> Any:
        if isinstance(outcome, StepOutcome) and span.is_recording():
            span.set_attributes(named_attributes({"status": outcome.status}))
            if not options.hide_output:
                span.set_attributes(data_attribute(ATTEMPT, "output", outcome.output))
        return outcome

    try:
        yield report
    except Exception as error:
        # The cause is the user's error. The exception itself is our report to Temporal.
        cause = error.__cause__ or error
        stack = "".join(traceback.format_exception(cause))
        tracing.record_error(span, type(cause).__name__, str(cause), stack=stack)
        raise
    finally:
        tracing.detach(attached)
        _current.reset(token)
        # The step may have ended the span itself.
        if span.is_recording():
            span.end()


def _unchanged(outcome: Any) -> Any:
    return outcome
