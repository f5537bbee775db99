"""`inlined`: JSON Schema without references. Studio builds forms only from schemas without them, such as Zod's."""

from __future__ import annotations

from typing import Any, cast

__all__ = ["inlined"]

PREFIX = "#/$defs/"


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with every reference replaced by its definition.

    Where a definition contains itself, the inner one becomes an object of any kind. Otherwise the result would be
    infinite.
    """
    definitions: dict[str, Any] = schema.get("$defs", {})
    return _inlined({key: value for key, value in schema.items() if key != "$defs"}, definitions, ())


def _inlined(value: Any, definitions: dict[str, Any], inside: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_inlined(item, definitions, inside) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    schema = cast("dict[str, Any]", value)
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith(PREFIX):
        return {key: _inlined(item, definitions, inside) for key, item in schema.items()}
    name = reference.removeprefix(PREFIX)
    beside = {key: item for key, item in schema.items() if key != "$ref"}
    if name in inside:
        return {"type": "object", **beside}
    return {**_inlined(definitions[name], definitions, (*inside, name)), **beside}
