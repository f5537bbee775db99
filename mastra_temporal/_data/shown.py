"""`shown`: a user's value as a short text for an error message."""

from __future__ import annotations

__all__ = ["shown"]

MAX_SHOWN = 200
"""Maximum length of a shown value, in characters."""


def shown(value: object) -> str:
    """Return the value as in source code, shortened. It never raises, unlike ``repr`` of a number of 5,000 digits."""
    try:
        text = repr(value)
        text.encode()
    except UnicodeEncodeError:
        text = ascii(value)
    except Exception:  # `repr` is code of the user's class
        return f"a value of type {type(value).__name__} that cannot be shown"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
