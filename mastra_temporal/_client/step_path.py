"""`StepPath`: the ways in which callers name a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from mastra_temporal._data.shown import shown
from mastra_temporal.errors import RunError

__all__ = ["StepPath", "path_of"]


@runtime_checkable
class Identified(Protocol):
    """A step or a workflow: an object with an id."""

    @property
    def id(self) -> str:
        """The id in the graph."""
        ...


StepLike = str | Identified
"""A step by id, dotted path or object."""
StepPath = StepLike | Sequence[StepLike]
"""A step by id, dotted path or object, or the list of nested workflows that lead to it, followed by the step."""


def path_of(step: StepPath) -> list[str]:
    """Return the ids of the nested workflows that lead to a step, followed by the id of the step.

    Args:
        step: The step.

    Raises:
        RunError: The argument is neither a string nor a step, nor a list of these.
    """
    parts = [step] if isinstance(step, (str, Identified)) else step
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, (str, Identified)) for part in parts):
        raise RunError(
            f"`step` is an id, a step, a path like `outer.inner`, or a list of ids and steps; got {shown(step)}."
        )
    ids = [part if isinstance(part, str) else part.id for part in parts]
    return ids[0].split(".") if len(ids) == 1 else ids
