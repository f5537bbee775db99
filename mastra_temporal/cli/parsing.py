"""Values of options: JSON data and points in time."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from mastra_temporal._data.dates import parse_date
from mastra_temporal._data.path import is_object
from mastra_temporal.errors import ConfigurationError

__all__ = ["json_data", "json_object", "moment"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d+)([smhdw])")


def json_data(text: str | None, option: str) -> Any:
    """Return the data of an option: JSON, ``@file`` for a file with JSON, or ``-`` for standard input.

    Args:
        text: The option's value. None is returned as it is.
        option: The option, for the error message.

    Raises:
        ConfigurationError: It is not JSON, or the file cannot be read.
    """
    if text is None:
        return None
    try:
        return json.loads(_read(text, option))
    except ValueError as error:
        raise ConfigurationError(
            f"`{option}` is not JSON ({error}): quote it for the shell, for example `{option} '\"text\"'`, "
            "or name a file as `@file`."
        ) from error


def _read(text: str, option: str) -> str:
    try:
        if text == "-":
            return sys.stdin.read()
        return Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"`{option} {text}` cannot be read: {error}.") from error


def json_object(text: str | None, option: str) -> dict[str, Any] | None:
    """Return the data of an option that must be a JSON object. See `json_data`.

    Raises:
        ConfigurationError: It is not a JSON object.
    """
    data = json_data(text, option)
    if data is None or is_object(data):
        return data
    raise ConfigurationError(f"`{option}` must be a JSON object, got {json.dumps(data)[:100]}.")


def moment(text: str | None, option: str) -> datetime | None:
    """Return a point in time: an ISO date, or how long ago it was, such as ``30m``, ``6h`` or ``7d``.

    Args:
        text: The option's value. None is returned as it is.
        option: The option, for the error message.

    Raises:
        ConfigurationError: It is neither.
    """
    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        return datetime.now(timezone.utc) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        return parse_date(text)
    except ValueError:
        raise ConfigurationError(
            f"`{option} {text}` is no time: write an ISO date, such as 2026-01-31T12:00, or how long ago, such as 30m, "
            "6h or 7d."
        ) from None
