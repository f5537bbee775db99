"""Dates as text: ISO 8601, in which JavaScript writes ``Z`` for UTC."""

from __future__ import annotations

from datetime import datetime, timezone

__all__ = ["parse_date"]


def parse_date(text: str) -> datetime:
    """Return the date that a text names. Without a zone: UTC.

    Raises:
        ValueError: It is no date.
    """
    parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))  # Python 3.10 does not read the Z
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
