"""Dates as text: ISO 8601 for programs, where JavaScript writes ``Z`` for UTC, and a form for people."""

from __future__ import annotations

from datetime import datetime, timezone

__all__ = ["parse_date", "shown_date"]


def parse_date(text: str) -> datetime:
    """Return the date that a text contains. A date without a time zone is in UTC.

    Raises:
        ValueError: The text is not a date.
    """
    parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))  # Python 3.10 cannot parse `Z`
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


def shown_date(time: datetime) -> str:
    """Return a date for people: ``2026-11-28 17:00:00 UTC``."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
