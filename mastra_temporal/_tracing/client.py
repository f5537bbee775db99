"""Tracing in the client: the headers of its calls to Temporal."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

from mastra_temporal._data.shown import shown
from mastra_temporal._tracing.carrier import Carrier
from mastra_temporal._tracing.context import TracingContext, TracingSpan
from mastra_temporal._tracing.headers import TracingHeader, outbound
from mastra_temporal._tracing.options import TracingOptions, parse_tracing_options
from mastra_temporal.errors import DefinitionError

__all__ = ["CallHeaders", "call_headers", "sending"]


@dataclass(frozen=True)
class CallHeaders:
    """The tracing headers that the caller of a run sends."""

    header: TracingHeader = field(default_factory=TracingHeader)
    context: Carrier = field(default_factory=lambda: Carrier())
    """The W3C trace context of the span that the caller passed."""

    @property
    def options(self) -> dict[str, Any] | None:
        """The tracing options that the caller passed."""
        return self.header.options

    def after(self, recorded: TracingHeader) -> CallHeaders:
        """Return the headers of a new execution that continues the trace of an earlier one.

        Args:
            recorded: The header that the activities of the earlier execution received.
        """
        earlier = recorded.parsed_options() or TracingOptions()
        options = (self.header.parsed_options() or TracingOptions()).over(earlier).to_wire() or None
        return replace(self, header=self.header.model_copy(update={"run": recorded.run, "options": options}))


def call_headers(
    options: TracingOptions | dict[str, Any] | None, context: TracingContext | None, *, owner: str
) -> CallHeaders:
    """Check the caller's tracing options and context, and return them as headers.

    Args:
        options: The tracing options.
        context: The span that becomes the parent of the run.
        owner: Whose options they are, for messages.

    Raises:
        DefinitionError: An option is unknown or has the wrong type, or the context has no span.
        SerializationError: The metadata cannot be written as JSON.
    """
    parsed = parse_tracing_options(options, owner=owner)
    carrier = _carrier(context, owner)
    if carrier and parsed is not None:
        # As in Mastra: options for a root span have no effect if the run is a child of the caller's span.
        parsed = parsed.model_copy(update={"trace_id": None, "parent_span_id": None})
    return CallHeaders(TracingHeader(options=None if parsed is None else parsed.to_wire()), carrier)


@contextlib.contextmanager
def sending(headers: CallHeaders) -> Generator[None]:
    """Add the headers to all calls to Temporal in the block, and in tasks that are created there.

    The SDK offers no other way to pass data from a call to its interceptor than a context variable.
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
            f"got {shown(context)}."
        )
    if span is None:
        return {}
    from mastra_temporal._tracing.otel import carrier_of

    return carrier_of(span)
