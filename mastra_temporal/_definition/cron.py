"""Conversion of Mastra's cron expressions to Temporal's, with checks.

They differ in three ways. In Mastra six fields begin with seconds, in Temporal they end with years. If both day of
month and day of week are given, cron needs one of them to match and Temporal both. In Temporal a ``#`` begins a
comment.
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
    """The names of the values, starting at ``first``."""

    def value(self, text: str) -> int:
        """Return one value of the field, which is written as a number or a name.

        Raises:
            ValueError: It is not a value of this field.
        """
        if text.upper() in self.words:
            return self.first + self.words.index(text.upper())
        if not text.isdecimal() or not self.first <= int(text) <= self.last:
            raise ValueError(f"{self.name} `{text}` is not within {self.first}-{self.last}")
        return int(text)

    def check(self, text: str) -> None:
        """Check the text of the field: ``*``, values, ranges and steps, separated by commas.

        Raises:
            ValueError: The text is not valid.
        """
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
    """Return the Temporal cron expressions, with seven fields each, that together mean the given expression.

    Args:
        expression: Five fields, six with seconds first, seven with years last as well, or a nickname such as
            ``@daily``.

    Raises:
        DefinitionError: The expression is not valid. The message names the field.
    """
    try:
        parts = _fields(expression)
    except ValueError as error:
        raise DefinitionError(f'Invalid cron expression "{expression}": {error}.') from None
    second, minute, hour, day, month, weekday, year = parts
    if day == "*" or weekday == "*":
        return [" ".join(parts)]
    # Cron needs one of the two days to match, Temporal both: one expression would leave out most of the times.
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
            raise ValueError(f"{field.name} `{text}`: Temporal does not support L, W, # and ?")
        field.check(text)
    return parts
