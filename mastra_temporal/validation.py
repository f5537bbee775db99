"""Validation with Mastra's messages: which data it was, then a line for each thing that is wrong."""

from __future__ import annotations

from typing import Any

from mastra_temporal.definition.schema import Schema, SchemaError, issues_text, to_json
from mastra_temporal.definition.workflow import Workflow
from mastra_temporal.errors import SchemaValidationError
from mastra_temporal.wire import EnterCall, EnterOutcome

__all__ = ["admit", "admit_nested", "validated"]


def validated(schema: Schema | None, value: Any, message: str, code: str, *, carries_issues: bool = True) -> Any:
    """The value as the schema's type, defaults filled in.

    Args:
        schema: None lets every value through.
        value: JSON data, or an instance of the type.
        message: The first line of the error, without its colon: ``Step input validation failed``.
        code: Mastra's error id.
        carries_issues: Whether the recorded error has the issues as its cause, as some of Mastra's have.

    Raises:
        SchemaValidationError: The value does not match.
    """
    if schema is None:
        return value
    try:
        return schema.validate(value)
    except SchemaError as error:
        text = f"{message}: \n{issues_text(error.issues)}"
        raise SchemaValidationError(text, code=code, issues=error.issues, carries_issues=carries_issues) from None


def admit(
    workflow: Workflow[Any, Any, Any], input_data: Any, initial_state: Any, request_context: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """The validated input and initial state of a start, as JSON data with the schemas' defaults.

    Raises:
        SchemaValidationError: Something does not match; nothing was started.
    """
    owner = f"workflow `{workflow.id}`"
    input_data = to_json(input_data, what=f"The input of {owner}")
    state = to_json(initial_state or {}, what=f"The initial state of {owner}")
    if not workflow.options.validate_inputs:
        return input_data, state
    code = "WORKFLOW_SCHEMA_VALIDATION_FAILED"
    _check_request_context(workflow, request_context)
    return (
        _dumped(workflow.input_schema, input_data, "Invalid input data", code, owner),
        _dumped(workflow.state_schema, state, "Invalid initial data", code, owner),
    )


def admit_nested(workflow: Workflow[Any, Any, Any], call: EnterCall) -> EnterOutcome:
    """The validated input and state of a nested workflow: to its parent it is a step."""
    owner = f"workflow `{workflow.id}`"
    _check_request_context(workflow, call.request_context or {})
    return EnterOutcome(
        input_data=_dumped(
            workflow.input_schema,
            call.input_data,
            "Step input validation failed",
            "WORKFLOW_STEP_INPUT_VALIDATION_FAILED",
            owner,
        ),
        state=_dumped(
            workflow.state_schema, call.state or {}, "Invalid initial data", "WORKFLOW_SCHEMA_VALIDATION_FAILED", owner
        ),
    )


def _check_request_context(workflow: Workflow[Any, Any, Any], request_context: dict[str, Any]) -> None:
    validated(
        workflow.request_context_schema,
        request_context,
        f"Request context validation failed for workflow '{workflow.id}'",
        "WORKFLOW_REQUEST_CONTEXT_VALIDATION_FAILED",
    )


def _dumped(schema: Schema | None, value: Any, message: str, code: str, owner: str) -> Any:
    parsed = validated(schema, value, message, code)
    return parsed if schema is None else schema.dump(parsed, what=f"The data of {owner}")
