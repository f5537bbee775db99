"""Reader for the record of a run: results, suspended steps and resume labels by name."""

from __future__ import annotations

from typing import Any

from mastra_temporal._client.records.state import WorkflowState
from mastra_temporal._data.path import is_array, is_object
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import ErrorInfo, RunStatus, StepResult
from mastra_temporal._worker.workflow.completion import META

__all__ = ["SuspendedStep", "WorkflowStateReader", "create_workflow_state_reader"]


class SuspendedStep(CamelModel):
    """A step of the started workflow that is suspended or contains a suspended step."""

    step_id: str
    path: list[str]
    """Ids from this step down to the step that called ``suspend()``, for ``run.resume(step=...)``."""
    execution_path: list[int]
    """Position of the step in the graph."""
    step: StepResult | None = None
    payload: Any = None
    suspend_payload: Any = None
    suspend_output: Any = None
    resume_labels: dict[str, dict[str, Any]] = {}
    """Resume labels of this step."""


class WorkflowStateReader:
    """Reader for the record of a run. Mastra's ``WorkflowStateReader``; made by `create_workflow_state_reader`."""

    def __init__(self, state: WorkflowState) -> None:
        """Use `create_workflow_state_reader` instead."""
        self._state = state

    def get_status(self) -> RunStatus:
        """Return the status of the run."""
        return self._state.status

    def get_result(self) -> Any:
        """Return the output of a successful run, otherwise None."""
        return self._state.result

    def get_error(self) -> ErrorInfo | None:
        """Return the error of a failed run, otherwise None."""
        return self._state.error

    def get_step_output(self, step_id: str) -> Any:
        """Return the output of a step, or None if it has none.

        Args:
            step_id: The step; ``parent.child`` for a step of a nested workflow.
        """
        step = self._step(step_id)
        return None if step is None else step.output

    def get_step_payload(self, step_id: str) -> Any:
        """Return the input of a step, or None if it has none.

        Args:
            step_id: The step; ``parent.child`` for a step of a nested workflow.
        """
        step = self._step(step_id)
        return None if step is None else step.payload

    def get_suspended_step(self) -> SuspendedStep | None:
        """Return the first suspended step, or None."""
        return next(iter(self.get_suspended_steps()), None)

    def get_suspended_steps(self) -> list[SuspendedStep]:
        """Return all suspended steps of the started workflow."""
        paths = self._state.suspended_paths or {}
        return [self._suspended(step_id, place) for step_id, place in paths.items()]

    def get_resume_label(self, label: str) -> dict[str, Any] | None:
        """Return the target of a label: ``stepId``, and ``foreachIndex`` for an item of a foreach."""
        return self.get_resume_labels().get(label)

    def get_resume_labels(self) -> dict[str, dict[str, Any]]:
        """Return all labels at which the run can be resumed, with their targets."""
        return {label: dict(target) for label, target in (self._state.resume_labels or {}).items()}

    def _step(self, step_id: str) -> StepResult | None:
        return (self._state.steps or {}).get(step_id)

    def _suspended(self, step_id: str, place: list[int]) -> SuspendedStep:
        step = self._step(step_id)
        labels = {label: to for label, to in self.get_resume_labels().items() if to.get("stepId") == step_id}
        return SuspendedStep(
            step_id=step_id,
            path=_path_inside(step_id, step),
            execution_path=place,
            step=step,
            payload=None if step is None else step.payload,
            suspend_payload=None if step is None else step.suspend_payload,
            suspend_output=None if step is None else step.suspend_output,
            resume_labels=labels,
        )


def create_workflow_state_reader(state: WorkflowState) -> WorkflowStateReader:
    """Create a reader for the record of a run. Mastra's ``createWorkflowStateReader()``.

    Args:
        state: The record, from `Workflow.get_workflow_run_by_id`.
    """
    return WorkflowStateReader(state)


def _path_inside(step_id: str, step: StepResult | None) -> list[str]:
    """Return the path that a suspended nested workflow recorded with its payload, beginning with the step itself."""
    payload = None if step is None else step.suspend_payload
    meta = payload.get(META) if is_object(payload) else None
    recorded = meta.get("path") if is_object(meta) else None
    path = [part for part in recorded if isinstance(part, str)] if is_array(recorded) else []
    return path if path[:1] == [step_id] else [step_id, *path]
