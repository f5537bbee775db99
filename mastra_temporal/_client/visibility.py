"""Build queries for Temporal's visibility and its list of workers, including quoting.

The server cannot match every value: a workflow id with a double quote, or a worker identity with an apostrophe, never
equals a quoted value, however it is escaped (server 1.32). For such a value we query only the part before that
character. So a query may find too much but never too little, and callers must filter the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["all_of", "equals", "one_of"]

_UNQUOTABLE = re.compile(r"""['"\\\x00-\x1f\x7f]""")


def equals(field: str, value: str) -> str | None:
    """Return the condition that a field has a value, or None if no part of the value can be queried."""
    odd = _UNQUOTABLE.search(value)
    if odd is None:
        return f"{field} = '{value}'"
    return f"{field} STARTS_WITH '{value[: odd.start()]}'" if odd.start() else None


def one_of(field: str, values: Iterable[str]) -> str | None:
    """Return the condition that a field has one of several values, or None if one of them cannot be queried."""
    values = list(values)
    plain = [f"'{value}'" for value in values if _UNQUOTABLE.search(value) is None]
    odd = [equals(field, value) for value in values if _UNQUOTABLE.search(value) is not None]
    if None in odd:
        return None
    within = [f"{field} IN ({', '.join(plain)})"] if plain else []
    return f"({' OR '.join([*within, *filter(None, odd)])})"


def all_of(*conditions: str | None) -> str:
    """Return the query for all conditions. It ignores those that are None; the caller must check them."""
    return " AND ".join(condition for condition in conditions if condition is not None)
