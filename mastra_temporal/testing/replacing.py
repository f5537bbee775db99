"""`with_steps`: replaces steps of a workflow in a test."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal._definition.builder import AnyStep
from mastra_temporal._definition.function import UserFunction
from mastra_temporal._definition.step import Step
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal.errors import DefinitionError
from mastra_temporal.workflow import Workflow

__all__ = ["with_steps"]

WorkflowT = TypeVar("WorkflowT", bound=Workflow[Any, Any, Any])


def with_steps(workflow: WorkflowT, steps: Mapping[str, Callable[..., Any]]) -> WorkflowT:
    """Return a copy of a workflow with other bodies for some of its steps. The original is not changed.

    The steps keep their schemas, retries and options, so the input and output of a replacement are validated in the
    same way as those of the real step.

    Args:
        workflow: A committed workflow.
        steps: The new bodies by step id. They have the parameters of step bodies. A step of a nested workflow is named
            ``<workflow>.<step>``, at any depth.

    Raises:
        DefinitionError: A step does not exist, or a replacement cannot be a step body.
    """
    known = _names(workflow.definition, "")
    for name in steps:
        if name not in known:
            raise DefinitionError(f"workflow `{workflow.id}` has no step `{name}` to replace.{_hint(name, known)}")
    clone = copy.copy(workflow)
    clone.use(_replaced(workflow.definition, "", steps, {}))
    return clone


def _names(workflow: WorkflowDefinition, prefix: str) -> set[str]:
    names = {f"{prefix}{id}" for id, step in workflow.steps.items() if isinstance(step, Step)}
    nested = [step for step in workflow.steps.values() if isinstance(step, WorkflowDefinition)]
    return names.union(*(_names(child, f"{child.id}.") for child in nested))


def _hint(name: str, known: set[str]) -> str:
    inside = sorted(other for other in known if other.startswith(f"{name}."))
    if inside:
        return f" It is a workflow: replace its steps, {', '.join(f'`{other}`' for other in inside)}."
    return did_you_mean(name, known)


def _replaced(
    workflow: WorkflowDefinition,
    prefix: str,
    replacements: Mapping[str, Callable[..., Any]],
    done: dict[str, WorkflowDefinition],
) -> WorkflowDefinition:
    """Return the definition with other bodies. A workflow that is nested in several places is copied once."""

    def replaced(step: AnyStep) -> AnyStep:
        if not isinstance(step, Step):
            if step.id not in done:
                done[step.id] = _replaced(step, f"{step.id}.", replacements, done)
            return done[step.id]
        name = f"{prefix}{step.id}"
        if name not in replacements:
            return step
        return replace(step, body=UserFunction.of(replacements[name], owner=f"the replacement of step `{name}`"))

    return replace(workflow, steps={id: replaced(step) for id, step in workflow.steps.items()})
