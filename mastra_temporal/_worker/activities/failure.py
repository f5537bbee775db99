"""Convert errors of user code to data, in the shape in which Mastra records errors. No function here raises.

An error is limited in size and depth, because it is recorded with its step, with the run and in events.
"""

from __future__ import annotations

import json
from datetime import timedelta
from types import TracebackType
from typing import Any, cast

from temporalio.exceptions import ApplicationError

from mastra_temporal._data.path import MISSING
from mastra_temporal._protocol.results import ErrorInfo
from mastra_temporal._worker.activities.boundary import UserCodeError
from mastra_temporal._worker.activities.description import (
    NAME_BYTES,
    cause_of,
    json_copy,
    members_of,
    name_of,
    names_of,
    raised_from,
    readable,
    text_of,
    tried,
    within,
)
from mastra_temporal.errors import MastraError, NonRetryableError, SchemaValidationError, SerializationError, TripWire

__all__ = ["error_info", "is_retryable", "recorded_cause", "summary", "tripwire_info", "wanted_delay"]

NO_MESSAGE = "Unknown step execution error"
CAUSE_DEPTH = 5
"""Maximum number of nested causes."""
ERROR_BYTES = 256 * 1024
"""Maximum size of an error with its causes and group members, in bytes."""
MESSAGE_BYTES = 32 * 1024
"""Maximum size of one message, in bytes."""
SUMMARY_BYTES = 2000
"""Maximum size of a short message, in bytes: in the list of events, and for each exception of a group."""
NAMED_MEMBERS = 10
"""Maximum number of exceptions that the message of a group names."""
FRAMES = 50
"""Maximum number of frames of a traceback. The innermost are kept."""


def error_info(error: BaseException) -> ErrorInfo:
    """Return an exception as data: message, name, JSON-able attributes, cause, and the exceptions of a group."""
    return tried(lambda: _Description().of(error, CAUSE_DEPTH), {"message": NO_MESSAGE, "name": name_of(error)})


def summary(info: ErrorInfo) -> str:
    """Return the name of an error and the beginning of its message as one text."""
    return readable(f"{info['name']}: {info['message']}", SUMMARY_BYTES)


def is_retryable(error: BaseException, non_retryable_types: list[str]) -> bool:
    """Return whether another attempt may help.

    `NonRetryableError`, `SerializationError` and the given types are not retryable, nor is an ``ApplicationError`` that
    says so. One such exception in a group or as an explicit cause is enough.

    Args:
        error: The error of the attempt.
        non_retryable_types: Names of exception classes that are not retried.
    """
    return all(_allows_retry(found, non_retryable_types) for found in within(error, _reasons))


def tripwire_info(error: BaseException) -> dict[str, Any] | None:
    """Return the data of a `TripWire`, alone or in a group; None for any other error."""
    found = next((item for item in within(error, members_of) if issubclass(type(item), TripWire)), None)
    if found is None:
        return None
    attributes = {"reason": "reason", "retry": "retry", "metadata": "metadata", "processorId": "processor_id"}
    info = {key: _attribute(found, name, MESSAGE_BYTES) for key, name in attributes.items()}
    return {key: value for key, value in info.items() if value not in (None, MISSING)}


def wanted_delay(error: BaseException) -> timedelta | None:
    """Return the delay before the next attempt that an ``ApplicationError`` asks for, or None."""
    if not issubclass(type(error), ApplicationError):
        return None
    delay: Any = tried(lambda: cast("ApplicationError", error).next_retry_delay, None)
    return delay if isinstance(delay, timedelta) and delay > timedelta(0) else None


def recorded_cause(error: BaseException, depth: int = CAUSE_DEPTH) -> Exception:
    """Return a plain exception that replaces this one in Temporal's history: name, message, traceback and causes.

    Temporal's own conversion would call methods that the exception overrides, and follow its causes without a limit.
    """
    original = _original(error)
    module = tried(lambda: str(type(original).__module__), "builtins")
    kind = type(name_of(original), (Exception,), {"__module__": readable(module, NAME_BYTES)})
    recorded: Exception = kind(readable(_message(error), SUMMARY_BYTES)).with_traceback(_innermost(original))
    behind = cause_of(original) or next(iter(members_of(original)), None)
    if behind is not None and depth > 0:
        recorded.__cause__ = recorded_cause(behind, depth - 1)
    return recorded


