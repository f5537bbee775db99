"""Which execution of a body is meant, and with what it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mastra_temporal._protocol.results import StepResult

__all__ = ["Invocation", "Resumption"]


@dataclass(frozen=True)
class Invocation:
    """Which execution of a body this is: the item of a foreach, or the iteration of a loop."""

    index: int | None = None
    total: int | None = None
    iteration: int | None = None

    def key(self, step_id: str) -> str:
        """Under which key of the entry's progress the result is kept."""
        return step_id if self.index is None else f"{step_id}[{self.index}]"

    def path(self, step_id: str) -> str:
        """What tells this execution from all others of the body: part of the steps' idempotency keys."""
        return self.key(step_id) if self.iteration is None else f"{step_id}#{self.iteration}"

    @property
    def label(self) -> str | None:
        """What the UI shows beside the step: an item by the index under which it is resumed, from 0."""
        if self.index is not None:
            return f"[{self.index}] of {self.total}"
        return None if self.iteration is None else f"iteration {self.iteration}"


@dataclass(frozen=True)
class Resumption:
    """A suspended body that is resumed."""

    prior: StepResult
    data: Any
