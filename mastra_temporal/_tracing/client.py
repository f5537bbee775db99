"""The caller's side: what the calls to Temporal carry that one call of a client makes."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

from mastra_temporal._tracing.carrier import Carrier
from mastra_temporal._tracing.context import TracingContext, TracingSpan
from mastra_temporal._tracing.headers import TracingHeader, outbound
from mastra_temporal._tracing.options import TracingOptions, parse_tracing_options
from mastra_temporal.errors import DefinitionError

__all__ = ["CallHeaders", "call_headers", "sending"]


@dataclass(frozen=True)
class CallHeaders:
    """What the caller of a run says about its trace, as it travels."""

    header: TracingHeader = field(default_factory=TracingHeader)
    context: Carrier = field(default_factory=lambda: Carrier())
    """The W3C trace context of the span that the caller names."""

    @property
    def options(self) -> dict[str, Any] | None:
        """The tracing options that the caller has given."""
        return self.header.options

    def after(self, recorded: TracingHeader) -> CallHeaders:
        """Return the headers of a start that goes on in the trace of the execution before it.

        Args:
            recorded: What the activities of that execution were told.
        """
        earlier = recorded.parsed_options() or TracingOptions()
        options = (self.header.parsed_options() or TracingOptions()).over(earlier).to_wire() or None
        return replace(self, header=self.header.model_copy(update={"run": recorded.run, "options": options}))


def call_headers(
    options: TracingOptions | dict[str, Any] | None, context: TracingContext | None, *, owner: str
) -> CallHeaders:
    """Check what the caller says about the trace.

    Raises:
        DefinitionError: An option is unknown or of the wrong type, or the context holds no span.
        SerializationError: The metadata cannot be written as JSON.
    """
    parsed = parse_tracing_options(options, owner=owner)
    carrier = _carrier(context, owner)
    if carrier and parsed is not None:
        # As in Mastra: what makes a root span has no meaning below a span of the caller's.
        parsed = parsed.model_copy(update={"trace_id": None, "parent_span_id": None})
    return CallHeaders(TracingHeader(options=None if parsed is None else parsed.to_wire()), carrier)


@contextlib.contextmanager
def sending(headers: CallHeaders) -> Generator[None]:
    """Let the calls to Temporal within the block, and in tasks created there, carry the headers.

    A context variable, because the SDK has no other way from a call to its interceptor.
    """

    def content(*, continuing: bool = False) -> tuple[TracingHeader, Carrier]:
        return headers.header, headers.context

    token = outbound.set(content)
    try:
        yield
    finally:
        outbound.reset(token)


def _carrier(context: TracingContext | None, owner: str) -> Carrier:
    if context is None:
        return {}
    span = getattr(context, "current_span", None)
    if isinstance(span, TracingSpan):
        span = span.span
    elif not hasattr(span, "get_span_context"):
        raise DefinitionError(
            f"{owner}: `tracing_context` needs TracingContext(current_span=...) with an OpenTelemetry span, "
            f"got {context!r}."
        )
    if span is None:
        return {}
    from mastra_temporal._tracing.otel import carrier_of

    return carrier_of(span)
