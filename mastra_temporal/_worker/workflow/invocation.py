"""Identifies one execution of a body, and holds the data with which a suspended body is resumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mastra_temporal._protocol.results import StepResult

__all__ = ["Invocation", "Resumption"]


@dataclass(frozen=True)
class Invocation:
    """One execution of a body: the item of a foreach, the iteration of a loop, or neither."""

    index: int | None = None
    total: int | None = None
    iteration: int | None = None

    def key(self, step_id: str) -> str:
        """Return the key of the result in the progress of the entry."""
        return step_id if self.index is None else f"{step_id}[{self.index}]"

    def path(self, step_id: str) -> str:
        """Return the name that is unique among all executions of the body. It is part of the idempotency keys."""
        return self.key(step_id) if self.iteration is None else f"{step_id}#{self.iteration}"

    @property
    def label(self) -> str | None:
        """The text that the UI shows beside the step. Items count from 0, as in a resume."""
        if self.index is not None:
            return f"[{self.index}] of {self.total}"
        return None if self.iteration is None else f"iteration {self.iteration}"


@dataclass(frozen=True)
class Resumption:
    """The earlier result of a suspended body, and the data with which it is resumed."""

    prior: StepResult
    data: Any
