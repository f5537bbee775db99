"""Runs that were made by ``create-run`` and not started yet: Temporal does not know them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from mastra_temporal import Run

__all__ = ["CreatedRuns"]

MAX_CREATED = 10_000


class CreatedRuns:
    """The newest runs that were made here. An older one is forgotten, as is one that was started."""

    def __init__(self) -> None:
        """Begin with none."""
        self._runs: OrderedDict[tuple[str, str], Run[Any]] = OrderedDict()

    def add(self, run: Run[Any]) -> None:
        """Remember a run."""
        self._runs[run.workflow_id, run.run_id] = run
        while len(self._runs) > MAX_CREATED:
            self._runs.popitem(last=False)

    def get(self, workflow_id: str, run_id: str) -> Run[Any] | None:
        """The run, if it was made here."""
        return self._runs.get((workflow_id, run_id))

    def forget(self, workflow_id: str, run_id: str) -> None:
        """Leave it to Temporal, which knows it now, or to nobody."""
        self._runs.pop((workflow_id, run_id), None)
