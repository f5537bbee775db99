"""The gate: converts every user value to JSON data, or raises an error with the path to the part that is not JSON."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import is_dataclass
from functools import cache
from types import GeneratorType
from typing import Any, Final, cast

from pydantic import BaseModel, PydanticUserError, Secret, SecretBytes, SecretStr, TypeAdapter
from pydantic_core import to_jsonable_python

from mastra_temporal._data.path import is_array, is_object
from mastra_temporal._data.round_trip import CannotWrite, TypeWriter
from mastra_temporal._data.shown import shown
from mastra_temporal.errors import DefinitionError, SerializationError

__all__ = ["MAX_DEPTH", "is_too_deep", "json_metadata", "json_object", "text_description", "to_json"]

MAX_DEPTH = 100
"""Maximum nesting depth of one value. Pydantic reads 200 levels, and a run wraps the value in some more."""
MAX_BITS, MAX_DIGITS = 12_000, 3_600
"""Maximum bits and decimal digits of an integer. Python converts at most 4,300 digits."""
MAX_PATH = 200
"""Maximum length of a path in a message, in characters."""
REMEDY = "Use JSON data, pydantic models or dataclasses; write bytes as base64 text."
"""The default advice at the end of an error message."""

STARS = "**********"
"""The text that pydantic writes for a secret."""
_SECRETS: Final = (SecretStr, SecretBytes, Secret)
_LISTS: Final = (list, tuple, set, frozenset, deque, GeneratorType)


def to_json(value: Any, *, what: str, writer: TypeWriter | None = None) -> Any:
    """Convert any value to JSON data, or report which part cannot be written and why.

    Models and dataclasses are written so that their own types can read them again. Values that Temporal or a later
    reader could not handle are refused here: lone surrogates, NaN, numbers with thousands of digits, and deep nesting.

    Args:
        value: The value, for example the result of a step.
        what: What the value is, for the message: ``The result of step 'a'``.
        writer: The writer of the declared type. A value of another type is written as it is.

    Raises:
        SerializationError: The value contains something that JSON cannot represent. The message has the path to it.
    """
    try:
        return _to_json(value, 0) if writer is None else _declared(writer, value, 0)
    except _Unwritable as error:
        where = "it" if not error.path else f"`{_path_text(error.path)}`"
        raise SerializationError(
            f"{what} cannot be written as JSON: {where} {error}. {error.remedy}".rstrip()
        ) from None


def json_object(value: Any, *, what: str) -> dict[str, Any]:
    """Convert a value that must be an object to JSON data. None is an empty object.

    Raises:
        SerializationError: The value is not an object, or contains something that JSON cannot represent.
    """
    data: Any = {} if value is None else to_json(value, what=what)
    if not is_object(data):
        raise SerializationError(f"{what} is an object, such as a dict or a model. Got {shown(value)}.")
    return data


def json_metadata(metadata: dict[str, Any] | None, *, owner: str) -> dict[str, Any] | None:
    """Return the metadata of a definition as JSON data. It is part of the graph that is sent to the workflow.

    Raises:
        DefinitionError: The metadata contains something that JSON cannot represent.
    """
    if metadata is not None and not isinstance(metadata, dict):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check types
        raise DefinitionError(f"{owner}: `metadata` is a dict, got {shown(metadata)}.")
    try:
        return to_json(metadata, what="`metadata`")
    except SerializationError as error:
        raise DefinitionError(f"{owner}: {error}") from None


def text_description(description: str | None, *, owner: str) -> str | None:
    """Return the description of a definition. It is part of the graph that is sent to the workflow.

    Raises:
        DefinitionError: The description is not text, or cannot be written.
    """
    if description is not None and not isinstance(description, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check types
        raise DefinitionError(f"{owner}: `description` is text, got {type(description).__name__}.")
    try:
        return to_json(description, what="`description`")
    except SerializationError as error:
        raise DefinitionError(f"{owner}: {error}") from None


def is_too_deep(data: Any) -> bool:
    """Return whether JSON data is nested deeper than the gate allows."""
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item for part in level for item in (part.values() if is_object(part) else part if is_array(part) else ())
        ]
    return bool(level)


class _Unwritable(Exception):
    """Part of a value cannot be written. Each level adds its key to the path while the exception propagates."""

    def __init__(self, reason: str, remedy: str = REMEDY) -> None:
        super().__init__(reason)
        self.remedy = remedy
        self.path: list[str | int] = []


def _to_json(value: Any, depth: int) -> Any:
    # Compare exact types: subclasses, such as an enum of texts, are written by pydantic below.
    kind = cast("type[Any]", type(value))
    if kind is str:
        return _text(value)
    if value is None or kind is bool:
        return value
    if kind is int or kind is float:
        return _number(value)
    if depth >= MAX_DEPTH:
        raise _Unwritable(
            f"is nested deeper than {MAX_DEPTH} levels, or holds itself",
            "Give flat data: for example a list of records that name their parents.",
        )
    if isinstance(value, dict):
        return _object(cast("dict[Any, Any]", value), depth)
    if isinstance(value, _LISTS):
        return [_inside(index, item, depth) for index, item in enumerate(cast("Iterable[Any]", value))]
    if isinstance(value, BaseModel) or (is_dataclass(value) and not isinstance(value, type)):
        return _instance(value, depth)
    return _other(value, depth)


def _inside(key: str | int, value: Any, depth: int) -> Any:
    try:
        return _to_json(value, depth + 1)
    except _Unwritable as error:
        error.path.insert(0, key)
        raise


def _object(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    return {key: _inside(key, item, depth) for key, item in zip(_keys(value), value.values(), strict=True)}


def _keys(value: dict[Any, Any]) -> list[str]:
    keys = [_key(key) for key in value]
    if len(set(keys)) < len(keys):
        raise _Unwritable("has keys that differ only in type, such as 1 and '1'", "Use text as keys.")
    return keys


def _key(key: Any) -> str:
    if type(key) is str:
        return _text(key)
    if isinstance(key, (tuple, frozenset, bytes, BaseModel)) or is_dataclass(key):
        shown = ascii(cast("object", key))[:60]
        raise _Unwritable(f"has the key {shown}, which is no text", "Use text or numbers as keys.")
    [written] = cast("dict[str, Any]", _converted({key: None}))
    return _text(written)


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _Unwritable(
                f"has half a surrogate pair ({value[error.start]!a}) at character {error.start}, which is no text",
                'Repair the text, for example with text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").',
            ) from None
    return value


def _number(value: int | float) -> int | float:
    if isinstance(value, float):
        if not math.isfinite(value):
            name = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
            raise _Unwritable(f"is {name}, which JSON does not know", "Use None or text instead.")
    elif value.bit_length() > MAX_BITS:
        raise _Unwritable(f"is a number of more than {MAX_DIGITS:,} digits", "Use text instead.")
    return value


def _instance(value: Any, depth: int) -> Any:
    """Write a model or dataclass so that its own type can read it again."""
    writer = _writer_of(cast("type[Any]", type(value)))
    if writer is None:
        return _other(value, depth)
    for loss in writer.losses:
        raise _Unwritable(f"is a {type(value).__name__}, of which {loss.rstrip('.')}", "")
    try:
        return _written(writer, value, depth)
    except CannotWrite as error:
        # Pydantic does not report where it failed. Visit the fields to find the path for the message.
        for name, item in cast("dict[str, Any]", vars(value)).items():
            _inside(name, item, depth)
        raise _Unwritable(str(error)) from error


def _declared(writer: TypeWriter, value: Any, depth: int) -> Any:
    try:
        return _written(writer, value, depth)
    except CannotWrite:
        return _to_json(value, depth)  # finds the path to the problem, or the value is already data


def _written(writer: TypeWriter, value: Any, depth: int) -> Any:
    written = writer.write(value)
    if writer.is_untyped:
        _refuse_hidden(value, written, depth)
    return _to_json(written, depth)


def _refuse_hidden(value: Any, written: Any, depth: int) -> None:
    """Refuse values that pydantic changes silently if a type is ``Any``.

    It writes None for NaN, stars for a secret, and text for any key. The next step would get wrong data.
    """
    if isinstance(value, float):
        _number(value)
    elif isinstance(value, _SECRETS):
        if STARS in str(written):
            _other(value, depth)
    elif depth < MAX_DEPTH:
        if isinstance(value, dict):
            _keys(cast("dict[Any, Any]", value))
        for key, item in _parts(value):
            try:
                _refuse_hidden(item, written, depth + 1)
            except _Unwritable as error:
                error.path.insert(0, key)
                raise


def _parts(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return [(str(key), item) for key, item in cast("dict[Any, Any]", value).items()]
    if isinstance(value, (list, tuple)):
        return enumerate(cast("Iterable[Any]", value))
    return vars(value).items() if isinstance(value, BaseModel) or is_dataclass(value) else ()


@cache
def _writer_of(kind: type) -> TypeWriter | None:
    try:
        return TypeWriter(TypeAdapter(kind))
    except PydanticUserError:
        return None


def _other(value: Any, depth: int) -> Any:
    """Write dates, UUIDs, decimals, enums, paths and similar values, and everything else that pydantic can write."""
    if isinstance(value, _SECRETS):
        raise _Unwritable(f"is a secret: the next step would get '{STARS}'", "Pass a reference to the secret.")
    if isinstance(value, (bytes, bytearray)):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise _Unwritable("is bytes that are no UTF-8 text") from None
    written = _converted(value)
    return _to_json(written, depth) if type(written) is not type(value) else written


def _converted(value: Any) -> Any:
    def refuse(part: object) -> Any:
        kind = type(part)
        raise ValueError(f"is a value of type {kind.__module__}.{kind.__qualname__}")

    try:
        return to_jsonable_python(value, round_trip=True, fallback=refuse)
    except (ValueError, RecursionError) as error:
        raise _Unwritable(str(error)) from error


def _path_text(path: list[str | int]) -> str:
    """Return a path as in source code: ``items[3].name``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    shown = ascii(text.removeprefix("."))[1:-1]
    return shown if len(shown) <= MAX_PATH else f"{shown[:MAX_PATH]}..."
