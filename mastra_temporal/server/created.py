"""`CreatedRuns`: runs that ``create-run`` has made and that are not started. Temporal does not have them yet."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from mastra_temporal import Run

__all__ = ["CreatedRuns"]

MAX_CREATED = 10_000
"""The largest number of runs that are kept."""


class CreatedRuns:
    """The newest runs that this process has made and that are not started. The oldest ones are dropped first."""

    def __init__(self) -> None:
        """Create an empty collection."""
        self._runs: OrderedDict[tuple[str, str], Run[Any]] = OrderedDict()

    def add(self, run: Run[Any]) -> None:
        """Add a run."""
        self._runs[run.workflow_id, run.run_id] = run
        while len(self._runs) > MAX_CREATED:
            self._runs.popitem(last=False)

    def get(self, workflow_id: str, run_id: str) -> Run[Any] | None:
        """Return the run, or None if this process has not made it or has dropped it."""
        return self._runs.get((workflow_id, run_id))

    def forget(self, workflow_id: str, run_id: str) -> None:
        """Remove a run, after it was started or deleted."""
        self._runs.pop((workflow_id, run_id), None)
