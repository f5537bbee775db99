"""Queries of Temporal's visibility and of its list of workers: the one place that writes them, quoting included.

The server does not take back all that it lets be quoted: a workflow's id with a double quote, or a worker's identity
with an apostrophe, is never equal to what a query says, however it is escaped (server 1.32). Of such a value only the
part before that character is asked for. So a query may find too much, never too little: look at what it found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["all_of", "equals", "one_of"]

_UNQUOTABLE = re.compile(r"""['"\\\x00-\x1f\x7f]""")


def equals(field: str, value: str) -> str | None:
    """The condition that a field has a value; None when the server cannot be asked for any part of it."""
    odd = _UNQUOTABLE.search(value)
    if odd is None:
        return f"{field} = '{value}'"
    return f"{field} STARTS_WITH '{value[: odd.start()]}'" if odd.start() else None


def one_of(field: str, values: Iterable[str]) -> str | None:
    """The condition that a field has one of some values; None when the server cannot be asked for one of them."""
    values = list(values)
    plain = [f"'{value}'" for value in values if _UNQUOTABLE.search(value) is None]
    odd = [equals(field, value) for value in values if _UNQUOTABLE.search(value) is not None]
    if None in odd:
        return None
    within = [f"{field} IN ({', '.join(plain)})"] if plain else []
    return f"({' OR '.join([*within, *filter(None, odd)])})"


def all_of(*conditions: str | None) -> str:
    """The query for what meets all conditions; those that are None leave it to the caller to look."""
    return " AND ".join(condition for condition in conditions if condition is not None)
