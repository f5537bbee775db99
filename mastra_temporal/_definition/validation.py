"""Validation with Mastra's messages: a first line that names the data, then a line for each issue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from itertools import chain
from typing import Any, cast

from pydantic import BaseModel

from mastra_temporal._data.gate import json_object, to_json
from mastra_temporal._data.path import is_object
from mastra_temporal._data.schema import UNION_REMEDY, Schema, SchemaError, issues_text
from mastra_temporal._data.unions import JSON_TYPES
from mastra_temporal._definition.step import Step
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.function_calls import ValidationCall, ValidationOutcome
from mastra_temporal._protocol.keys import step_id_of
from mastra_temporal.errors import SchemaValidationError, SerializationError

__all__ = [
    "dumped",
    "require_same_types",
    "validate_nested",
    "validate_resume_data",
    "validate_start",
    "validate_step_input",
    "validated",
]


def validated(
    schema: Schema | None, value: Any, message: str, code: str, *, owner: str | None = None, carries_issues: bool = True
) -> Any:
    """Return the value as an instance of the schema's type, with defaults filled in.

    Args:
        schema: The schema. With None the value is returned as it is.
        value: JSON data, or an instance of the type.
        message: The first line of the error without its colon, for example ``Step input validation failed``.
        code: Mastra's error id.
        owner: The owner of the data, for the last line of the error. Omit it if the first line names the owner.
        carries_issues: Whether the recorded error has the issues as its cause, as some of Mastra's errors do.

    Raises:
        SchemaValidationError: The value does not match.
    """
    if schema is None:
        return value
    try:
        return schema.validate(value)
    except SchemaError as error:
        text = f"{message}: \n{issues_text(error.issues)}" + ("" if owner is None else f"\n(of {owner})")
        raise SchemaValidationError(text, code=code, issues=error.issues, carries_issues=carries_issues) from None


def dumped(schema: Schema | None, value: Any, *, what: str) -> Any:
    """Return a value as JSON data, written by its declared type.

    Raises:
        SerializationError: The value has a part that cannot be written as JSON.
    """
    return to_json(value, what=what) if schema is None else schema.dump(value, what=what)


def require_same_types(
    schema: Schema | None, given: Any, read: Any, *, what: str, is_from_caller: bool = False
) -> None:
    """Refuse a value that changes its type when it is written as JSON and read again.

    This happens when two members of a union have the same JSON. Without this check the next step would get a value of
    the wrong type.

    Args:
        schema: The declared type.
        given: The value that the user gave.
        read: The value that is read from its JSON data.
        what: The name of the value for the message.
        is_from_caller: Whether a caller gave the value. Callers may give JSON data in place of any type.

    Raises:
        SerializationError: A part of the value changes its type.
    """
    changed = _changed_types(given, read, "")
    if schema is not None:
        members = schema.changed_members(given, read)
        changed = chain(changed, (each for each in members if not (is_from_caller and each[1] in JSON_TYPES)))
    other = next(changed, None)
    if other is not None:
        path, was, becomes = other
        where = f"`{path.removeprefix('.')}`" if path else "it"
        raise SerializationError(
            f"{what} cannot be written as JSON: {where} is a {was.__name__} and would be read as a {becomes.__name__}. "
            f"Tell the members of the union apart. {UNION_REMEDY}"
        )


def _changed_types(given: Any, read: Any, path: str) -> Iterator[tuple[str, type, type]]:
    if _has_fields(given) and _has_fields(read):
        if not isinstance(given, type(read)):
            yield path, type(given), type(read)
        given, read = cast("Any", vars(given)), cast("Any", vars(read))
    if is_object(given) and is_object(read):
        for key in given.keys() & read.keys():
            yield from _changed_types(given[key], read[key], f"{path}.{key}")
    elif isinstance(given, (list, tuple)) and isinstance(read, (list, tuple)):
        pairs = zip(cast("Sequence[Any]", given), cast("Sequence[Any]", read), strict=False)
        for index, (one, other) in enumerate(pairs):
            yield from _changed_types(one, other, f"{path}[{index}]")


def _has_fields(value: Any) -> bool:
    return isinstance(value, BaseModel) or (is_dataclass(value) and not isinstance(value, type))


def validate_start(
    workflow: WorkflowDefinition, input_data: Any, initial_state: Any, request_context: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Validate the data of a start. Return the input and the initial state as JSON data with the schemas' defaults.

    Raises:
        SchemaValidationError: The input, the state or the request context does not match its schema.
    """
    owner = f"workflow `{workflow.id}`"
    given, what = input_data, f"The input of {owner}"
    input_data = to_json(given, what=what)
    state = json_object(initial_state, what=f"The initial state of {owner}")
    if not workflow.options.validate_inputs:
        return input_data, state
    code = "WORKFLOW_SCHEMA_VALIDATION_FAILED"
    _check_request_context(workflow, request_context)
    read = validated(workflow.input_schema, input_data, "Invalid input data", code, owner=owner)
    require_same_types(workflow.input_schema, given, read, what=what, is_from_caller=True)
    return (
        dumped(workflow.input_schema, read, what=what),
        _dumped(workflow.state_schema, state, "Invalid initial data", code, owner),
    )


