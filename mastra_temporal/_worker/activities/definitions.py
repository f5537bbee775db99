"""The workflows of a worker by id, including nested ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from temporalio.exceptions import ApplicationError

from mastra_temporal._definition.step import Step
from mastra_temporal._definition.validation import validated
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.messages import DataProblem
from mastra_temporal._protocol.names import INVALID_DATA
from mastra_temporal._worker.activities.boundary import user_code
from mastra_temporal._worker.activities.failure import error_info, summary
from mastra_temporal.errors import DefinitionError, SchemaValidationError

__all__ = ["Definitions"]


class Definitions:
    """All workflows of a registry, including nested ones."""

    def __init__(self, workflows: Iterable[WorkflowDefinition]) -> None:
        """Collect the workflows.

        Args:
            workflows: The registered workflows.

        Raises:
            DefinitionError: Two different workflows have the same id, or a workflow is not committed.
        """
        self.workflows: dict[str, WorkflowDefinition] = {}
        for workflow in workflows:
            self._add(workflow)

    def check_resume_data(self, workflow_id: str, step_id: str, data: Any) -> None:
        """Refuse data that does not match the resume schema of a step. A step that this worker lacks accepts any data.

        Raises:
            ApplicationError: The data does not match. The details are a `DataProblem`.
        """
        workflow = self.workflows.get(workflow_id)
        step = None if workflow is None else workflow.steps.get(step_id)
        if not isinstance(step, Step):
            return
        code, owner = "WORKFLOW_SCHEMA_VALIDATION_FAILED", f"step `{step_id}` of workflow `{workflow_id}`"
        try:
            with user_code(f"the resume schema of {owner}"):
                validated(step.resume_schema, data, "Invalid resume data", code, owner=owner)
        except SchemaValidationError as error:
            message, problem = str(error), DataProblem(code=error.code, issues=error.issues)
        except Exception as error:
            # A validator of the user may raise any exception. That also means that the data does not fit.
            info = error_info(error)
            message = f"Invalid resume data: \n- : {summary(info)}"
            problem = DataProblem(code=code, issues=[{"path": [], "message": summary(info)}])
        else:
            return
        raise ApplicationError(message, problem, type=INVALID_DATA, non_retryable=True)

    def _add(self, workflow: WorkflowDefinition) -> None:
        known = self.workflows.setdefault(workflow.id, workflow)
        if known is not workflow:
            raise DefinitionError(
                f"Two different workflows have the id `{workflow.id}`: their steps could not be told apart. "
                "Give one of them another id."
            )
        for step in workflow.steps.values():
            if isinstance(step, WorkflowDefinition):
                self._add(step)
