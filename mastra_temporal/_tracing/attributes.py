"""Convert the data of a run to span attributes.

The names are those of Mastra's OpenTelemetry exporter: ``mastra.span.type``, ``mastra.<type>.input``,
``mastra.metadata.<key>``, ``mastra.tags``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from mastra_temporal._data.path import is_array, is_object

__all__ = ["Attributes", "data_attribute", "json_text", "metadata_attributes", "named_attributes", "selected"]

Attributes = dict[str, Any]

MAX_LENGTH = 8192
"""Maximum length of an input or output in a span, in characters. The history has the whole value."""


def json_text(value: Any) -> str:
    """Return a value as JSON text, cut to `MAX_LENGTH` characters."""
    text = json.dumps(to_jsonable_python(value, fallback=str, inf_nan_mode="null"), ensure_ascii=False)
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}... ({len(text)} characters)"


def data_attribute(span_type: str, kind: str, value: Any) -> Attributes:
    """Return the attribute of a span's input or output; no attribute if the value is None.

    Args:
        span_type: The type of the span.
        kind: ``input`` or ``output``.
        value: The data.
    """
    return {} if value is None else {f"mastra.{span_type}.{kind}": json_text(value)}


def metadata_attributes(metadata: Mapping[str, Any]) -> Attributes:
    """Return the attributes of metadata. Nested values have dotted names."""
    return _flat("mastra.metadata", metadata)


def named_attributes(values: Mapping[str, Any]) -> Attributes:
    """Return attributes named ``mastra.<name>``. Values of None are left out."""
    return {f"mastra.{name}": _plain(value) for name, value in values.items() if value is not None}


def selected(values: Mapping[str, Any], keys: list[str]) -> dict[str, Any]:
    """Return the values at the given dotted paths, nested as in ``values``. Paths without a value are left out."""
    found: dict[str, Any] = {}
    for key in keys:
        value: Any = values
        parts = key.split(".")
        for part in parts:
            value = value.get(part) if is_object(value) else None
        if value is None:
            continue
        place = found
        for part in parts[:-1]:
            place = place.setdefault(part, {})
        place[parts[-1]] = value
    return found


def _flat(prefix: str, values: Mapping[str, Any]) -> Attributes:
    flat: Attributes = {}
    for key, value in values.items():
        if value is None:
            continue
        if is_object(value) and value:
            flat |= _flat(f"{prefix}.{key}", value)
        else:
            flat[f"{prefix}.{key}"] = _plain(value)
    return flat


def _plain(value: Any) -> Any:
    """Return a value in a form that OpenTelemetry accepts: a scalar, a list of scalars of one type, or JSON text."""
    if isinstance(value, (str, bool, int, float)):
        return value
    if is_array(value) and any(all(type(item) is kind for item in value) for kind in (str, bool, int, float)):
        return value
    return json_text(value)
