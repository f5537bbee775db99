"""Find values of a union that are read from their JSON data as another member: a date of ``str | date`` as a text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, TypeGuard, cast
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, SchemaError, SchemaValidator, ValidationError, to_json

from mastra_temporal._data.path import MISSING, is_array, is_object
from mastra_temporal._data.round_trip import WRAPPERS, CoreSchema, children, fields_of

__all__ = ["JSON_TYPES", "Change", "Unions"]

Change = tuple[str, type, type]
"""The path of a value, its type, and the type that it would be read as."""

SAMPLES: dict[str, Any] = {
    "str": "text",
    "bytes": b"text",
    "int": 1,
    "any": 1,
    "decimal": Decimal("1.5"),
    "uuid": UUID(int=1),
    "date": date(2000, 1, 1),
    "datetime": datetime(2000, 1, 1, 1, tzinfo=timezone.utc),
    "time": time(1),
    "timedelta": timedelta(1),
}
"""A value for each simple type of pydantic's core schemas."""
COLLECTIONS: dict[str, Callable[[Iterable[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
JSON_TYPES = (str, int, float, bool, list, dict)
"""The types of JSON data."""
JSON_KINDS = ("str", "int", "float", "bool", "none", "literal", "list", "dict")
"""The core schemas of values that JSON has."""


class Unions:
    """The unions in a type. Types with serializers of their own are left to their authors."""

    def __init__(self, schema: CoreSchema) -> None:
        """Look up the unions of a core schema once."""
        self._schema = schema
        definitions = cast("list[CoreSchema]", schema.get("definitions", []))
        self._definitions = {each["ref"]: each for each in definitions}
        self._exist = _has_union(schema)
        self._validators: dict[int, SchemaValidator] = {}

    def lost(self) -> Iterator[Change]:
        """Yield the members of unions that are never read again. Fields of models are not looked at."""
        return self._lost(self._schema, "") if self._exist else iter(())

    def changes(self, given: Any, read: Any) -> Iterator[Change]:
        """Yield the values that were one member of a union and were read as another.

        Args:
            given: The value that the user gave.
            read: The value that is read from its JSON data.
        """
        return self._changes(self._schema, given, read, "") if self._exist else iter(())

    def _lost(self, node: CoreSchema, path: str) -> Iterator[Change]:
        kind = node["type"]
        if kind == "union" and "serialization" not in node:
            for choice in _choices(node):
                sample = _sample(choice)
                read = MISSING if sample is MISSING else self._read(node, sample)
                if read is not MISSING and self._is_member(choice, sample):
                    yield from self._changes(node, sample, read, path)
        elif kind in COLLECTIONS:
            item = _item_schema(node, 0)
            yield from () if item is None else self._lost(item, f"{path}[0]")
        elif kind in ("nullable", "default"):
            yield from self._lost(node["schema"], path)

    def _changes(self, node: CoreSchema, given: Any, read: Any, path: str) -> Iterator[Change]:
        kind = node["type"]
        if "serialization" in node:
            return
        if (fields := fields_of(node)) is not None:
            # JSON data in place of a model has texts for dates.
            is_data = is_object(given) and kind != "typed-dict"
            for name, field in fields:
                one, other = (_field(value, name, field) for value in (given, read))
                if one is not MISSING and other is not MISSING:
                    changes = self._changes(field["schema"], one, other, f"{path}.{name}")
                    yield from (each for each in changes if not (is_data and each[1] in JSON_TYPES))
        elif kind == "union":
            yield from self._union_changes(node, given, read, path)
        elif kind == "tagged-union":
            member = next((each for each in _choices(node) if self._is_member(each, read)), None)
            yield from () if member is None else self._changes(member, given, read, path)
        elif kind in COLLECTIONS:
            yield from self._item_changes(node, given, read, path)
        elif kind == "dict":
            yield from self._dict_changes(node, given, read, path)
        elif kind == "definition-ref":
            yield from self._changes(self._definitions[node["schema_ref"]], given, read, path)
        elif is_object(inner := node.get(WRAPPERS.get(kind, "schema"))):
            if node.get("root_model"):
                given, read = getattr(given, "root", given), getattr(read, "root", read)
            yield from self._changes(inner, given, read, path)

    def _union_changes(self, node: CoreSchema, given: Any, read: Any, path: str) -> Iterator[Change]:
        if is_object(given) and isinstance(read, BaseModel):
            return  # data in place of a model
        choices = _choices(node)
        before = [choice for choice in choices if self._is_member(choice, given)]
        same = [choice for choice in before if self._is_member(choice, read)]
        became_other = bool(before) and not same
        if _is_special(given) and any(choice["type"] not in JSON_KINDS for choice in choices):
            # Pydantic takes a datetime for a date, an enum of texts and the URL of a text for `str`.
            became_other = True
        if became_other and type(given) is not type(read):
            yield path, type(given), type(read)
        elif same:
            yield from self._changes(same[0], given, read, path)

    def _item_changes(self, node: CoreSchema, given: Any, read: Any, path: str) -> Iterator[Change]:
        if not (_is_collection(given) and _is_collection(read)):
            return
        if node["type"] in ("set", "frozenset"):
            given, read = set(given) - set(read), set(read) - set(given)
        for index, (item, now) in enumerate(zip(given, read, strict=False)):
            schema = _item_schema(node, index)
            if schema is not None:
                yield from self._changes(schema, item, now, f"{path}[{index}]")

    def _dict_changes(self, node: CoreSchema, given: Any, read: Any, path: str) -> Iterator[Change]:
        if not (is_object(given) and is_object(read)):
            return
        if "keys_schema" in node:
            for key, now in zip(given.keys() - read.keys(), read.keys() - given.keys(), strict=False):
                yield from self._changes(node["keys_schema"], key, now, f"{path}.{key}")
        for key in given.keys() & read.keys() if "values_schema" in node else ():
            yield from self._changes(node["values_schema"], given[key], read[key], f"{path}.{key}")

    def _is_member(self, choice: CoreSchema, value: Any) -> bool:
        if choice["type"] in ("model", "dataclass"):
            return isinstance(value, choice["cls"])
        try:
            return self._validator(choice).isinstance_python(value, strict=True)
        except Exception:  # a validator of the user
            return False

    def _read(self, node: CoreSchema, sample: Any) -> Any:
        try:
            return self._validator(node).validate_json(to_json(sample))
        except (ValidationError, PydanticSerializationError, SchemaError):
            return MISSING

    def _validator(self, node: CoreSchema) -> SchemaValidator:
        """Return the validator of a part of the schema. The schema outlives it, so the id belongs to this part."""
        if id(node) not in self._validators:
            whole: Any = {"type": "definitions", "schema": node, "definitions": list(self._definitions.values())}
            self._validators[id(node)] = SchemaValidator(whole)
        return self._validators[id(node)]


def _has_union(node: Any) -> bool:
    if is_array(node):
        return any(map(_has_union, node))
    if not is_object(node):
        return False
    fields = fields_of(node)
    inner = children(node) if fields is None else (field["schema"] for _, field in fields)
    return node.get("type") == "union" or any(map(_has_union, inner))


def _is_collection(value: Any) -> TypeGuard[Collection[Any]]:
    return isinstance(value, (list, tuple, set, frozenset))


def _is_special(value: Any) -> bool:
    """Return whether JSON has no value like this one, so that it was written as another: a date, a path, an enum."""
    has_own_data = isinstance(value, (list, tuple, set, frozenset, dict, BaseModel)) or is_dataclass(value)
    return isinstance(value, Enum) or not (value is None or isinstance(value, (str, int, float)) or has_own_data)


def _choices(node: CoreSchema) -> list[CoreSchema]:
    """Return the members of a union. Pydantic gives a member with a label as a pair."""
    choices: Any = node["choices"]
    members = choices.values() if is_object(choices) else choices
    return [cast("CoreSchema", each[0] if isinstance(each, tuple) else each) for each in members]


def _sample(node: CoreSchema) -> Any:
    kind = node["type"]
    if kind in COLLECTIONS:
        schema = _item_schema(node, 0)
        item = 1 if schema is None else _sample(schema)
        return item if item is MISSING else COLLECTIONS[kind]([item])
    return node["members"][0] if kind == "enum" else SAMPLES.get(kind, MISSING)


def _item_schema(node: CoreSchema, index: int) -> CoreSchema | None:
    schema: Any = node.get("items_schema")
    if not is_array(schema):
        return schema
    last = node.get("variadic_item_index")
    return schema[min(index, len(schema) - 1)] if schema and (last is not None or index < len(schema)) else None


def _field(value: Any, name: str, field: CoreSchema) -> Any:
    if not is_object(value):
        return getattr(value, name, MISSING)
    alias = field.get("validation_alias")
    return value.get(name, value.get(alias, MISSING) if isinstance(alias, str) else MISSING)
