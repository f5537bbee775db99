"""Every envelope that crosses a process boundary, in one place.

Each is one argument or one result of a workflow, activity, update or query: Temporal ignores type hints when argument
counts differ, so there is always exactly one. On the wire the keys are Mastra's camelCase; unknown keys are ignored and
keys without a value are left out, so that histories stay small and envelopes can grow. ``v`` is the envelope's version.
"""

from __future__ import annotations

from typing import Any

from mastra_temporal._protocol.messages import ResumeClaim
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import StepResult

__all__ = ["ProgressSnapshot", "RunSnapshot", "ScopeSnapshot"]


class ProgressSnapshot(CamelModel):
    """How far the entry under way had come: see `Progress`."""

    input_data: Any = None
    results: dict[str, StepResult] = {}
    children: dict[str, ScopeSnapshot] = {}
    resuming: dict[str, Any] = {}
    calls: dict[str, str] = {}
    selected: list[int] | None = None
    iteration: int = 0
    concurrency: int | None = None
    deadline: int | None = None


class ScopeSnapshot(CamelModel):
    """How far a workflow of a run had come: see `Scope`."""

    run_id: str
    path: list[str] = []
    """The way from the run's own workflow, as `Scope.path`."""
    init_data: Any = None
    state: dict[str, Any] = {}
    steps: dict[str, StepResult] = {}
    step_execution_path: list[str] = []
    position: int = 0
    input_data: Any = None
    progress: ProgressSnapshot | None = None
    answers: dict[str, Any] = {}
    """Resume data for suspended steps that are still to be reached, by step id."""
    interrupted: list[str] | None = None
    """See `Scope.interrupted`."""


class RunSnapshot(CamelModel):
    """Where a new execution of a run begins: with what earlier executions have recorded."""

    scope: ScopeSnapshot
    left: list[ScopeSnapshot] = []
    """Nested workflows that were left already: nothing runs in them, but time can travel to them."""
    continued_from: str | None = None
    """The Temporal run id of the execution before."""
    resume_count: int = 0
    """How often the run has been resumed."""
    first_resume_count: int = 0
    """What it was when the run began here, by a time travel: those who wait for an earlier one are told."""
    claims: list[ResumeClaim] = []
    """The last resumes."""


ProgressSnapshot.model_rebuild()
