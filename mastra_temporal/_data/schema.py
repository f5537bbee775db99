"""Schemas: pydantic models, or any other type that ``pydantic.TypeAdapter`` accepts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, cast

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import ErrorDetails

from mastra_temporal._data.gate import to_json
from mastra_temporal._data.issues import INVALID, LenientJsonSchema, issue_message
from mastra_temporal._data.path import MISSING
from mastra_temporal._data.round_trip import TypeWriter
from mastra_temporal._data.shown import shown
from mastra_temporal._data.unions import Change, Unions
from mastra_temporal.errors import DefinitionError, MastraError

__all__ = ["UNION_REMEDY", "Schema", "SchemaError", "issues_text"]

UNION_REMEDY = "Use one type, or models that a discriminator tells apart."
"""The advice for a union whose members have the same JSON data."""


class SchemaError(MastraError):
    """Data does not match a schema. The caller adds which data it was."""

    def __init__(self, issues: list[dict[str, Any]]) -> None:
        """Create the error.

        Args:
            issues: One ``{"path": [...], "message": ...}`` for each problem.
        """
        super().__init__(issues_text(issues))
        self.issues = issues


def issues_text(issues: Iterable[dict[str, Any]]) -> str:
    """Return the issues as in Mastra's messages: one line ``- <path>: <message>`` for each."""
    return "\n".join(f"- {'.'.join(map(str, issue['path']))}: {issue['message']}" for issue in issues)


class Schema:
    """A type for validating data. It is compiled once.

    Attributes:
        annotation: The type as the user gave it.
    """

    def __init__(self, annotation: Any, *, owner: str = "schema") -> None:
        """Compile a schema.

        Args:
            annotation: Any type that ``pydantic.TypeAdapter`` accepts.
            owner: Whose schema it is, for the message.

        Raises:
            DefinitionError: Pydantic cannot build a schema for the type.
        """
        self.annotation = annotation
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
            self._adapter.rebuild(raise_errors=True)
        except PydanticUndefinedAnnotation as error:
            raise DefinitionError(
                f"{owner}: {shown(annotation)} refers to {error.name!r}, which is not defined here. "
                "Define or import that type before the step or workflow."
            ) from error
        except Exception as error:  # pydantic raises many kinds of errors if the value is not a type
            reason = error.message.partition(". ")[0] if isinstance(error, PydanticUserError) else "it is not a type"
            raise DefinitionError(
                f"{owner}: {shown(annotation)} cannot be used as a schema: {reason}. "
                "Use a pydantic model, a dataclass or another type that pydantic.TypeAdapter takes."
            ) from error

    @classmethod
    def of(cls, annotation: Any, *, owner: str = "schema") -> Schema | None:
        """Compile a schema. Return None for None and ``Any``, which mean "no validation"."""
        return None if annotation is None or annotation is Any else cls(annotation, owner=owner)

    def validate(self, value: Any) -> Any:
        """Convert data to a value of the schema's type.

        Args:
            value: JSON data, an instance of the type, or a mix of both.

        Returns:
            The parsed value, with defaults filled in.

        Raises:
            SchemaError: The data does not match.
        """
        try:
            text = json.dumps(value)
        except (TypeError, ValueError):
            text = None
        try:
            # A dumped value must validate again, so fields are accepted by alias and by name. JSON data is validated
            # with pydantic's JSON rules: otherwise a strict model would refuse a date as text, and bytes would not be
            # decoded as they were encoded.
            if text is not None:
                return self._adapter.validate_json(text, by_alias=True, by_name=True)
            return self._adapter.validate_python(value, by_alias=True, by_name=True)
        except ValidationError as error:
            schema = self._adapter.json_schema(schema_generator=LenientJsonSchema)
            raise SchemaError(_issues(error, value if text is None else json.loads(text), schema)) from error

    def dump(self, value: Any, *, what: str = "The value") -> Any:
        """Convert a value of the type to JSON data that ``validate`` can read again.

        A value that is not of the type is written as it is. The caller must validate it if that matters.

        Args:
            value: A value that ``validate`` returned, or one that a user passed in its place.
            what: What the value is, for the message.

        Raises:
            SerializationError: The value contains something that JSON cannot represent.
        """
        return to_json(value, what=what, writer=self._writer)

    def for_data(self, *, owner: str, name: str) -> Schema:
        """Return the schema if its values can be read from the data that they are written as.

        Args:
            owner: Whose schema it is, for the message.
            name: The name of the parameter: ``input_schema``.

        Raises:
            DefinitionError: They cannot be read again. The message names the field and the remedy.
        """
        losses = self._writer.losses
        if name == "output_schema":
            losses = losses + [
                f"a {was.__name__} in it would be read as a {becomes.__name__}. {UNION_REMEDY}"
                for _, was, becomes in self._unions.lost()
            ]
        for loss in losses:
            raise DefinitionError(
                f"{owner}: the {name} {shown(self.annotation)} cannot be read again once written: {loss}"
            )
        return self

    def changed_members(self, given: Any, read: Any) -> Iterator[Change]:
        """Yield the parts that were one member of a union and are read as another.

        Args:
            given: The value before it was dumped.
            read: What ``validate`` made of the data.
        """
        return self._unions.changes(given, read)

    @cached_property
    def _unions(self) -> Unions:
        return Unions(self.core)

    @cached_property
    def _writer(self) -> TypeWriter:
        return TypeWriter(self._adapter)

    @property
    def core(self) -> dict[str, Any]:
        """Pydantic's core schema."""
        return cast("dict[str, Any]", self._adapter.core_schema)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema as JSON Schema."""
        return self._adapter.json_schema()


_Path = tuple["int | str", ...]


def _issues(error: ValidationError, value: Any, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Convert pydantic's errors to Mastra's issues: one for each location, with a path of the data's own keys only.

    Pydantic reports a failed union once for each member and adds the member's name to the location. Mastra reports it
    once. A tagged union has already chosen its member, so there only the name is removed.
    """
    located = [(detail, *_locate(detail, value)) for detail in error.errors(include_url=False)]
    members: dict[_Path, set[int | str]] = {}
    answers: dict[_Path, set[tuple[_Path, str]]] = {}
    for detail, path, labels in located:
        for place, label in labels:
            members.setdefault(place, set()).add(label)
            answers.setdefault(place, set()).add((path, issue_message(detail, schema)))

    found: dict[tuple[_Path, str], list[str]] = {}
    for detail, path, labels in located:
        union = next((place for place, _ in labels if len(members[place]) > 1), None)
        if union is not None:
            found.setdefault((union, _union_message(union, answers[union])), [])
        elif detail["type"] == "extra_forbidden":
            found.setdefault((path[:-1], "Unrecognized key"), []).append(json.dumps(path[-1]))
        else:
            found.setdefault((path, issue_message(detail, schema)), [])
    return [{"path": list(path), "message": _with_keys(text, keys)} for (path, text), keys in found.items()]


