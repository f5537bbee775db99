"""Continuing suspended steps: which of them a ``resume()`` means, and giving them its data.

A suspended run keeps the entry under way of each scope, with the results of its bodies. To resume is to mark bodies
there; the interpreter then enters the same entries again and runs only the marked bodies.

Each suspended body is answered once: a caller who looked at the run before somebody else answered it is refused, and so
is one who comes while it runs. Others can be answered meanwhile; they run as soon as those under way have ended or are
suspended again.
"""

from __future__ import annotations

import re

__all__ = ["step_id_of"]

ITEM = re.compile(r"\[(\d+)\]$")


OCCURRENCE = re.compile(r"(\[\d+\]|#\d+)$")


def step_id_of(key: str) -> str:
    """The step id of a key of a progress, or of a part of a scope's path."""
    return OCCURRENCE.sub("", key)
