"""The state of a run as data, from which a new execution begins.

Each envelope is the only argument or the result of a workflow, activity, update or query: Temporal ignores type hints
when argument counts differ. Keys are camelCase on the wire; see `CamelModel`.
"""

from __future__ import annotations

from typing import Any

from mastra_temporal._protocol.messages import ResumeClaim
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import StepResult

__all__ = ["ProgressSnapshot", "RunSnapshot", "ScopeSnapshot"]


class ProgressSnapshot(CamelModel):
    """A `Progress` as data."""

    input_data: Any = None
    results: dict[str, StepResult] = {}
    outputs: dict[int, Any] = {}
    children: dict[str, ScopeSnapshot] = {}
    resuming: dict[str, Any] = {}
    calls: dict[str, str] = {}
    selected: list[int] | None = None
    started_at: int | None = None
    iteration: int = 0
    concurrency: int | None = None
    deadline: int | None = None


class ScopeSnapshot(CamelModel):
    """A `Scope` as data."""

    run_id: str
    path: list[str] = []
    """The path from the root scope, as in `Scope.path`."""
    init_data: Any = None
    state: dict[str, Any] = {}
    steps: dict[str, StepResult] = {}
    step_execution_path: list[str] = []
    position: int = 0
    input_data: Any = None
    progress: ProgressSnapshot | None = None
    answers: dict[str, Any] = {}
    """Resume data for suspended steps that the run has not reached yet, by step ID."""
    interrupted: list[str] | None = None
    """See `Scope.interrupted`."""


class RunSnapshot(CamelModel):
    """The state with which a new execution of a run begins, from the records of earlier executions.

    On the wire each value stands once, see ``shared_values.py``.
    """

    scope: ScopeSnapshot
    left: list[ScopeSnapshot] = []
    """The scopes of nested workflows that have ended. Nothing runs in them, but a time travel can go back to them."""
    continued_from: str | None = None
    """The Temporal run ID of the previous execution."""
    resume_count: int = 0
    """How often the run has been resumed."""
    first_resume_count: int = 0
    """The resume count with which the run began after a time travel. Callers that wait for a lower one are answered."""
    claims: list[ResumeClaim] = []
    """The latest resumes."""
    size: int = 0
    """Bytes of the values, before they are compressed. Set when the snapshot is written."""


ProgressSnapshot.model_rebuild()
