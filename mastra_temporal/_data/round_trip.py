"""Write values so that their type can read them again, and detect types for which that is impossible.

The output of one step is the input of the next. A type that cannot be read again is refused when the step or workflow
is defined. All facts about a type come from the core schema that pydantic builds for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from pydantic import TypeAdapter

from mastra_temporal._data.path import is_array, is_object

__all__ = ["WRAPPERS", "CannotWrite", "CoreSchema", "TypeWriter", "children", "fields_of"]

_SCALARS_AS_KEYS = "Use text or numbers as keys"
_CONTAINERS = {"tuple", "list", "set", "frozenset", "dict", "model", "dataclass", "typed-dict", "named-tuple"}
_NO_SCHEMAS = ("metadata", "config", "default", "ref", "cls", "members")
WRAPPERS = {"lax-or-strict": "lax_schema", "json-or-python": "json_schema"}
"""The key of the schema that concerns JSON data, for each type of core schema that has several."""

CoreSchema = dict[str, Any]
_Fields = list[tuple[str, CoreSchema]]


class CannotWrite(Exception):
    """Pydantic cannot write the value according to its type."""


class TypeWriter:
    """Writes values of a type as JSON data that the type can read again.

    Attributes:
        losses: What the type could not read again, as messages with the reason and the remedy.
        is_untyped: Whether a part of the type is ``Any``.
    """

    def __init__(self, adapter: TypeAdapter[Any]) -> None:
        """Analyze the type once."""
        self._adapter = adapter
        schema = cast("CoreSchema", adapter.core_schema)
        self.losses = [
            f"`{'.'.join(path)}` {reason}" if path else f"it {reason}" for path, reason in _losses(schema, ())
        ]
        self._is_typed_dict = schema.get("type") == "typed-dict"
        self.is_untyped = _has_any(schema)
        self._round_trip = _needs_round_trip(schema, None)
        # Prefer aliases as keys: JSON usually has them, and validation accepts aliases and names. But an alias may be
        # for serialization only, and then the type could not read it again.
        groups = list(_field_groups(schema))
        self._by_alias = all(_comes_back(group, by_alias=True) for group in groups)
        if not self._by_alias and not all(_comes_back(group, by_alias=False) for group in groups):
            self.losses.append("a field would be read from another field's key. Give it an alias that is no name.")

    def write(self, value: Any) -> Any:
        """Return the value as data. Floats and texts in it are not checked yet.

        Raises:
            CannotWrite: The value is not of the type, or contains something that pydantic cannot write.
        """
        if self._is_typed_dict and type(value) is dict:
            return cast("Any", value)  # pydantic would drop keys that the type does not declare
        try:
            # Without `polymorphic_serialization`, the fields of a subclass would be lost.
            return self._adapter.dump_python(
                value,
                mode="json",
                by_alias=self._by_alias,
                round_trip=self._round_trip,
                polymorphic_serialization=True,
                warnings=False,
            )
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise CannotWrite(str(error)) from error


def _losses(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path and the reason of each part that the type could not read again."""
    if is_array(node):
        for item in node:
            yield from _losses(item, path)
    if not is_object(node):
        return
    if "serialization" in node:
        # A custom serializer is the user's responsibility. Only pydantic's own serializer of secrets is refused.
        if _hides(node["serialization"]):
            yield (
                path,
                (
                    "is a secret: the next step would get '**********'. Pass a reference to the secret, or write it on "
                    "purpose with a field_serializer (and have a payload codec encrypt it)."
                ),
            )
        return
    if (fields := fields_of(node)) is not None:
        for name, field in fields:
            if not field.get("serialization_exclude"):
                yield from _losses(field["schema"], (*path, name))
            elif _is_required(field):
                yield (*path, name), "has exclude=True and no default: it would be missing. Give it a default."
        return
    if node.get("type") == "dict" and (kind := _unreadable_key(node.get("keys_schema"))) is not None:
        yield path, f"has keys of type {kind}, which JSON writes as text that cannot be read. {_SCALARS_AS_KEYS}."
    for child in children(node):
        yield from _losses(child, path)


