"""Word validation issues. Common ones read as in Zod 4, which Mastra's users know, and all others as in pydantic."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from numbers import Number
from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails

__all__ = ["INVALID", "LenientJsonSchema", "issue_message"]

INVALID = "Invalid input"

_JS_TYPES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "null"),
    (str, "string"),
    (bool, "boolean"),
    (Number, "number"),
    ((list, tuple, set, frozenset), "array"),
)

_EXPECTED = {
    "string_type": "string",
    "int_type": "number",
    "int_parsing": "number",
    "int_parsing_size": "number",
    "float_type": "number",
    "float_parsing": "number",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "none_required": "null",
    "list_type": "array",
    "tuple_type": "array",
    "set_type": "array",
    "frozen_set_type": "array",
    "deque_type": "array",
    "iterable_type": "array",
    "dict_type": "object",
    "mapping_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "dataclass_type": "object",
}

_LIMITS = {
    "greater_than": ("gt", "Too small: expected number to be >{limit}"),
    "greater_than_equal": ("ge", "Too small: expected number to be >={limit}"),
    "less_than": ("lt", "Too big: expected number to be <{limit}"),
    "less_than_equal": ("le", "Too big: expected number to be <={limit}"),
    "string_too_short": ("min_length", "Too small: expected string to have >={limit} characters"),
    "string_too_long": ("max_length", "Too big: expected string to have <={limit} characters"),
    "too_short": ("min_length", "Too small: expected {received} to have >={limit} items"),
    "too_long": ("max_length", "Too big: expected {received} to have <={limit} items"),
}

_NOT_AN_INTEGER = ("int_type", "int_from_float")
_NO_MEMBER = ("union_tag_invalid", "union_tag_not_found")
# For these kinds, pydantic's error lacks the expected type, has it only as text, or is less precise than Zod's. It is
# looked up in the JSON Schema.
_TOLD_BY_SCHEMA = ("missing", "enum", "literal_error", "dict_type")


class LenientJsonSchema(GenerateJsonSchema):
    """Writes any type as JSON Schema. Parts that JSON Schema cannot express allow any value."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        """Allow any value where pydantic would raise an error."""
        return {}


def issue_message(error: ErrorDetails, schema: JsonSchemaValue) -> str:
    """Return the message of one of pydantic's errors, worded as in Zod.

    Args:
        error: One of ``ValidationError.errors()``, with its context.
        schema: The JSON Schema of the whole data, see ``LenientJsonSchema``.
    """
    kind = error["type"]
    received = "undefined" if kind == "missing" else _js_type(error["input"])
    if error["loc"][-1:] == ("[key]",):
        return "Invalid key in record"
    if kind in _NO_MEMBER:
        return INVALID
    if kind in _NOT_AN_INTEGER and received == "number":
        return _wrong_type("int", received)
    if kind in _LIMITS:
        return _limit_message(error, received)
    told = _expectation(schema, error["loc"], received) if kind in _TOLD_BY_SCHEMA else None
    if told is None and kind in _EXPECTED:
        return _wrong_type(_EXPECTED[kind], received)
    return told or error["msg"]


def _wrong_type(expected: str, received: str) -> str:
    return f"{INVALID}: expected {expected}, received {received}"


def _js_type(value: Any) -> str:
    return next((name for kind, name in _JS_TYPES if isinstance(value, kind)), "object")


def _limit_message(error: ErrorDetails, received: str) -> str:
    key, text = _LIMITS[error["type"]]
    limit = error.get("ctx", {}).get(key)
    if not isinstance(limit, int | float | Decimal):
        return error["msg"]
    whole = float(limit).is_integer()
    return text.format(limit=int(limit) if whole else limit, received=received)


def _expectation(root: JsonSchemaValue, location: Iterable[int | str], received: str) -> str | None:
    """Return the message for what the schema expects at a location; None if the schema does not say."""
    places = [root]
    for item in location:
        alternatives = [each for place in places for each in _alternatives(place, root)]
        places = [child for each in alternatives if (child := _child(each, item)) is not None]
    alternatives = [each for place in places for each in _alternatives(place, root)]
    messages = {_schema_message(each, received) for each in alternatives if not _is_union(each)}
    if len(messages) > 1:
        # Zod words a nullable type like the type itself.
        messages.discard(_wrong_type("null", received))
    if None in messages or not messages:
        return None
    return messages.pop() if len(messages) == 1 else INVALID


def _alternatives(schema: JsonSchemaValue, root: JsonSchemaValue) -> Iterator[JsonSchemaValue]:
    """Yield a schema with its reference resolved, and the members of unions at any depth."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    yield schema
    for member in schema.get("anyOf", schema.get("oneOf", [])):
        yield from _alternatives(member, root)


def _is_union(schema: JsonSchemaValue) -> bool:
    return "anyOf" in schema or "oneOf" in schema


def _child(schema: JsonSchemaValue, item: int | str) -> JsonSchemaValue | None:
    """Return the schema of a part of the data, or of the member of a tagged union if ``item`` is its tag."""
    tagged = schema.get("discriminator", {}).get("mapping", {})
    if item in tagged:
        return {"$ref": tagged[item]}
    if isinstance(item, str):
        child = schema.get("properties", {}).get(item, schema.get("additionalProperties"))
    else:
        items = schema.get("prefixItems", [])
        child = items[item] if item < len(items) else schema.get("items")
    return cast("JsonSchemaValue", child) if isinstance(child, dict) else None


def _schema_message(schema: JsonSchemaValue, received: str) -> str | None:
    """Return Zod's message for data that does not match a schema without unions; None if the schema names no type."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values:
        expected = "|".join(json.dumps(value, ensure_ascii=False) for value in values)
        return f"{INVALID}: expected {expected}" if len(values) == 1 else f"Invalid option: expected one of {expected}"
    match schema.get("type"):
        case "integer":
            return _wrong_type("number", received)
        case "object" if "properties" not in schema:
            return _wrong_type("record", received)
        case str(kind):
            return _wrong_type(kind, received)
        case _:
            return None