def _union_message(place: _Path, answers: set[tuple[_Path, str]]) -> str:
    """Return the message for a union that failed.

    If all members give the same message for the value itself, it is used: ``int | float`` is a single type in Zod.
    Otherwise no member is preferred.
    """
    (path, text), *others = answers
    return text if path == place and not others else INVALID


def _with_keys(text: str, keys: list[str]) -> str:
    return f"{text}{'s' if len(keys) > 1 else ''}: {', '.join(keys)}" if keys else text


def _locate(detail: ErrorDetails, value: Any) -> tuple[_Path, list[tuple[_Path, int | str]]]:
    """Split pydantic's location into the path in the data and the labels that pydantic inserted.

    An item that does not exist in the data is a label, unless it is the field that is reported as missing.
    """
    path: _Path = ()
    labels: list[tuple[_Path, int | str]] = []
    for position, item in enumerate(detail["loc"], start=1):
        member = _member(value, item)
        is_missing_field = position == len(detail["loc"]) and detail["type"].startswith("missing")
        if member is MISSING and not is_missing_field:
            labels.append((path, item))
        else:
            path, value = (*path, item), member
    return path, labels


def _member(value: Any, item: int | str) -> Any:
    if isinstance(value, dict):
        return cast("dict[Any, Any]", value).get(item, MISSING)
    if isinstance(item, str):
        return getattr(value, item, MISSING)
    items = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()
    return items[item] if item < len(items) else None
