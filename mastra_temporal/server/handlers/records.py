"""Handlers that list, read and delete the records of runs."""

from __future__ import annotations

from mastra_temporal import RunNotFoundError, WorkflowRun, WorkflowState
from mastra_temporal.server.answers import ListedRun, ListedRuns
from mastra_temporal.server.errors import HttpError
from mastra_temporal.server.handlers.finding import FOREIGN, existing_run
from mastra_temporal.server.models import Message, RecordQuery, RunsQuery
from mastra_temporal.server.route import Call

__all__ = ["delete_run", "get_run", "list_runs"]


async def list_runs(call: Call) -> ListedRuns:
    """List the runs of a workflow, the newest first."""
    query: RunsQuery = call.query
    page, per_page = _paging(query)
    found = await call.workflow.list_workflow_runs(
        status=query.status,
        resource_id=call.caller.resource_id or query.resource_id,
        from_date=query.from_date,
        to_date=query.to_date,
        page=page,
        per_page=per_page,
    )
    return ListedRuns(runs=[_listed(run) for run in found.runs], total=found.total)


async def get_run(call: Call) -> WorkflowState:
    """Return the record of a run."""
    query: RecordQuery = call.query
    state = await call.workflow.get_workflow_run_by_id(
        call.path["runId"], fields=query.names(), with_nested_workflows=query.with_nested_workflows != "false"
    )
    if state is None:
        raise RunNotFoundError(call.path["runId"])
    if call.caller.resource_id and state.resource_id and state.resource_id != call.caller.resource_id:
        raise HttpError(403, FOREIGN)
    return state


async def delete_run(call: Call) -> Message:
    """Delete a run and its history."""
    run = await existing_run(call, call.path["runId"])
    call.created.forget(run.workflow_id, run.run_id)
    await call.workflow.delete_workflow_run_by_id(run.run_id)
    return Message(message="Workflow run deleted")


def _paging(query: RunsQuery) -> tuple[int | None, int | None]:
    """Return page and page size, which the older ``limit`` and ``offset`` can give as well."""
    page, per_page = query.page, query.per_page
    if per_page is None and isinstance(query.limit, int):
        per_page = query.limit
    if page is None and query.offset is not None and per_page:
        page = query.offset // per_page
    if per_page is not None and per_page <= 0:
        raise HttpError(400, "perPage must be a positive integer")
    if per_page is not None and page is None:
        page = 0
    return page, per_page


def _listed(run: WorkflowRun) -> ListedRun:
    snapshot = {"runId": run.run_id, "status": run.status, "timestamp": round(run.updated_at.timestamp() * 1000)}
    return ListedRun(**run.model_dump(), snapshot=snapshot)
