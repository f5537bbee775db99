"""The tracing API for user code: the current span, which can be updated and have child spans."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from mastra_temporal._tracing.attributes import data_attribute, metadata_attributes, named_attributes

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

__all__ = ["TracingContext", "TracingSpan"]


@dataclass(frozen=True)
class Hidden:
    """The data that is left out of the spans of a trace."""

    input: bool = False
    output: bool = False


class TracingSpan:
    """A span of a trace. If tracing is off, its methods have no effect.

    Mastra's ``Span``: https://mastra.ai/reference/observability/tracing/spans
    """

    def __init__(
        self,
        span: Span | None = None,
        tracer: Tracer | None = None,
        *,
        type: str = "generic",
        hidden: Hidden = Hidden(),
    ) -> None:
        """Wrap an OpenTelemetry span.

        Args:
            span: The span; None for a span without effect.
            tracer: Creates child spans.
            type: The type of the span in Mastra.
            hidden: The data to leave out.
        """
        self._span = span
        self._tracer = tracer
        self._type = type
        self._hidden = hidden

    @property
    def span(self) -> Span | None:
        """The OpenTelemetry span, or None."""
        return self._span

    @property
    def trace_id(self) -> str | None:
        """The trace id as 32 hexadecimal digits, or None."""
        return None if self._span is None else f"{self._span.get_span_context().trace_id:032x}"

    @property
    def id(self) -> str | None:
        """The span id as 16 hexadecimal digits, or None."""
        return None if self._span is None else f"{self._span.get_span_context().span_id:016x}"

    def update(
        self,
        *,
        metadata: dict[str, Any] | None = None,
        attributes: dict[str, Any] | None = None,
        input: Any = None,
        output: Any = None,
    ) -> None:
        """Add data to the span.

        Args:
            metadata: JSON-able values, stored under ``mastra.metadata.``.
            attributes: OpenTelemetry attributes, stored under ``mastra.``.
            input: JSON-able input of the span.
            output: JSON-able output of the span.
        """
        if self._span is None or not self._span.is_recording():
            return
        added = metadata_attributes(metadata or {}) | named_attributes(attributes or {})
        if not self._hidden.input:
            added |= data_attribute(self._type, "input", input)
        if not self._hidden.output:
            added |= data_attribute(self._type, "output", output)
        self._span.set_attributes(added)

    def create_child_span(
        self,
        *,
        name: str,
        type: str = "generic",
        metadata: dict[str, Any] | None = None,
        attributes: dict[str, Any] | None = None,
        input: Any = None,
    ) -> TracingSpan:
        """Start a child span. End it, or use it as ``with span.create_child_span(name="x") as child:``.

        Args:
            name: The name of the child span.
            type: Its type.
            metadata: As in `update`.
            attributes: As in `update`.
            input: As in `update`.
        """
        if self._span is None or self._tracer is None:
            return TracingSpan()
        from opentelemetry.trace import set_span_in_context

        child = self._tracer.start_span(name, context=set_span_in_context(self._span))
        child.set_attribute("mastra.span.type", type)
        wrapped = TracingSpan(child, self._tracer, type=type, hidden=self._hidden)
        wrapped.update(metadata=metadata, attributes=attributes, input=input)
        return wrapped

    def end(
        self, *, output: Any = None, metadata: dict[str, Any] | None = None, attributes: dict[str, Any] | None = None
    ) -> None:
        """End the span. The span of a step ends automatically.

        Args:
            output: As in `update`.
            metadata: As in `update`.
            attributes: As in `update`.
        """
        self.update(output=output, metadata=metadata, attributes=attributes)
        if self._span is not None and self._span.is_recording():
            self._span.end()

    def error(self, error: BaseException, *, end_span: bool = True) -> None:
        """Record an error and, by default, end the span.

        Args:
            error: The error.
            end_span: Whether to end the span.
        """
        if self._span is None or not self._span.is_recording():
            return
        from mastra_temporal._tracing.otel import record_error

        record_error(self._span, error.__class__.__name__, str(error))
        if end_span:
            self._span.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self.error(error)
        else:
            self.end()


@dataclass(frozen=True)
class TracingContext:
    """A position in a trace. Mastra's ``tracingContext``.

    If it is passed to ``start()``, the run becomes a child of its span. In a step, ``ctx.tracing_context.current_span``
    is the span of the attempt, which is also the current OpenTelemetry span.
    """

    current_span: Any = field(default_factory=TracingSpan)
    """A `TracingSpan`, or an OpenTelemetry span."""
