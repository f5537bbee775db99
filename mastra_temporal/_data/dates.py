"""Dates as ISO 8601 text. JavaScript writes ``Z`` for UTC."""

from __future__ import annotations

from datetime import datetime, timezone

__all__ = ["parse_date"]


def parse_date(text: str) -> datetime:
    """Return the date that a text contains. A date without a time zone is in UTC.

    Raises:
        ValueError: The text is not a date.
    """
    parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))  # Python 3.10 cannot parse `Z`
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
