"""Dotted paths into the data of a run, as used by ``.map()``, templates and predicates.

A path follows JavaScript's rules for JSON data: keys of objects, and indices and ``length`` of lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeGuard

from mastra_temporal.errors import MappingError

__all__ = ["MISSING", "RunData", "child", "is_array", "is_object", "resolve_path"]

MISSING: Final[Any] = object()
"""A marker for a missing value, where None is a valid value."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


class RunData(Protocol):
    """The data of a run at one entry of its graph. Every value is JSON data."""

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
        """The values of the request context."""
        ...

    def step_output(self, step_id: str) -> Any:
        """Return the output of a step that succeeded, or ``MISSING``."""
        ...


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether a JSON value is an object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Return whether a JSON value is an array."""
    return isinstance(value, list)


def child(container: Any, key: str) -> Any:
    """Return the child of a container for one part of a path.

    Args:
        container: A dict or a list. Anything else has no children.
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
    """Return the value at a dotted path.

    Args:
        value: Where the path starts.
        path: For example ``a.b.0``. ``""`` and ``"."`` mean the whole value.
        source: What ``value`` is, for the error: ``step a``, ``initData``.

    Returns:
        The value, or None if the last key does not exist.

    Raises:
        MappingError: The path continues at a value that is neither an object nor a list.
    """
    if path in ("", "."):
        return value
    for key in path.split("."):
        if not (is_object(value) or is_array(value)):
            raise MappingError(f"Invalid path {path} in {source}")
        found = child(value, key)
        value = None if found is MISSING else found
    return value
