"""Keys of bodies: a step's id, `<id>[<index>]` for an item of a foreach, `<id>#<number>` for an iteration of a loop."""

from __future__ import annotations

import re

__all__ = ["ITEM", "index_of", "step_id_of", "without_index", "without_iteration"]

ITEM = re.compile(r"\[(\d+)\]$")
"""The suffix of a key that is an item of a foreach. The group is its index."""
_ITERATION = re.compile(r"#\d+$")


def without_index(key: str) -> str:
    """Return a key without the index of an item."""
    return ITEM.sub("", key)


def index_of(key: str) -> int:
    """Return the index in the key of an item."""
    return int(key[key.rindex("[") + 1 : -1])


def without_iteration(key: str) -> str:
    """Return a key without the number of an iteration."""
    return _ITERATION.sub("", key)


def step_id_of(key: str) -> str:
    """Return the step ID of a key of a `Progress`, or of a part of a scope's path."""
    bare = without_index(key)
    return bare if bare != key else without_iteration(key)
