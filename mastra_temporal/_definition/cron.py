"""Cron expressions as Mastra reads them, turned into those that Temporal reads, and checked on the way.

The two differ: six fields begin with seconds in Mastra and end with years in Temporal; where both day of month and day
of week are given, either may match in cron and both must in Temporal; and what follows a `#` is a comment to Temporal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mastra_temporal.errors import DefinitionError

__all__ = ["temporal_crons"]

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True)
class Field:
    """One field of a cron expression."""

    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()
    """Names of the values, from ``first`` on."""

    def value(self, text: str) -> int:
        """One value of the field: a number or a name."""
        if text.upper() in self.words:
            return self.first + self.words.index(text.upper())
        if not text.isdecimal() or not self.first <= int(text) <= self.last:
            raise ValueError(f"{self.name} `{text}` is not within {self.first}-{self.last}")
        return int(text)

    def check(self, text: str) -> None:
        """Check what stands in the field: ``*``, values, ranges and steps, with commas between."""
        for item in text.split(","):
            span, slash, step = item.partition("/")
            if slash and not (step.isdecimal() and int(step) > 0):
                raise ValueError(f"{self.name} `{item}` needs a step from 1 up after the slash")
            if span == "*":
                continue
            values = [self.value(part) for part in span.split("-", 1)]
            if values[-1] < values[0]:
                raise ValueError(f"{self.name} `{span}` ends before it begins; write it as two ranges with a comma")


FIELDS = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of week", 0, 7, DAYS),
    Field("year", 2000, 2099),
)


def temporal_crons(expression: str) -> list[str]:
    """The Temporal cron expressions, of seven fields each, that together mean the given one.

    Args:
        expression: Five fields, six with seconds at the beginning, or seven with years at the end as well; or a
            nickname such as ``@daily``.

    Raises:
        DefinitionError: It is not such an expression; the message names the field.
    """
    try:
        parts = _fields(expression)
    except ValueError as error:
        raise DefinitionError(f'Invalid cron expression "{expression}": {error}.') from None
    second, minute, hour, day, month, weekday, year = parts
    if day == "*" or weekday == "*":
        return [" ".join(parts)]
    return [
        " ".join((second, minute, hour, day, month, "*", year)),
        " ".join((second, minute, hour, "*", month, weekday, year)),
    ]


def _fields(expression: str) -> list[str]:
    if not isinstance(expression, str):
        raise ValueError("it is not a string")
    parts = NICKNAMES.get(expression.strip().lower(), expression).split()
    if not 5 <= len(parts) <= 7:
        raise ValueError(f"it has {len(parts)} fields, not 5 to 7")
    if len(parts) == 5:
        parts.insert(0, "0")
    if len(parts) == 6:
        parts.append("*")
    for field, text in zip(FIELDS, parts, strict=True):
        if re.search(r"[LW#?]", text) and not any(word in text.upper() for word in field.words):
            raise ValueError(f"{field.name} `{text}`: Temporal has no L, W, # and ?")
        field.check(text)
    return parts
