"""Check the lists that `.parallel()` and `.branch()` take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from mastra_temporal._data.shown import shown
from mastra_temporal.errors import DefinitionError

__all__ = ["pairs_of", "steps_of"]


def steps_of(given: Any, *, owner: str) -> list[Any]:
    """Return the steps of a parallel block as a list.

    Raises:
        DefinitionError: The argument is not a list, or it is empty.
    """
    return _listed(given, owner=owner, method=".parallel()", kind="step")


def pairs_of(given: Any, *, owner: str) -> list[tuple[Any, Any]]:
    """Return the pairs of a branch as a list.

    Raises:
        DefinitionError: The argument is not a list, it is empty, or an item is not a pair.
    """
    pairs = _listed(given, owner=owner, method=".branch()", kind="(condition, step) pair")
    for pair in pairs:
        if type(pair) not in (tuple, list) or len(pair) != 2:
            raise DefinitionError(f"{owner}: .branch() takes (condition, step) pairs, got {shown(pair)}.")
    return pairs


def _listed(given: Any, *, owner: str, method: str, kind: str) -> list[Any]:
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes, Mapping)):
        raise DefinitionError(f"{owner}: {method} takes a list of {kind}s, got {shown(cast('Any', given))}.")
    items = list(cast("Iterable[Any]", given))
    if not items:
        raise DefinitionError(f"{owner}: {method} needs at least one {kind}.")
    return items