class _Description:
    """Converts an exception and its causes until the size limit is reached."""

    def __init__(self) -> None:
        self._room = ERROR_BYTES
        self._seen = set[int]()

    def of(self, error: BaseException, depth: int) -> ErrorInfo:
        """Return the error as data, with at most ``depth`` levels of causes."""
        original = _original(error)
        self._seen.add(id(original))
        if issubclass(type(original), SchemaValidationError):
            return self._validation(cast("SchemaValidationError", original))
        info: ErrorInfo = {"message": self._text(_message(error)), "name": _name(original)}
        info |= self._attributes(original)
        if issubclass(type(original), NonRetryableError):
            info["isNonRetryable"] = True
        if depth > 0:
            info |= self._behind(original, depth - 1)
        return info

    def _behind(self, error: BaseException, depth: int) -> ErrorInfo:
        info: ErrorInfo = {}
        cause = cause_of(error)
        if cause is not None and self._is_new(cause):
            info["cause"] = self.of(cause, depth)
        if members := members_of(error):
            info["errors"] = [self.of(member, depth) for member in members if self._is_new(member)]
        return info

    def _is_new(self, error: BaseException) -> bool:
        return id(_original(error)) not in self._seen and self._room > SUMMARY_BYTES

    def _text(self, text: str) -> str:
        text = readable(text, min(MESSAGE_BYTES, self._room))
        self._room -= len(json.dumps(text, ensure_ascii=False).encode())
        return text

    def _attributes(self, error: BaseException) -> dict[str, Any]:
        argument = _argument(error)
        attributes: list[tuple[Any, Any]] = tried(lambda: list({**(argument or {}), **vars(error)}.items()), [])
        info: dict[str, Any] = {}
        for key, value in attributes:
            name = tried(lambda key=key: readable(str(key), NAME_BYTES), "_")
            if name.startswith("_") or name in ("message", "name", "cause", "errors"):
                continue
            copy = json_copy(value, self._room)
            if copy is not MISSING:
                info[name] = copy
                self._room -= len(json.dumps({name: copy}, ensure_ascii=False).encode())
        return info

    def _validation(self, error: SchemaValidationError) -> ErrorInfo:
        info: ErrorInfo = {
            "message": self._text(text_of(error, MESSAGE_BYTES)),
            "name": "MastraError",
            "domain": "MASTRA_WORKFLOW",
            "category": "USER",
            "code": tried(lambda: readable(error.code, NAME_BYTES), ""),
            "details": {},
        }
        issues = _attribute(error, "issues", self._room // 2)
        if issues is not MISSING and _attribute(error, "carries_issues", NAME_BYTES):
            text = json.dumps({"issues": issues}, separators=(",", ":"), ensure_ascii=False)
            info["cause"] = {"message": text, "name": "Error", "issues": issues}
        return info


def _allows_retry(error: BaseException, non_retryable_types: list[str]) -> bool:
    kind = type(error)
    if issubclass(kind, (NonRetryableError, SerializationError)):
        return False
    if issubclass(kind, ApplicationError) and _attribute(error, "non_retryable", NAME_BYTES) is True:
        return False
    return names_of(error).isdisjoint(non_retryable_types)


def _reasons(error: BaseException) -> list[BaseException]:
    if type(error) is UserCodeError:
        return [error.original]
    cause = raised_from(error)
    return members_of(error) if cause is None else [*members_of(error), cause]


def _original(error: BaseException) -> BaseException:
    return error.original if type(error) is UserCodeError else error


def _message(error: BaseException) -> str:
    """Return the message of an error. The message of a group includes those of its exceptions."""
    if not members_of(error):
        return _own_message(error)
    leaves = [found for found in within(error, members_of) if not members_of(found)]
    said = [readable(f"{_name(_original(leaf))}: {_own_message(leaf)}", SUMMARY_BYTES) for leaf in leaves]
    more = f"; and {len(said) - NAMED_MEMBERS} more" if len(said) > NAMED_MEMBERS else ""
    return f"{_own_message(error)}: {'; '.join(said[:NAMED_MEMBERS])}{more}"


def _own_message(error: BaseException) -> str:
    argument = _argument(error)
    if argument is not None:
        message: Any = argument.get("message")
        if not isinstance(message, str):
            message = tried(lambda: json.dumps(argument, separators=(",", ":"), default=str), NO_MESSAGE)
        return readable(message, MESSAGE_BYTES)
    own = _attribute(error, "message", MESSAGE_BYTES) if issubclass(type(error), ApplicationError) else None
    if isinstance(own, str):
        return own
    return text_of(error, MESSAGE_BYTES) or ("" if tried(lambda: bool(error.args), False) else NO_MESSAGE)


def _name(error: BaseException) -> str:
    name: Any = (_argument(error) or {}).get("name")
    if issubclass(type(error), MastraError) and not isinstance(name, str):
        name = _attribute(error, "wire_name", NAME_BYTES)
    return readable(name, NAME_BYTES) if isinstance(name, str) else name_of(error)


def _argument(error: BaseException) -> dict[Any, Any] | None:
    """Return the object that an exception was raised with, as in JavaScript: ``raise Refused({"code": 7})``."""
    arguments: tuple[Any, ...] = tried(lambda: tuple(error.args), ())
    if len(arguments) != 1 or not issubclass(type(arguments[0]), dict):
        return None
    return tried(lambda: dict(arguments[0]), None)


def _attribute(error: BaseException, name: str, room: int) -> Any:
    return json_copy(tried(lambda: getattr(error, name), None), room)


def _innermost(error: BaseException) -> TracebackType | None:
    """Return an exception's traceback, cut to its last frames: recursion makes very long ones."""
    frames: list[TracebackType] = []
    traceback = tried(lambda: error.__traceback__, None)
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    for frame in reversed(frames[-FRAMES:]):
        traceback = TracebackType(traceback, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return traceback
