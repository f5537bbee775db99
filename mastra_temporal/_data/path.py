"""Dotted paths into the data of a run, as ``.map()``, templates and predicates use them.

A path walks JSON data with JavaScript's rules: keys of objects, indices and ``length`` of lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeGuard

from mastra_temporal.errors import MappingError

__all__ = ["MISSING", "RunData", "child", "is_array", "is_object", "resolve_path"]

MISSING: Final[Any] = object()
"""Stands for "no such value" where None is a value of its own."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


class RunData(Protocol):
    """What a run knows at one entry of its graph. Every value is JSON data."""

    @property
    def init_data(self) -> Any:
        """The workflow's input."""
        ...

    @property
    def input_data(self) -> Any:
        """The entry's input."""
        ...

    @property
    def state(self) -> Any:
        """The workflow's state."""
        ...

    @property
    def request_context(self) -> Mapping[str, Any]:
        """The values that travel with the run."""
        ...

    def step_output(self, step_id: str) -> Any:
        """The output of a step that succeeded, or ``MISSING``."""
        ...


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Whether a JSON value is an array."""
    return isinstance(value, list)


def child(container: Any, key: str) -> Any:
    """Take one step of a path.

    Args:
        container: A dict or a list; anything else has no children.
        key: A key of the dict, or an index or ``length`` of the list.

    Returns:
        The child, or ``MISSING``.
    """
    if is_object(container):
        return container.get(key, MISSING)
    if is_array(container):
        if key == "length":
            return len(container)
        if _INDEX.fullmatch(key) and int(key) < len(container):
            return container[int(key)]
    return MISSING


def resolve_path(value: Any, path: str, *, source: str) -> Any:
    """Find the value at a dotted path.

    Args:
        value: Where the path starts.
        path: ``a.b.0``; ``""`` and ``"."`` mean the whole value.
        source: What ``value`` is, for the error: ``step a``, ``initData``.

    Returns:
        The value found; None where the last key does not exist.

    Raises:
        MappingError: The path goes on where there is no object or list.
    """
    if path in ("", "."):
        return value
    for key in path.split("."):
        if not (is_object(value) or is_array(value)):
            raise MappingError(f"Invalid path {path} in {source}")
        found = child(value, key)
        value = None if found is MISSING else found
    return value
