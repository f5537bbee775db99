"""Convert recorded data of a run to the types that its workflow and steps declare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from mastra_temporal._data.schema import Schema
from mastra_temporal._definition.step import Step
from mastra_temporal._definition.validation import validated
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.graph import ForeachEntry
from mastra_temporal.errors import SchemaValidationError

__all__ = ["Declared"]


@dataclass(frozen=True)
class Declared:
    """Reads the recorded data of a workflow for user functions.

    Data that was not validated when it was written is not validated here either: it is returned as plain data. Each
    method raises `SchemaValidationError` if the data does not match the schema that is declared now.
    """

    workflow: WorkflowDefinition
    validate_inputs: bool
    """Whether the run validates inputs, state and suspend data."""
    validate_outputs: bool
    """Whether the run validates the outputs of its steps."""

    def found(self, step_id: str | None, value: Any) -> Any:
        """Return the output of a step, or the workflow's input if ``step_id`` is None.

        Args:
            step_id: The id of the step, or None.
            value: The recorded data.
        """
        if step_id is None:
            schema = self.workflow.input_schema if self.validate_inputs else None
            what, code = f"The input of {self._owner}", "WORKFLOW_SCHEMA_VALIDATION_FAILED"
            return validated(schema, value, f"{what} does not match its input_schema", code)
        step = self.workflow.steps.get(step_id)
        if step is None or value is None or not self._checks_output(step):
            return value
        if isinstance(value, list) and self._is_foreach(step_id):
            return [item if item is None else self._output(step, item) for item in cast("list[Any]", value)]
        return self._output(step, value)

    def state(self, data: dict[str, Any]) -> Any:
        """Return the state, read with the workflow's schema."""
        return self._state(self.workflow.state_schema, data)

    def state_in_step(self, step: Step[Any, Any], data: dict[str, Any]) -> Any:
        """Return the state, read with the step's own schema.

        A step without a state schema gets the state read with the workflow's schema if it matches, and otherwise the
        plain data. As in Mastra, other steps without a schema may set state that the workflow's schema does not allow.
        """
        if step.state_schema is not None:
            return self._state(step.state_schema, data)
        try:
            return self.state(data)
        except SchemaValidationError:
            return data

    def _state(self, schema: Schema | None, data: dict[str, Any]) -> Any:
        return validated(
            schema if self.validate_inputs else None,
            data,
            f"The state of {self._owner} does not match its state_schema",
            "WORKFLOW_STEP_STATE_VALIDATION_FAILED",
            carries_issues=False,
        )

    def suspend_data(self, step: Step[Any, Any], data: Any) -> Any:
        """Return the data that a step suspended with. Empty data is not validated, as when the step suspended."""
        return validated(
            step.suspend_schema if data and self.validate_inputs else None,
            data,
            f"The suspend data of step `{step.id}` of {self._owner} do not match its suspend_schema",
            "WORKFLOW_STEP_SUSPEND_DATA_VALIDATION_FAILED",
            carries_issues=False,
        )

    @property
    def _owner(self) -> str:
        return f"workflow `{self.workflow.id}`"

    def _checks_output(self, step: Step[Any, Any] | WorkflowDefinition) -> bool:
        return step.options.validate_outputs if isinstance(step, WorkflowDefinition) else self.validate_outputs

    def _is_foreach(self, step_id: str) -> bool:
        entries = self.workflow.graph.entries
        return any(isinstance(entry, ForeachEntry) and entry.step.body_id == step_id for entry in entries)

    def _output(self, step: Step[Any, Any] | WorkflowDefinition, value: Any) -> Any:
        what, code = f"The output of step `{step.id}` of {self._owner}", "WORKFLOW_STEP_OUTPUT_VALIDATION_FAILED"
        return validated(step.output_schema, value, f"{what} does not match its output_schema", code)
