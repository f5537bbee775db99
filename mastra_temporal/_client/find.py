"""`find_run`: a run by its id alone, also if its workflow is not registered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporalio.client import WorkflowExecutionDescription

from mastra_temporal._client.records.description import describe, no_such_run, workflow_types
from mastra_temporal._client.replay import recorded_run
from mastra_temporal._client.run import Run
from mastra_temporal._client.session import Session
from mastra_temporal._definition.functions import WorkflowFunctions
from mastra_temporal._definition.options import WorkflowOptions
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.graph import WorkflowGraph
from mastra_temporal.errors import DataConversionError

__all__ = ["find_run"]


async def find_run(session: Session, workflows: Mapping[str, WorkflowDefinition], run_id: str) -> Run[Any]:
    """See `Mastra.get_run`."""
    description = await describe(session.client, run_id)
    if description is None:
        raise no_such_run(run_id)
    by_type = {name: workflow for workflow in workflows.values() for name in workflow_types(workflow.id)}
    workflow = by_type.get(description.workflow_type) or await _recorded_definition(session, description)
    # A time travel or a restart of a closed run starts an execution. It belongs on the queue where the run has been.
    run: Run[Any] = Run(session.on(description.task_queue), workflow, run_id=run_id, resource_id=None)
    await run.fetch_status()
    return run


async def _recorded_definition(session: Session, description: WorkflowExecutionDescription) -> WorkflowDefinition:
    """Return the workflow as the run recorded it: with the graph, and without schemas and functions."""
    try:
        graph = (await recorded_run(session.client, description.id, description.run_id)).graph
    except DataConversionError:
        graph = None  # without the codec of its workers a run can still be canceled, and answered by a worker
    timeout = description.raw_description.execution_config.workflow_execution_timeout.ToTimedelta()
    return WorkflowDefinition(
        id=description.workflow_type,
        graph=graph or WorkflowGraph(id=description.workflow_type, entries=[]),
        steps={},
        functions=WorkflowFunctions(),
        callbacks={},
        options=WorkflowOptions(execution_timeout=timeout or None),
        description=await description.static_summary(),
    )
