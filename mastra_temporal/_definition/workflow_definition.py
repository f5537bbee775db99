"""`WorkflowDefinition`: a committed workflow, as workers and clients use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mastra_temporal._data.schema import Schema
from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal._definition.function import UserFunction
from mastra_temporal._definition.functions import WorkflowFunctions
from mastra_temporal._definition.options import WorkflowOptions
from mastra_temporal._definition.schedule import ScheduleConfig
from mastra_temporal._definition.serialize import public_graph
from mastra_temporal._definition.step import Step
from mastra_temporal._protocol.graph import CallbackName, WorkflowGraph
from mastra_temporal.errors import WorkflowNotFoundError

__all__ = ["WorkflowDefinition", "find_workflow"]


@dataclass(frozen=True, eq=False)
class WorkflowDefinition:
    """A committed workflow: its graph as data, and the bodies, schemas and options that the graph refers to.

    It is frozen, because a worker and its clients must use the same workflow as long as the process lives.
    """

    id: str
    graph: WorkflowGraph = field(repr=False)
    steps: Mapping[str, Step[Any, Any] | WorkflowDefinition] = field(repr=False)
    """The steps and nested workflows by id."""
    functions: WorkflowFunctions = field(repr=False)
    """The conditions, mappings, durations, dates and concurrency functions by id."""
    callbacks: Mapping[CallbackName, UserFunction] = field(repr=False)
    options: WorkflowOptions = field(repr=False)
    description: str | None = field(default=None, repr=False)
    metadata: dict[str, Any] | None = field(default=None, repr=False)
    input_schema: Schema | None = field(default=None, repr=False)
    output_schema: Schema | None = field(default=None, repr=False)
    state_schema: Schema | None = field(default=None, repr=False)
    request_context_schema: Schema | None = field(default=None, repr=False)
    schedules: tuple[ScheduleConfig, ...] = field(default=(), repr=False)

    @property
    def serialized_step_graph(self) -> list[dict[str, Any]]:
        """The graph in Mastra's JSON shape, for display."""
        return public_graph(self.graph)


def find_workflow(definitions: Mapping[str, WorkflowDefinition], workflow_id: str) -> WorkflowDefinition:
    """Return the workflow with this id.

    Raises:
        WorkflowNotFoundError: No workflow with this id is registered.
    """
    try:
        return definitions[workflow_id]
    except KeyError:
        hint = did_you_mean(workflow_id, definitions)
        raise WorkflowNotFoundError(f"Workflow with ID {workflow_id} not found.{hint}") from None
