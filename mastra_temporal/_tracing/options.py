"""What the caller of a run says about its trace."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from pydantic import field_validator

from mastra_temporal._data.gate import to_json
from mastra_temporal._data.options import Options, parse_options
from mastra_temporal._tracing.attributes import selected

__all__ = ["TracingOptions", "parse_tracing_options", "run_metadata"]

_logger = logging.getLogger("mastra_temporal.tracing")

TRACE_ID_LENGTH = 32
SPAN_ID_LENGTH = 16
ROOT_ONLY = {"trace_id", "parent_span_id", "tags", "root_span_name"}


class TracingOptions(Options):
    """How a run is traced. Mastra's ``tracingOptions``: https://mastra.ai/reference/observability/tracing/interfaces.

    They hold for the rest of the run, restarts included, until a later call brings others. ``tags``, ``trace_id``,
    ``parent_span_id`` and ``root_span_name`` are for the span of the call that brought them alone.
    """

    metadata: dict[str, Any] | None = None
    """JSON-able values that every span carries."""
    request_context_keys: list[str] | None = None
    """Keys of the request context whose values every span carries as metadata; ``user.id`` reaches into values."""
    trace_id: str | None = None
    """The trace to be part of: 1 to 32 hexadecimal digits, padded with zeros on the left."""
    parent_span_id: str | None = None
    """The span to be a child of: 1 to 16 hexadecimal digits, padded with zeros on the left."""
    tags: list[str] | None = None
    """Labels of the run's span."""
    root_span_name: str | None = None
    """The name of the run's span."""
    hide_input: bool = False
    """Keep inputs out of all spans."""
    hide_output: bool = False
    """Keep outputs out of all spans."""

    @field_validator("trace_id", mode="before")
    @classmethod
    def _usable_trace_id(cls, value: Any) -> str | None:
        return _usable_id(value, "traceId", TRACE_ID_LENGTH, "Generating new trace ID.")

    @field_validator("parent_span_id", mode="before")
    @classmethod
    def _usable_parent_span_id(cls, value: Any) -> str | None:
        return _usable_id(value, "parentSpanId", SPAN_ID_LENGTH, "Ignoring.")

    def to_wire(self) -> dict[str, Any]:
        """The options that were given, as Mastra names them."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)

    def over(self, earlier: TracingOptions) -> TracingOptions:
        """These options, and what the earlier ones said of the whole trace."""
        whole = {name: getattr(earlier, name) for name in earlier.model_fields_set - ROOT_ONLY}
        return TracingOptions(**{**whole, **{name: getattr(self, name) for name in self.model_fields_set}})


def parse_tracing_options(value: TracingOptions | dict[str, Any] | None, *, owner: str) -> TracingOptions | None:
    """The options as their model, checked before anything is started with them.

    Raises:
        DefinitionError: A name is unknown or a value is of the wrong type.
        SerializationError: The metadata cannot be written as JSON.
    """
    if value is None:
        return None
    options = parse_options(TracingOptions, value, owner=owner)
    if options.metadata is None:
        return options
    metadata = to_json(options.metadata, what=f"`metadata` of the tracing options of {owner}")
    return options.model_copy(update={"metadata": metadata})


def run_metadata(
    options: TracingOptions, run_id: str, resource_id: str | None, request_context: Mapping[str, Any]
) -> dict[str, Any]:
    """What every span of a run carries; the caller's metadata win over values of the request context."""
    metadata = selected(request_context, options.request_context_keys or []) | (options.metadata or {})
    return {**metadata, "runId": run_id, "resourceId": resource_id}


def _usable_id(value: Any, name: str, length: int, remedy: str) -> str | None:
    """An id as OpenTelemetry has it. A wrong one is no reason not to run: it is told and left out."""
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(rf"[0-9a-fA-F]{{1,{length}}}", value) and int(value, 16):
        return value.lower().rjust(length, "0")
    shown = f'"{value}"' if isinstance(value, str) else repr(value)
    _logger.warning(
        "[Mastra Tracing] Invalid %s: must be 1-%d hexadecimal characters, got %s. %s", name, length, shown, remedy
    )
    return None
