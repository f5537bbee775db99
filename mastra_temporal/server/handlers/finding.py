"""Functions that find the run of a request and check that the caller may use it."""

from __future__ import annotations

from typing import Any

from mastra_temporal import Run, RunError, RunNotFoundError, RunNotSuspendedError
from mastra_temporal.server.errors import HttpError
from mastra_temporal.server.route import Call
from mastra_temporal.server.security import without_reserved

__all__ = ["context_of", "existing_run", "new_run", "require_own", "suspended_run"]

FOREIGN = "Access denied: workflow run belongs to a different resource"


async def existing_run(call: Call, run_id: str) -> Run[Any]:
    """Return a run that exists in Temporal, or that this process has created and not started.

    Raises:
        RunNotFoundError: The run does not exist, or it is a run of another workflow.
        HttpError: 403, the run belongs to another resource.
    """
    workflow = call.workflow
    created = call.created.get(workflow.id, run_id)
    run = created or await _known_run(call, run_id)
    if created is None and run.status == "pending":
        raise RunNotFoundError(run_id)
    await require_own(call, run)
    return run


async def suspended_run(call: Call, run_id: str) -> Run[Any]:
    """Return a run for a resume. Whether it is suspended is checked by the resume itself.

    Raises:
        RunNotSuspendedError: The run was created by this process and is not started.
    """
    run = await existing_run(call, run_id)
    if call.created.get(run.workflow_id, run_id) is not None and await run.fetch_status() == "pending":
        raise RunNotSuspendedError("This workflow run was not suspended")
    return run


async def new_run(call: Call, run_id: str | None, resource_id: str | None) -> Run[Any]:
    """Return the run to start. A run with this id may exist already.

    Args:
        call: The request.
        run_id: The run's id. Default: a new id.
        resource_id: The resource id that the client sent. The caller's own resource id takes precedence.
    """
    resource_id = call.caller.resource_id or resource_id
    workflow = call.workflow
    if run_id is None:
        return await workflow.create_run(resource_id=resource_id)
    created = call.created.get(workflow.id, run_id)
    if created is None:
        run = await workflow.create_run(run_id=run_id, resource_id=resource_id)
    else:
        run, created.resource_id = created, created.resource_id or resource_id
    await require_own(call, run)
    return run


async def require_own(call: Call, run: Run[Any]) -> None:
    """Refuse a run of another resource, if the caller is restricted to a resource.

    Raises:
        HttpError: 403, the run belongs to another resource.
    """
    if call.caller.resource_id is None:
        return
    owner = run.resource_id
    if run.status != "pending":
        state = await call.workflow.get_workflow_run_by_id(run.run_id, fields=(), with_nested_workflows=False)
        owner = None if state is None else state.resource_id
    if owner and owner != call.caller.resource_id:
        raise HttpError(403, FOREIGN)


def context_of(call: Call) -> dict[str, Any]:
    """Return the request context of a run: the client's entries without reserved keys, then the server's entries."""
    sent: dict[str, Any] = getattr(call.body, "request_context", None) or {}
    return {**without_reserved({**call.caller.query_context, **sent}), **call.caller.trusted}


async def _known_run(call: Call, run_id: str) -> Run[Any]:
    try:
        return await call.workflow.create_run(run_id=run_id)
    except RunError as error:
        raise RunNotFoundError(run_id) from error
