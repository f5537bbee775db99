"""Reading a run's record by name, above all where it is suspended."""

from __future__ import annotations

from typing import Any

from mastra_temporal._client.records.state import WorkflowState
from mastra_temporal._data.path import is_array, is_object
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import ErrorInfo, RunStatus, StepResult
from mastra_temporal._worker.workflow.completion import META

__all__ = ["SuspendedStep", "WorkflowStateReader", "create_workflow_state_reader"]


class SuspendedStep(CamelModel):
    """A step of the started workflow that is suspended, or that has a suspended step inside it."""

    step_id: str
    path: list[str]
    """The ids down to the step that called ``suspend()``: what ``run.resume(step=...)`` takes."""
    execution_path: list[int]
    """The step's place in the graph."""
    step: StepResult | None = None
    payload: Any = None
    suspend_payload: Any = None
    suspend_output: Any = None
    resume_labels: dict[str, dict[str, Any]] = {}
    """The labels of this step."""


class WorkflowStateReader:
    """Looks into the record of a run. Mastra's ``WorkflowStateReader``; made by `create_workflow_state_reader`."""

    def __init__(self, state: WorkflowState) -> None:
        """Use `create_workflow_state_reader`."""
        self._state = state

    def get_status(self) -> RunStatus:
        """The run's status."""
        return self._state.status

    def get_result(self) -> Any:
        """The output of a successful run, else None."""
        return self._state.result

    def get_error(self) -> ErrorInfo | None:
        """The error of a failed run."""
        return self._state.error

    def get_step_output(self, step_id: str) -> Any:
        """The output of a step; that of a nested one as ``parent.child``. None when there is none."""
        step = self._step(step_id)
        return None if step is None else step.output

    def get_step_payload(self, step_id: str) -> Any:
        """The input of a step, likewise."""
        step = self._step(step_id)
        return None if step is None else step.payload

    def get_suspended_step(self) -> SuspendedStep | None:
        """The first suspended step."""
        return next(iter(self.get_suspended_steps()), None)

    def get_suspended_steps(self) -> list[SuspendedStep]:
        """Every suspended step of the started workflow."""
        paths = self._state.suspended_paths or {}
        return [self._suspended(step_id, place) for step_id, place in paths.items()]

    def get_resume_label(self, label: str) -> dict[str, Any] | None:
        """Where a label leads: ``stepId``, and for the item of a foreach ``foreachIndex``."""
        return self.get_resume_labels().get(label)

    def get_resume_labels(self) -> dict[str, dict[str, Any]]:
        """All labels at which the run can be resumed."""
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
    """Make a reader of a run's record. Mastra's ``createWorkflowStateReader()``.

    Args:
        state: What `Workflow.get_workflow_run_by_id` gave.
    """
    return WorkflowStateReader(state)


def _path_inside(step_id: str, step: StepResult | None) -> list[str]:
    """The path that a suspended nested workflow recorded with its payload, from the step itself on."""
    payload = None if step is None else step.suspend_payload
    meta = payload.get(META) if is_object(payload) else None
    recorded = meta.get("path") if is_object(meta) else None
    path = [part for part in recorded if isinstance(part, str)] if is_array(recorded) else []
    return path if path[:1] == [step_id] else [step_id, *path]
