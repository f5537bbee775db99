"""The two Temporal headers of a trace, and the context variables that hold them.

``mastra-tracing`` carries the options and the current span of the run. ``_tracer-data`` is the W3C trace context, under
the name that all SDKs of Temporal use. Both are plain JSON, unless the client encrypts its headers. Headers that cannot
be read are ignored: tracing must never make a run fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter

from mastra_temporal._data.path import is_object
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._tracing.carrier import Carrier
from mastra_temporal._tracing.options import TracingOptions
from mastra_temporal.errors import DefinitionError

if TYPE_CHECKING:
    from mastra_temporal._tracing.otel import Tracing

__all__ = [
    "Headers",
    "Inbound",
    "OpenSpan",
    "Outbound",
    "TracingHeader",
    "earlier_attempts",
    "inbound",
    "outbound",
    "read_context",
    "read_header",
    "with_headers",
]

HEADER = "mastra-tracing"
CONTEXT_HEADER = "_tracer-data"
VERSION = 1

Headers = Mapping[str, Payload]


class OpenSpan(CamelModel):
    """A span that is open when a run continues as new. The next execution continues the same span."""

    span: str
    """The ``traceparent`` of the span."""
    parent: str | None = None
    """The ``traceparent`` of its parent."""
    start_time: int
    """Nanoseconds since the epoch."""


class TracingHeader(CamelModel):
    """The content of the header ``mastra-tracing``."""

    v: int = VERSION
    options: dict[str, Any] | None = None
    run: str | None = None
    """The ``traceparent`` of the run's current span."""
    earlier_attempts: int | None = None
    """Number of attempts of the step before ``restart()`` scheduled its activity again."""
    open: dict[str, OpenSpan] | None = None
    """For continue-as-new: the open spans that the next execution continues, by key."""
    segment: dict[str, Any] | None = None
    """For continue-as-new: the metadata of all spans of the current segment."""

    def parsed_options(self) -> TracingOptions | None:
        """Return the options, or None if there are none. Options that this version does not know are ignored."""
        if self.options is None:
            return None
        ours = {field.alias for field in TracingOptions.model_fields.values()}
        try:
            return TracingOptions.model_validate({name: self.options[name] for name in self.options if name in ours})
        except DefinitionError:
            return None


@dataclass(frozen=True)
class Inbound:
    """The tracing headers of the call that is being handled."""

    tracing: Tracing | None = None
    """The tracing of this worker, or None."""
    header: TracingHeader = field(default_factory=TracingHeader)
    context: Carrier = field(default_factory=lambda: Carrier())


NOTHING = Inbound()
inbound: ContextVar[Inbound] = ContextVar("mastra_tracing_inbound", default=NOTHING)
"""The headers of the current workflow, update or activity. The interceptor sets them."""


class Outbound(Protocol):
    """Returns the headers for a call."""

    def __call__(self, *, continuing: bool = False) -> tuple[TracingHeader, Carrier]:
        """Return our header and the W3C context.

        Args:
            continuing: Whether the call is a continue-as-new.
        """
        ...


outbound: ContextVar[Outbound | None] = ContextVar("mastra_tracing_outbound", default=None)
"""The headers for calls made in this context. Set around a call of the client and around a run."""

earlier_attempts: ContextVar[int] = ContextVar("mastra_tracing_earlier_attempts", default=0)
"""Number of earlier attempts of the step whose activity is being scheduled again after a restart."""


def with_headers(headers: Headers, header: TracingHeader, context: Carrier) -> Headers:
    """Return the headers with ours added. Empty ones are left out."""
    added = dict(headers)
    content = header.model_dump(by_alias=True)
    if content.keys() - {"v"}:
        added[HEADER] = _payload(content)
    if context:
        added[CONTEXT_HEADER] = _payload(context)
    return added


def read_header(headers: Headers) -> TracingHeader:
    """Return our header, or an empty one if it is missing, unreadable or of a newer version."""
    content = _content(headers.get(HEADER))
    if not is_object(content) or content.get("v") != VERSION:
        return TracingHeader()
    try:
        return TracingHeader.model_validate(content)
    except ValueError:
        return TracingHeader()


def read_context(headers: Headers) -> Carrier:
    """Return the W3C trace context, or an empty one if it is missing or unreadable."""
    content = _content(headers.get(CONTEXT_HEADER))
    if not is_object(content):
        return {}
    return {name: value for name, value in content.items() if isinstance(value, str)}


def _payload(content: dict[str, Any]) -> Payload:
    return PayloadConverter.default.to_payloads([content])[0]


def _content(payload: Payload | None) -> Any:
    if payload is None:
        return None
    try:
        return PayloadConverter.default.from_payloads([payload])[0]
    except Exception:
        return None  # the header is encrypted or uses another converter
