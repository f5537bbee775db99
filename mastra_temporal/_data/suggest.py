"""Suggestions for misspelled names."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from mastra_temporal.errors import DefinitionError

__all__ = ["did_you_mean", "names_arguments"]

P = ParamSpec("P")
T = TypeVar("T")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence that suggests the closest known name, or lists all known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f" Did you mean `{close[0]}`?"
    return f" Known: {', '.join(f'`{item}`' for item in names)}." if names else ""


def names_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function so that it suggests the right name for a misspelled keyword argument.

    The decorated function raises a `DefinitionError` for an argument that it does not have.
    """
    known = [name for name in inspect.signature(function).parameters if name != "self"]
    called = function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        for given in kwargs:
            if given not in known:
                raise DefinitionError(f"{called}() has no argument `{given}`.{did_you_mean(given, known)}")
        return function(*args, **kwargs)

    return wrapper
