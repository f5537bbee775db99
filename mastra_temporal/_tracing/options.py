"""The tracing options of a run."""

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
    """The tracing options of a run. Mastra's: https://mastra.ai/reference/observability/tracing/interfaces.

    They apply to the rest of the run, including restarts, until a later call passes others. ``tags``, ``trace_id``,
    ``parent_span_id`` and ``root_span_name`` apply only to the span of the call that passed them.
    """

    metadata: dict[str, Any] | None = None
    """JSON-able values that are added to every span."""
    request_context_keys: list[str] | None = None
    """Keys of the request context to add to every span as metadata. ``user.id`` selects a nested value."""
    trace_id: str | None = None
    """The id of the trace that the run belongs to: 1 to 32 hexadecimal digits, padded with zeros on the left."""
    parent_span_id: str | None = None
    """The id of the run's parent span: 1 to 16 hexadecimal digits, padded with zeros on the left."""
    tags: list[str] | None = None
    """Labels of the run's span."""
    root_span_name: str | None = None
    """The name of the run's span."""
    hide_input: bool = False
    """Whether to leave inputs out of all spans."""
    hide_output: bool = False
    """Whether to leave outputs out of all spans."""

    @field_validator("trace_id", mode="before")
    @classmethod
    def _usable_trace_id(cls, value: Any) -> str | None:
        return _usable_id(value, "traceId", TRACE_ID_LENGTH, "Generating new trace ID.")

    @field_validator("parent_span_id", mode="before")
    @classmethod
    def _usable_parent_span_id(cls, value: Any) -> str | None:
        return _usable_id(value, "parentSpanId", SPAN_ID_LENGTH, "Ignoring.")

    def to_wire(self) -> dict[str, Any]:
        """Return the options that were set, with Mastra's names."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)

    def over(self, earlier: TracingOptions) -> TracingOptions:
        """Return these options, completed with those of the earlier ones that apply to the whole trace."""
        whole = {name: getattr(earlier, name) for name in earlier.model_fields_set - ROOT_ONLY}
        return TracingOptions(**{**whole, **{name: getattr(self, name) for name in self.model_fields_set}})


def parse_tracing_options(value: TracingOptions | dict[str, Any] | None, *, owner: str) -> TracingOptions | None:
    """Return the options as an instance of their model. They are checked before anything is started.

    Args:
        value: The options, a dictionary, or None.
        owner: Whose options they are, for messages.

    Raises:
        DefinitionError: A name is unknown or a value has the wrong type.
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
    """Return the metadata of every span of a run. The caller's metadata overrides values of the request context."""
    metadata = selected(request_context, options.request_context_keys or []) | (options.metadata or {})
    return {**metadata, "runId": run_id, "resourceId": resource_id}


def _usable_id(value: Any, name: str, length: int, remedy: str) -> str | None:
    """Return an id in OpenTelemetry's form. An invalid id is logged and ignored: it must not prevent the run."""
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(rf"[0-9a-fA-F]{{1,{length}}}", value) and int(value, 16):
        return value.lower().rjust(length, "0")
    shown = f'"{value}"' if isinstance(value, str) else repr(value)
    _logger.warning(
        "[Mastra Tracing] Invalid %s: must be 1-%d hexadecimal characters, got %s. %s", name, length, shown, remedy
    )
    return None
