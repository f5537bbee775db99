"""Errors of user code as data, in the shape in which Mastra records errors."""

from __future__ import annotations

import json
from typing import Any

from temporalio.exceptions import ApplicationError

from mastra_temporal.definition.path import is_object
from mastra_temporal.errors import MastraError, NonRetryableError, SchemaValidationError, SerializationError, TripWire
from mastra_temporal.wire import ErrorInfo

__all__ = ["error_info", "is_retryable", "tripwire_info"]

NO_MESSAGE = "Unknown step execution error"
CAUSE_DEPTH = 5


def error_info(error: BaseException, depth: int = 0) -> ErrorInfo:
    """An exception as data: its message, name, JSON-able attributes, and what it was raised from."""
    if isinstance(error, SchemaValidationError):
        return _validation_info(error)
    info: ErrorInfo = {"message": _message(error), "name": _name(error), **_own_properties(error)}
    if isinstance(error, NonRetryableError):
        info["isNonRetryable"] = True
    if error.__cause__ is not None and depth < CAUSE_DEPTH:
        info["cause"] = error_info(error.__cause__, depth + 1)
    return info


def is_retryable(error: BaseException, non_retryable_types: list[str]) -> bool:
    """Whether another attempt may help: not for `NonRetryableError`, unwritable results and the types listed."""
    if isinstance(error, (NonRetryableError, SerializationError)):
        return False
    if isinstance(error, ApplicationError) and error.non_retryable:
        return False
    return not any(kind.__name__ in non_retryable_types for kind in type(error).__mro__)


def tripwire_info(error: BaseException) -> dict[str, Any] | None:
    """What a `TripWire` tells the caller; None for any other error."""
    if not isinstance(error, TripWire):
        return None
    info = {
        "reason": error.reason,
        "retry": error.retry,
        "metadata": error.metadata,
        "processorId": error.processor_id,
    }
    return {key: value for key, value in info.items() if value is not None}


def _message(error: BaseException) -> str:
    if isinstance(error, ApplicationError):
        return error.message
    argument = error.args[0] if len(error.args) == 1 else None
    if is_object(argument):
        message = argument.get("message")
        return message if isinstance(message, str) else json.dumps(argument, separators=(",", ":"), default=str)
    return str(error) or ("" if error.args else NO_MESSAGE)


def _name(error: BaseException) -> str:
    argument = error.args[0] if len(error.args) == 1 else None
    name = argument.get("name") if is_object(argument) else None
    if isinstance(name, str):
        return name
    return error.wire_name if isinstance(error, MastraError) else type(error).__name__


def _own_properties(error: BaseException) -> dict[str, Any]:
    argument = error.args[0] if len(error.args) == 1 else None
    attributes: dict[Any, Any] = {**(argument if isinstance(argument, dict) else {}), **vars(error)}
    own = {str(key): value for key, value in attributes.items() if not str(key).startswith("_")}
    return {key: value for key, value in own.items() if _is_json(value) and key not in ("message", "name", "cause")}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _validation_info(error: SchemaValidationError) -> ErrorInfo:
    info: ErrorInfo = {
        "message": str(error),
        "name": "MastraError",
        "domain": "MASTRA_WORKFLOW",
        "category": "USER",
        "code": error.code,
        "details": {},
    }
    if error.carries_issues:
        text = json.dumps({"issues": error.issues}, separators=(",", ":"), ensure_ascii=False)
        info["cause"] = {"message": text, "name": "Error", "issues": error.issues}
    return info
