"""OpenTelemetry as we use it. Imported only where traces are wanted: everything else works without the packages."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Generator, Sequence
from contextvars import ContextVar, Token

from opentelemetry import context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, Status, StatusCode, TraceFlags, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider

from mastra_temporal._compat.opentelemetry import TemporalIdGenerator, sdk_provider
from mastra_temporal._tracing.attributes import Attributes
from mastra_temporal._tracing.carrier import Carrier

__all__ = ["Tracing", "carrier_of", "record_error"]

_PROPAGATOR = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
_TRACE_CONTEXT = TraceContextTextMapPropagator()

_given_ids: ContextVar[tuple[int | None, int] | None] = ContextVar("mastra_tracing_ids", default=None)


class GivenIds(TemporalIdGenerator):
    """Gives the ids that we computed, and leaves all other spans to Temporal's generator.

    Our ids follow from the run alone: whoever makes a span again, on another worker or years later, makes the same one.
    """

    def generate_trace_id(self) -> int:
        """See base class."""
        given = _given_ids.get()
        return given[0] if given is not None and given[0] is not None else super().generate_trace_id()

    def generate_span_id(self) -> int:
        """See base class."""
        given = _given_ids.get()
        return super().generate_span_id() if given is None else given[1]


class Tracing:
    """How a process traces: its tracer, whose spans may have ids of our choice."""

    def __init__(self, provider: TracerProvider | ReplaySafeTracerProvider) -> None:
        """Trace with a provider. Spans of workflow code are replay-safe whatever kind it is."""
        sdk = sdk_provider(provider)
        # A copy, so that the user's provider keeps its own generator. Both have the same processors and resource.
        own, ids = copy.copy(sdk), GivenIds(sdk.id_generator)
        own.id_generator = ids
        safe = ReplaySafeTracerProvider(own, ids)
        self.tracer: Tracer = safe.get_tracer("mastra_temporal")

    def start(
        self,
        name: str,
        *,
        parent: SpanContext | None,
        span_id: int,
        trace_id: int | None = None,
        start_time: int | None = None,
        attributes: Attributes | None = None,
        links: Sequence[SpanContext] = (),
    ) -> Span:
        """Start a span with a given id; without a parent it is the root of the trace of the given id."""
        base = context.get_current()
        parent_context = Context() if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), base)
        token = _given_ids.set((trace_id, span_id))
        try:
            return self.tracer.start_span(
                name,
                context=parent_context,
                attributes=attributes,
                links=[Link(link) for link in links],
                start_time=start_time,
            )
        finally:
            _given_ids.reset(token)

    def attach(self, span: Span) -> Token[Context]:
        """Make a span the current one of this context."""
        return context.attach(trace.set_span_in_context(span))

    def detach(self, token: Token[Context]) -> None:
        """Undo `attach`. Not ``context.detach``, which logs an error where the token is another context's."""
        with contextlib.suppress(ValueError):
            token.var.reset(token)

    @contextlib.contextmanager
    def extracted(self, carrier: Carrier) -> Generator[SpanContext | None]:
        """Make the W3C context of a carrier the current one."""
        token = context.attach(_PROPAGATOR.extract(carrier, Context()))
        try:
            yield self.named(carrier)
        finally:
            self.detach(token)

    def current(self) -> SpanContext | None:
        """The current span's, if there is one."""
        current = trace.get_current_span().get_span_context()
        return current if current.is_valid else None

    def named(self, carrier: Carrier) -> SpanContext | None:
        """The span that a W3C context names."""
        found = trace.get_current_span(_TRACE_CONTEXT.extract(carrier, Context())).get_span_context()
        return found if found.is_valid else None

    def remote(self, trace_id: int, span_id: int) -> SpanContext:
        """A span that somebody else made, and whose trace is recorded."""
        return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    def carrier(self, span: SpanContext | None = None) -> Carrier:
        """A span (by default the current one) as a W3C context."""
        return carrier_of(span)

    def record_error(
        self, span: Span, name: str, message: str, *, stack: str | None = None, at: int | None = None
    ) -> None:
        """See `record_error`."""
        record_error(span, name, message, stack=stack, at=at)


def carrier_of(span: Span | SpanContext | None) -> Carrier:
    """A span (by default the current one) as a W3C context, with the current baggage."""
    if isinstance(span, SpanContext):
        span = NonRecordingSpan(span)
    carrier = Carrier()
    _PROPAGATOR.inject(carrier, None if span is None else trace.set_span_in_context(span))
    return carrier


def record_error(span: Span, name: str, message: str, *, stack: str | None = None, at: int | None = None) -> None:
    """Record an error as OpenTelemetry's conventions have it."""
    attributes = {"exception.type": name, "exception.message": message}
    if stack is not None:
        attributes["exception.stacktrace"] = stack
    span.add_event("exception", attributes, at)
    span.set_status(Status(StatusCode.ERROR, message))