def _hides(serialization: Any) -> bool:
    function = serialization.get("function") if is_object(serialization) else None
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__name__', '')}"
    return name.startswith("pydantic.types._serialize_secret")


def fields_of(node: CoreSchema) -> _Fields | None:
    """Return the fields of a model, dataclass or TypedDict; None for any other schema."""
    fields = node.get("fields")
    if node.get("type") in ("model-fields", "typed-dict") and is_object(fields):
        return list(fields.items())
    if node.get("type") == "dataclass-args" and is_array(fields):
        return [(field["name"], field) for field in fields]
    return None


def _is_required(field: CoreSchema) -> bool:
    return field["schema"].get("type") != "default" and field.get("required", True)


def children(node: CoreSchema) -> Iterator[Any]:
    """Yield the schemas inside a schema that concern JSON data."""
    wrapped = WRAPPERS.get(cast("str", node.get("type")))
    if wrapped is not None:
        yield node[wrapped]
    else:
        yield from (value for key, value in node.items() if key not in _NO_SCHEMAS)


def _unreadable_key(node: Any) -> str | None:
    """Return the type of a dictionary's keys if it cannot be read from text; otherwise None."""
    if not is_object(node) or "serialization" in node:
        return None
    kind = node.get("type")
    if kind in ("nullable", "none"):
        return "None"
    if kind == "call":  # pydantic 2.13 makes this of a named tuple
        return "named-tuple"
    if kind in _CONTAINERS:
        return str(kind)
    inner = [choice for key in ("schema", "choices") for choice in _as_list(node.get(key))]
    inner += [node[WRAPPERS[kind]]] if kind in WRAPPERS else []
    return next((found for each in inner if (found := _unreadable_key(each)) is not None), None)


def _has_any(node: Any) -> bool:
    if is_array(node):
        return any(map(_has_any, node))
    return is_object(node) and (node.get("type") == "any" or any(map(_has_any, children(node))))


def _needs_round_trip(node: Any, extra: str | None) -> bool:
    """Return whether values must be written in pydantic's round-trip mode.

    That is the case for a ``Json`` field, and for computed fields if the model does not ignore unknown keys: it would
    refuse or keep them. Everywhere else computed fields are written, because people and mappings use the data.
    """
    if is_array(node):
        return any(_needs_round_trip(item, extra) for item in node)
    if not is_object(node):
        return False
    config = node.get("config")
    extra = config.get("extra_fields_behavior") if is_object(config) else extra
    if node.get("type") == "json" or (node.get("computed_fields") and extra in ("forbid", "allow")):
        return True
    fields = fields_of(node)
    inner = children(node) if fields is None else (field["schema"] for _, field in fields)
    return any(_needs_round_trip(child, extra) for child in inner)


def _as_list(value: Any) -> list[Any]:
    return value if is_array(value) else [value]


def _field_groups(node: Any) -> Iterator[_Fields]:
    """Yield the fields of each model, dataclass and TypedDict inside a schema."""
    if is_array(node):
        for item in node:
            yield from _field_groups(item)
    if not is_object(node):
        return
    fields = fields_of(node)
    if fields is not None:
        yield [(name, field) for name, field in fields if not field.get("serialization_exclude")]
    for child in children(node) if fields is None else (field["schema"] for _, field in fields):
        yield from _field_groups(child)


def _comes_back(fields: _Fields, *, by_alias: bool) -> bool:
    """Return whether each field is read from the same key that it is written to."""
    keys = {name: field.get("serialization_alias") or name if by_alias else name for name, field in fields}
    written = set(keys.values())
    return len(written) == len(keys) and all(
        next((key for key in _read_from(name, field) if key in written), None) == keys[name] for name, field in fields
    )


def _read_from(name: str, field: CoreSchema) -> list[str]:
    """Return the keys from which a field is read: its aliases first, then its name."""
    alias = field.get("validation_alias")
    choices = alias if is_array(alias) and all(map(is_array, alias)) else [alias]
    keys = [choice[0] if is_array(choice) and len(choice) == 1 else choice for choice in choices]
    return [*(key for key in keys if isinstance(key, str)), name]