def validate_nested(workflow: WorkflowDefinition, call: ValidationCall) -> ValidationOutcome:
    """Validate the data of a nested workflow, with the error messages of a step. Return its input and state."""
    owner = f"workflow `{workflow.id}`"
    validated(
        workflow.request_context_schema,
        call.request_context or {},
        f"Step request context validation failed for step '{workflow.id}'",
        "WORKFLOW_STEP_REQUEST_CONTEXT_VALIDATION_FAILED",
        carries_issues=False,
    )
    return ValidationOutcome(
        input_data=_dumped(
            workflow.input_schema,
            call.input_data,
            "Step input validation failed",
            "WORKFLOW_STEP_INPUT_VALIDATION_FAILED",
            owner,
        ),
        state=_dumped(
            workflow.state_schema,
            call.state or {},
            "Invalid initial data",
            "WORKFLOW_SCHEMA_VALIDATION_FAILED",
            owner,
            carries_issues=False,
        ),
    )


def validate_step_input(workflow: WorkflowDefinition, path: list[str], input_data: Any) -> Any:
    """Validate the input for the target step of a time travel. Return it as JSON data with the schema's defaults.

    Raises:
        SchemaValidationError: The data do not match the step's input schema.
    """
    owner, step = f"workflow `{workflow.id}`", _step_at(workflow, path)
    data = to_json(input_data, what=f"The input of step `{'.'.join(path)}` of {owner}")
    schema = step.input_schema if step is not None and "[" not in path[-1] else None
    if data is None or not workflow.options.validate_inputs:
        return data
    return _dumped(schema, data, "Invalid inputData", "WORKFLOW_SCHEMA_VALIDATION_FAILED", owner)


def validate_resume_data(workflow: WorkflowDefinition, path: list[str], resume_data: Any) -> Any:
    """Validate the resume data for the suspended target step of a time travel. Return them as JSON data.

    Raises:
        SchemaValidationError: The data do not match the step's resume schema.
    """
    step = _step_at(workflow, path)
    data = to_json(resume_data, what=f"The resume data of step `{'.'.join(path)}` of workflow `{workflow.id}`")
    if data is not None and isinstance(step, Step) and workflow.options.validate_inputs:
        owner = f"step `{'.'.join(path)}` of workflow `{workflow.id}`"
        validated(step.resume_schema, data, "Invalid resume data", "WORKFLOW_SCHEMA_VALIDATION_FAILED", owner=owner)
    return data


def _step_at(workflow: WorkflowDefinition, path: list[str]) -> Step[Any, Any] | WorkflowDefinition | None:
    """Return the step or nested workflow at a path, or None if there is none."""
    found: Step[Any, Any] | WorkflowDefinition | None = workflow
    for key in path:
        found = found.steps.get(step_id_of(key)) if isinstance(found, WorkflowDefinition) else None
    return found


def _check_request_context(workflow: WorkflowDefinition, request_context: dict[str, Any]) -> None:
    validated(
        workflow.request_context_schema,
        request_context,
        f"Request context validation failed for workflow '{workflow.id}'",
        "WORKFLOW_REQUEST_CONTEXT_VALIDATION_FAILED",
        carries_issues=False,
    )


def _dumped(
    schema: Schema | None, value: Any, message: str, code: str, owner: str, *, carries_issues: bool = True
) -> Any:
    parsed = validated(schema, value, message, code, owner=owner, carries_issues=carries_issues)
    return dumped(schema, parsed, what=f"The data of {owner}")
