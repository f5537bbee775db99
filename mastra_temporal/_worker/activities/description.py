"""Read exceptions safely.

Exceptions are user code: ``str()`` or an attribute may raise, and a message may not be valid UTF-8.
"""

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
"""Maximum size of a name, in bytes."""
LEVELS = 32
"""Maximum nesting depth of data. An envelope adds some levels, and JSON readers fail at about 200."""
MOST = 1000
"""Maximum number of exceptions that are read from a group or a chain of causes."""

CUT = "... (cut: it was too large)"
"""Appended to text that was cut."""

_class_name, _class_order = vars(type)["__name__"], vars(type)["__mro__"]
"""Descriptors that read a class's real name and base classes. A metaclass may override the attributes, or raise."""


def tried(read: Callable[[], T], otherwise: T) -> T:
    """Return what ``read`` returns, or ``otherwise`` if it raises anything."""
    try:
        return read()
    except BaseException:
        return otherwise


def readable(text: str, room: int) -> str:
    """Return text that can be encoded as UTF-8 and has at most ``room`` bytes.

    Lone surrogates are replaced. Text that is too long is cut.

    Args:
        text: Any text, including an instance of a subclass of ``str``.
        room: Maximum size in bytes, without the note about the cut.
    """
    # Call the methods of `str` itself: a subclass may override them.
    beginning = str.__getitem__(text, slice(room + 1))
    # UTF-16 joins surrogate pairs and replaces lone surrogates, which UTF-8 cannot encode.
    whole = str.encode(beginning, "utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    data = whole.encode()
    return whole if len(data) <= room else data[:room].decode(errors="ignore") + CUT


def json_copy(value: Any, room: int) -> Any:
    """Return a copy of JSON-able data in plain types.

    NaN and infinities become None, as in JavaScript.

    Args:
        value: Any value.
        room: Maximum size of the copy, in bytes.

    Returns:
        The copy, or `MISSING` if the value is not JSON-able, nested too deep or too large.
    """
    return tried(lambda: _json_copy(value, room), MISSING)


def _json_copy(value: Any, room: int) -> Any:
    copy = json.loads(json.dumps(value), parse_constant=lambda _: None)
    if _is_deeper(copy, LEVELS):
        return MISSING
    text = json.dumps(copy, ensure_ascii=False)
    # A character takes at most 4 bytes, so this cuts nothing and only replaces lone surrogates.
    text = readable(text, 4 * len(text))
    return MISSING if len(text.encode()) > room else json.loads(text)


def _is_deeper(value: Any, levels: int) -> bool:
    parts = list(value.values()) if is_object(value) else value if is_array(value) else None
    return parts is not None and (levels == 0 or any(_is_deeper(part, levels - 1) for part in parts))


def name_of(error: BaseException) -> str:
    """Return the name of an exception's class."""
    return readable(_class_name.__get__(type(error)), NAME_BYTES).replace("\0", "")


def names_of(error: BaseException) -> set[str]:
    """Return the names of an exception's class and of all its base classes."""
    return {_class_name.__get__(kind) for kind in _class_order.__get__(type(error))}


def text_of(error: BaseException, room: int) -> str:
    """Return the message of an exception, in at most ``room`` bytes."""
    text = tried(lambda: str(error), None)
    if text is None:
        return f"{name_of(error)} without a readable message: its str() raises"
    return readable(text, room)


def members_of(error: BaseException) -> list[BaseException]:
    """Return the exceptions of an exception group: Python's ``ExceptionGroup`` or any class with ``exceptions``."""
    members: Any = tried(lambda: list(error.exceptions)[:MOST], [])  # type: ignore[attr-defined]
    return [member for member in members if _is_exception(member)]


def raised_from(error: BaseException) -> BaseException | None:
    """Return the explicit cause of an exception: ``raise ... from cause``."""
    cause = tried(lambda: error.__cause__, None)
    return cause if _is_exception(cause) else None


def cause_of(error: BaseException) -> BaseException | None:
    """Return the explicit cause of an exception, or else the exception during whose handling it was raised."""
    cause = raised_from(error)
    if cause is None and not tried(lambda: error.__suppress_context__, True):
        cause = tried(lambda: error.__context__, None)
    return cause if _is_exception(cause) else None


def within(error: BaseException, further: Callable[[BaseException], list[BaseException]]) -> Iterator[BaseException]:
    """Yield an exception and all exceptions reachable from it, each once, breadth first.

    Args:
        error: The exception.
        further: Returns the exceptions directly behind one.
    """
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < MOST:
        found = waiting.pop(0)
        if id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += further(found)


def _is_exception(value: object) -> bool:
    return issubclass(type(value), BaseException)  # isinstance() would run the value's own __class__ property
