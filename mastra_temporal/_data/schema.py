"""Schemas: pydantic models, or any type that ``pydantic.TypeAdapter`` takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, cast

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import ErrorDetails

from mastra_temporal._data.gate import to_json
from mastra_temporal._data.issues import INVALID, LenientJsonSchema, issue_message
from mastra_temporal._data.path import MISSING
from mastra_temporal._data.round_trip import TypeWriter
from mastra_temporal.errors import DefinitionError, MastraError

__all__ = ["Schema", "SchemaError", "issues_text"]


class SchemaError(MastraError):
    """Data does not match a schema. Callers add which data it was."""

    def __init__(self, issues: list[dict[str, Any]]) -> None:
        """Create the error.

        Args:
            issues: ``{"path": [...], "message": ...}`` for each thing that is wrong.
        """
        super().__init__(issues_text(issues))
        self.issues = issues


def issues_text(issues: Iterable[dict[str, Any]]) -> str:
    """The issues as Mastra's messages list them: a line ``- <path>: <message>`` for each."""
    return "\n".join(f"- {'.'.join(map(str, issue['path']))}: {issue['message']}" for issue in issues)


class Schema:
    """A type that data is validated against, compiled once.

    Attributes:
        annotation: The type as the user gave it.
    """

    def __init__(self, annotation: Any, *, owner: str = "schema") -> None:
        """Compile a schema.

        Args:
            annotation: Anything ``pydantic.TypeAdapter`` takes.
            owner: Whose schema it is, for the message.

        Raises:
            DefinitionError: pydantic cannot make a schema of it.
        """
        self.annotation = annotation
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
            self._adapter.rebuild(raise_errors=True)
        except PydanticUndefinedAnnotation as error:
            raise DefinitionError(
                f"{owner}: {annotation!r} refers to {error.name!r}, which is not defined here. "
                "Define or import that type before the step or workflow."
            ) from error
        except Exception as error:  # what is no type at all makes pydantic stumble in many ways
            reason = error.message.partition(". ")[0] if isinstance(error, PydanticUserError) else "it is not a type"
            raise DefinitionError(
                f"{owner}: {annotation!r} cannot be used as a schema: {reason}. "
                "Use a pydantic model, a dataclass or another type that pydantic.TypeAdapter takes."
            ) from error

    @classmethod
    def of(cls, annotation: Any, *, owner: str = "schema") -> Schema | None:
        """Compile a schema; None and ``Any`` stand for "no validation" and give None."""
        return None if annotation is None or annotation is Any else cls(annotation, owner=owner)

    def validate(self, value: Any) -> Any:
        """Turn data into a value of the schema's type.

        Args:
            value: JSON data, an instance of the type, or a mix.

        Returns:
            The parsed value, defaults filled in.

        Raises:
            SchemaError: The data does not match.
        """
        try:
            text = json.dumps(value)
        except (TypeError, ValueError):
            text = None
        try:
            # A dumped value must validate again, so fields go by alias and by name, and JSON data is read by pydantic's
            # JSON rules: under them a strict model takes a date from text, and bytes are decoded as they were encoded.
            if text is not None:
                return self._adapter.validate_json(text, by_alias=True, by_name=True)
            return self._adapter.validate_python(value, by_alias=True, by_name=True)
        except ValidationError as error:
            schema = self._adapter.json_schema(schema_generator=LenientJsonSchema)
            raise SchemaError(_issues(error, value if text is None else json.loads(text), schema)) from error

    def dump(self, value: Any, *, what: str = "The value") -> Any:
        """Write a value of the type as JSON data that ``validate`` reads again.

        Data that are not of the type are written as they are: whoever needs them valid has to validate them.

        Args:
            value: What ``validate`` returned, or what a user gives for such a value.
            what: What the value is, for the message.

        Raises:
            SerializationError: It holds something that JSON cannot.
        """
        return to_json(value, what=what, writer=self._writer)

    def for_data(self, *, owner: str, name: str) -> Schema:
        """The schema, if its values can be read from what they are written as.

        Args:
            owner: Whose schema it is, for the message.
            name: What it is the schema of: ``input_schema``.

        Raises:
            DefinitionError: They cannot; the message names the field and the remedy.
        """
        for loss in self._writer.losses:
            raise DefinitionError(f"{owner}: the {name} {self.annotation!r} cannot be read again once written: {loss}")
        return self

    @cached_property
    def _writer(self) -> TypeWriter:
        return TypeWriter(self._adapter)

    @property
    def core(self) -> dict[str, Any]:
        """The schema as pydantic's core has it."""
        return cast("dict[str, Any]", self._adapter.core_schema)

    def json_schema(self) -> dict[str, Any]:
        """The schema as JSON Schema."""
        return self._adapter.json_schema()


_Path = tuple["int | str", ...]


def _issues(error: ValidationError, value: Any, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Pydantic's errors in Mastra's terms: one issue per place, with a path into the data and nothing else.

    Pydantic reports a union once per member, and names the member in the location; Mastra reports it once. A tagged
    union has chosen its member already: there only the name is dropped.
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
    """What all members say of the value itself: ``int | float`` is one type to Zod. Else no member is singled out."""
    (path, text), *others = answers
    return text if path == place and not others else INVALID


def _with_keys(text: str, keys: list[str]) -> str:
    return f"{text}{'s' if len(keys) > 1 else ''}: {', '.join(keys)}" if keys else text


def _locate(detail: ErrorDetails, value: Any) -> tuple[_Path, list[tuple[_Path, int | str]]]:
    """Split pydantic's location into the path that the data has, and the labels that pydantic put in between.

    What cannot be found in the data is a label, except for a field that is reported as missing.
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
