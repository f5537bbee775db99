"""Our use of OpenTelemetry. Imported only if traces are wanted, so all else works without its packages."""

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
    """Returns the ids that we computed, and lets Temporal's generator create all others.

    Our ids depend only on the run. If another worker creates a span again, even much later, it has the same id.
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
    """The tracing of a process: a tracer whose spans can have given ids."""

    def __init__(self, provider: TracerProvider | ReplaySafeTracerProvider) -> None:
        """Trace with a provider. Spans of workflow code are replay-safe with any kind of provider."""
        sdk = sdk_provider(provider)
        # Copy the provider: otherwise the user's own spans would get our id generator. Both share processors and
        # resource.
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
        """Start a span with a given id.

        Args:
            name: The name of the span.
            parent: Its parent. None starts the root span of the trace ``trace_id``.
            span_id: Its id.
            trace_id: The id of the trace, for a root span.
            start_time: Nanoseconds since the epoch; None for now.
            attributes: Its attributes.
            links: Spans that it links to.
        """
        base = context.get_current()
        # A root span gets an empty context: the current span would otherwise become its parent.
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
        """Make a span the current one."""
        return context.attach(trace.set_span_in_context(span))

    def detach(self, token: Token[Context]) -> None:
        """Undo `attach`.

        ``context.detach`` is not used, because it logs an error if the token belongs to another context.
        """
        with contextlib.suppress(ValueError):
            token.var.reset(token)

    @contextlib.contextmanager
    def extracted(self, carrier: Carrier) -> Generator[SpanContext | None]:
        """Make the W3C context of a carrier the current one within the block. Yield the span that it names."""
        token = context.attach(_PROPAGATOR.extract(carrier, Context()))
        try:
            yield self.named(carrier)
        finally:
            self.detach(token)

    def current(self) -> SpanContext | None:
        """Return the context of the current span, or None."""
        current = trace.get_current_span().get_span_context()
        return current if current.is_valid else None

    def named(self, carrier: Carrier) -> SpanContext | None:
        """Return the span that a W3C context names, or None."""
        found = trace.get_current_span(_TRACE_CONTEXT.extract(carrier, Context())).get_span_context()
        return found if found.is_valid else None

    def remote(self, trace_id: int, span_id: int) -> SpanContext:
        """Return the context of a sampled span that was created elsewhere."""
        return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    def carrier(self, span: SpanContext | None = None) -> Carrier:
        """Return a span (by default the current one) as a W3C context."""
        return carrier_of(span)

    def record_error(
        self, span: Span, name: str, message: str, *, stack: str | None = None, at: int | None = None
    ) -> None:
        """See `record_error`."""
        record_error(span, name, message, stack=stack, at=at)


def carrier_of(span: Span | SpanContext | None) -> Carrier:
    """Return a span (by default the current one) as a W3C context, with the current baggage."""
    if isinstance(span, SpanContext):
        span = NonRecordingSpan(span)
    carrier = Carrier()
    _PROPAGATOR.inject(carrier, None if span is None else trace.set_span_in_context(span))
    return carrier


def record_error(span: Span, name: str, message: str, *, stack: str | None = None, at: int | None = None) -> None:
    """Record an error in a span according to OpenTelemetry's conventions.

    Args:
        span: The span.
        name: The class of the error.
        message: Its message.
        stack: Its traceback.
        at: Nanoseconds since the epoch; None for now.
    """
    attributes = {"exception.type": name, "exception.message": message}
    if stack is not None:
        attributes["exception.stacktrace"] = stack
    span.add_event("exception", attributes, at)
    span.set_status(Status(StatusCode.ERROR, message))
