"""How callers name a step: by id, by a dotted path, or by the objects on the way to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from mastra_temporal.errors import RunError

__all__ = ["StepPath", "path_of"]


@runtime_checkable
class Identified(Protocol):
    """A step or a workflow: something with an id."""

    @property
    def id(self) -> str:
        """The id under which the graph knows it."""
        ...


StepLike = str | Identified
StepPath = StepLike | Sequence[StepLike]
"""A step by id, dotted path or object, or the steps on the way to it."""


def path_of(step: StepPath) -> list[str]:
    """The ids on the way to a step.

    Raises:
        RunError: It is neither text nor a step, nor a list of them.
    """
    parts = [step] if isinstance(step, (str, Identified)) else step
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, (str, Identified)) for part in parts):
        raise RunError(f"`step` is an id, a step, a path like `outer.inner`, or a list of ids and steps; got {step!r}.")
    ids = [part if isinstance(part, str) else part.id for part in parts]
    return ids[0].split(".") if len(ids) == 1 else ids
