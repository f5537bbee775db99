"""The two Temporal headers of a trace, and where the call, the worker and the workflow find them.

``mastra-tracing`` carries the options and where the run's trace stands; ``_tracer-data`` is the W3C trace context under
the name that all of Temporal's SDKs use. Both are plain JSON, unless the client encrypts its headers. What cannot be
read is ignored: a trace is never a reason for a run to fail.
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
    """A span that is open when a run continues as new: the next execution goes on with the same span."""

    span: str
    """Its ``traceparent``."""
    parent: str | None = None
    """That of its parent."""
    start_time: int
    """Nanoseconds since the epoch."""


class TracingHeader(CamelModel):
    """The content of the header ``mastra-tracing``."""

    v: int = VERSION
    options: dict[str, Any] | None = None
    run: str | None = None
    """The ``traceparent`` of the run's span: of the current segment."""
    earlier_attempts: int | None = None
    """How often the step of an activity was tried before it was scheduled again by a restart."""
    open: dict[str, OpenSpan] | None = None
    """For the next execution of a run that continues as new: what it goes on with, by keys of its own."""
    segment: dict[str, Any] | None = None
    """Likewise: what all spans of the segment carry."""

    def parsed_options(self) -> TracingOptions | None:
        """The options, those of ours that another version or language knows too; None when there are none."""
        if self.options is None:
            return None
        ours = {field.alias for field in TracingOptions.model_fields.values()}
        try:
            return TracingOptions.model_validate({name: self.options[name] for name in self.options if name in ours})
        except DefinitionError:
            return None


@dataclass(frozen=True)
class Inbound:
    """What came with the call that is being handled."""

    tracing: Tracing | None = None
    """How this worker traces, if it does."""
    header: TracingHeader = field(default_factory=TracingHeader)
    context: Carrier = field(default_factory=lambda: Carrier())


NOTHING = Inbound()
inbound: ContextVar[Inbound] = ContextVar("mastra_tracing_inbound", default=NOTHING)
"""Set by the interceptor around every workflow, update and activity."""


class Outbound(Protocol):
    """Says what a call is to carry."""

    def __call__(self, *, continuing: bool = False) -> tuple[TracingHeader, Carrier]:
        """Our header and the W3C context; with ``continuing`` those of a run that continues as new."""
        ...


outbound: ContextVar[Outbound | None] = ContextVar("mastra_tracing_outbound", default=None)
"""What the calls made in this context are to carry. Set around a client's call and around a run."""

earlier_attempts: ContextVar[int] = ContextVar("mastra_tracing_earlier_attempts", default=0)
"""How often the step was tried whose activity is being scheduled again after a restart."""


def with_headers(headers: Headers, header: TracingHeader, context: Carrier) -> Headers:
    """The headers with ours; those without a content are left out."""
    added = dict(headers)
    content = header.model_dump(by_alias=True)
    if content.keys() - {"v"}:
        added[HEADER] = _payload(content)
    if context:
        added[CONTEXT_HEADER] = _payload(context)
    return added


def read_header(headers: Headers) -> TracingHeader:
    """Our header; an empty one when it is missing, unreadable or of a newer version."""
    content = _content(headers.get(HEADER))
    if not is_object(content) or content.get("v") != VERSION:
        return TracingHeader()
    try:
        return TracingHeader.model_validate(content)
    except ValueError:
        return TracingHeader()


def read_context(headers: Headers) -> Carrier:
    """The W3C trace context; an empty one when it is missing or unreadable."""
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
        return None  # encrypted, or of another converter: not for us
