"""Descriptions of workflows in the shape of Mastra's server: the graph, and every schema as a text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from pydantic.errors import PydanticInvalidForJsonSchema

from mastra_temporal import Step, Workflow
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal.server.answers import StepDescription, WorkflowInfo
from mastra_temporal.server.inlining import inlined

__all__ = ["partly", "workflow_info"]

_known: WeakKeyDictionary[Workflow[Any, Any, Any], WorkflowInfo] = WeakKeyDictionary()


def workflow_info(workflow: Workflow[Any, Any, Any]) -> WorkflowInfo:
    """Return the whole description of a workflow. It is cached, because a committed workflow never changes."""
    if workflow not in _known:
        _known[workflow] = _described(workflow)
    return _known[workflow]


def _described(workflow: Workflow[Any, Any, Any]) -> WorkflowInfo:
    return WorkflowInfo(
        name=workflow.id,
        description=workflow.description,
        metadata=workflow.metadata,
        steps={step_id: _step(step) for step_id, step in workflow.definition.steps.items()},
        all_steps=dict(_all_steps(workflow.definition, "")),
        step_graph=workflow.serialized_step_graph,
        input_schema=_text(workflow.input_schema),
        output_schema=_text(workflow.output_schema),
        state_schema=_text(workflow.state_schema),
        request_context_schema=_text(workflow.request_context_schema),
        options={"validateInputs": workflow.options.validate_inputs},
    )


def partly(info: WorkflowInfo) -> WorkflowInfo:
    """Return the short description for ``partial=true``, without steps and schemas."""
    schemas = ("input_schema", "output_schema", "state_schema", "request_context_schema")
    return info.model_copy(
        update={"steps": {}, "all_steps": {}, "step_count": len(info.steps), **dict.fromkeys(schemas)}
    )


def _all_steps(workflow: WorkflowDefinition, path: str) -> Iterator[tuple[str, StepDescription]]:
    for step_id, step in workflow.steps.items():
        yield f"{path}{step_id}", _step(step).model_copy(update={"is_workflow": isinstance(step, WorkflowDefinition)})
        if isinstance(step, WorkflowDefinition):
            yield from _all_steps(step, f"{path}{step_id}.")


def _step(step: Step[Any, Any] | WorkflowDefinition) -> StepDescription:
    own = step if isinstance(step, Step) else None
    return StepDescription(
        id=step.id,
        description=step.description,
        metadata=step.metadata,
        input_schema=_text(step.input_schema),
        output_schema=_text(step.output_schema),
        state_schema=_text(step.state_schema),
        request_context_schema=_text(step.request_context_schema),
        resume_schema=None if own is None else _text(own.resume_schema),
        suspend_schema=None if own is None else _text(own.suspend_schema),
        component="WORKFLOW" if own is None else own.component,
    )


def _text(schema: Any) -> str | None:
    """Return a schema as Mastra writes it: as SuperJSON text, which has the JSON Schema under ``json``."""
    if schema is None:
        return None
    try:
        return json.dumps({"json": inlined(schema.json_schema())})
    except PydanticInvalidForJsonSchema:  # a custom type that JSON Schema cannot describe
        return None
