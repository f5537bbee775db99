"""Set the module name of public objects, for tracebacks, `repr` and documentation."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from typing import Any

__all__ = ["publish"]


def publish(package: str, namespace: dict[str, Any], names: Iterable[str]) -> None:
    """Set ``__module__`` of a package's public objects to the package.

    Python and pydantic resolve the names in a class's annotations in the module that ``__module__`` names. So this
    function evaluates the annotations before it changes ``__module__``.

    Args:
        package: The name of the package.
        namespace: Its globals.
        names: The names of its public objects.
    """
    for name in names:
        value = namespace[name]
        if not getattr(value, "__module__", "").startswith(f"{package}."):
            continue
        own = vars(value).get("__annotations__") if isinstance(value, type) else None
        if own:
            hints = typing.get_type_hints(value, include_extras=True)
            value.__annotations__ = {each: hints[each] for each in own}
        value.__module__ = package
