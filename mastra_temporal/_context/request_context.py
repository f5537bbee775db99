"""`RequestContext`: values that belong to a run, such as the user or the tenant."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from mastra_temporal._data.gate import to_json

__all__ = ["RequestContext"]


class RequestContext(MutableMapping[str, Any]):
    """Values that belong to a run: a dictionary that steps may read and change.

    Every step that starts after a step has finished sees the values that it set. The values survive crashes. They are
    stored as JSON data, and a value that cannot be written as JSON raises an error. Mastra's ``RequestContext``.
    """

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        """Create a request context.

        Args:
            values: The initial values.
        """
        self._values: dict[str, Any] = dict(values or {})

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"RequestContext({self._values!r})"

    def set(self, key: str, value: Any) -> None:
        """Set a value. The same as ``context[key] = value``."""
        self._values[key] = value

    def has(self, key: str) -> bool:
        """Return whether the key is set. The same as ``key in context``."""
        return key in self._values

    def to_json(self, *, what: str = "The request context") -> dict[str, Any]:
        """Return the values as JSON data. Models, dates and similar values are converted as in inputs.

        Args:
            what: Whose request context it is, for the message.

        Raises:
            SerializationError: A value cannot be written. The message names its key.
        """
        return to_json(self._values, what=what)
