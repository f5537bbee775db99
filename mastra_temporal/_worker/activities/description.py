"""Reading exceptions, which are user code: whatever they do when looked at, what comes out can be written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from mastra_temporal._data.path import MISSING, is_array, is_object

__all__ = [
    "cause_of",
    "json_copy",
    "members_of",
    "name_of",
    "names_of",
    "raised_from",
    "readable",
    "text_of",
    "tried",
    "within",
]

T = TypeVar("T")

NAME_BYTES = 200
LEVELS = 32
"""How deep data may be nested. An envelope adds some; at about 200 readers give up."""
MOST = 1000
"""Exceptions that are looked at, of a group with any number of them."""

CUT = "... (cut: it was too large)"

_class_name, _class_order = vars(type)["__name__"], vars(type)["__mro__"]
"""What a class really has: its metaclass may say something else, or raise."""


def tried(read: Callable[[], T], otherwise: T) -> T:
    """What can be read, or something else if reading fails, in whatever way."""
    try:
        return read()
    except BaseException:
        return otherwise


def readable(text: str, room: int) -> str:
    """Text that can be written as UTF-8, in so many bytes: halves of a character are replaced, what is too long is cut.

    Args:
        text: Any text, also of a subclass.
        room: Bytes, the note about the cut not counted.
    """
    beginning = str.__getitem__(text, slice(room + 1))
    whole = str.encode(beginning, "utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    data = whole.encode()
    return whole if len(data) <= room else data[:room].decode(errors="ignore") + CUT


def json_copy(value: Any, room: int) -> Any:
    """A copy of JSON-able data in plain types; `MISSING` if it is not JSON-able, too deep or over ``room`` bytes.

    NaN and infinities become None, as in JavaScript.
    """
    return tried(lambda: _json_copy(value, room), MISSING)


def _json_copy(value: Any, room: int) -> Any:
    copy = json.loads(json.dumps(value), parse_constant=lambda _: None)
    if _is_deeper(copy, LEVELS):
        return MISSING
    text = json.dumps(copy, ensure_ascii=False)
    text = readable(text, 4 * len(text))
    return MISSING if len(text.encode()) > room else json.loads(text)


def _is_deeper(value: Any, levels: int) -> bool:
    parts = list(value.values()) if is_object(value) else value if is_array(value) else None
    return parts is not None and (levels == 0 or any(_is_deeper(part, levels - 1) for part in parts))


def name_of(error: BaseException) -> str:
    """The name of an exception's class."""
    return readable(_class_name.__get__(type(error)), NAME_BYTES).replace("\0", "")


def names_of(error: BaseException) -> set[str]:
    """The names of an exception's class and of those above it."""
    return {_class_name.__get__(kind) for kind in _class_order.__get__(type(error))}


def text_of(error: BaseException, room: int) -> str:
    """What an exception says."""
    text = tried(lambda: str(error), None)
    if text is None:
        return f"{name_of(error)} without a readable message: its str() raises"
    return readable(text, room)


def members_of(error: BaseException) -> list[BaseException]:
    """The exceptions of an exception group, of Python's kind or of another that looks like it."""
    members: Any = tried(lambda: list(error.exceptions)[:MOST], [])  # type: ignore[attr-defined]
    return [member for member in members if _is_exception(member)]


def raised_from(error: BaseException) -> BaseException | None:
    """What an exception was raised from, in so many words."""
    cause = tried(lambda: error.__cause__, None)
    return cause if _is_exception(cause) else None


def cause_of(error: BaseException) -> BaseException | None:
    """What an exception was raised from; if that is not said, while handling which other one."""
    cause = raised_from(error)
    if cause is None and not tried(lambda: error.__suppress_context__, True):
        cause = tried(lambda: error.__context__, None)
    return cause if _is_exception(cause) else None


def within(error: BaseException, further: Callable[[BaseException], list[BaseException]]) -> Iterator[BaseException]:
    """An exception and all that are behind it, each once, the outer ones first."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < MOST:
        found = waiting.pop(0)
        if id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += further(found)


def _is_exception(value: object) -> bool:
    return issubclass(type(value), BaseException)  # isinstance() would ask the value itself
