"""`create_run`: create a `Run` object and read its status if the run exists in Temporal."""

from __future__ import annotations

import uuid
from typing import Any

from mastra_temporal._client.run import Run
from mastra_temporal._client.session import Session
from mastra_temporal._data.shown import shown
from mastra_temporal._definition.ids import fault_of
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal.errors import RunError

__all__ = ["create_run"]


async def create_run(
    session: Session, workflow: WorkflowDefinition, *, run_id: str | None, resource_id: str | None
) -> Run[Any]:
    """See `Workflow.create_run`."""
    if run_id is not None and (fault := fault_of(run_id)) is not None:
        raise RunError(f"{shown(run_id)} cannot be a run id: {fault}.")
    if resource_id and (fault := fault_of(resource_id)) is not None:
        raise RunError(f"{shown(resource_id)} cannot be a resource id: {fault}.")
    run: Run[Any] = Run(session, workflow, run_id=run_id or str(uuid.uuid4()), resource_id=resource_id)
    if run_id is not None and session.is_connected:
        await run.fetch_status()
    session.live_runs[workflow.id, run.run_id] = run
    return run
