"""The run that a request is about."""

from __future__ import annotations

from typing import Any

from mastra_temporal import Run, RunError, RunNotFoundError, RunNotSuspendedError
from mastra_temporal.server.errors import HttpError
from mastra_temporal.server.route import Call
from mastra_temporal.server.security import without_reserved

__all__ = ["context_of", "existing_run", "new_run", "require_own", "suspended_run"]

FOREIGN = "Access denied: workflow run belongs to a different resource"


async def existing_run(call: Call, run_id: str) -> Run[Any]:
    """A run that Temporal knows, or that was made here and not started yet.

    Raises:
        RunNotFoundError: There is none of that id, or it is a run of another workflow.
        HttpError: 403, it belongs to somebody else.
    """
    workflow = call.workflow
    created = call.created.get(workflow.id, run_id)
    run = created or await _known_run(call, run_id)
    if created is None and run.status == "pending":
        raise RunNotFoundError(run_id)
    await require_own(call, run)
    return run


async def suspended_run(call: Call, run_id: str) -> Run[Any]:
    """A run that may be resumed: it is started, at least.

    Raises:
        RunNotSuspendedError: It was made here and not started yet.
    """
    run = await existing_run(call, run_id)
    if call.created.get(run.workflow_id, run_id) is not None and await run.fetch_status() == "pending":
        raise RunNotSuspendedError("This workflow run was not suspended")
    return run


async def new_run(call: Call, run_id: str | None, resource_id: str | None) -> Run[Any]:
    """The run to be started under an id, which may exist already.

    Args:
        call: The request.
        run_id: The id; without one a new one is made.
        resource_id: Whose run it is, as the client says. What the server knows of the caller wins.
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
    """Refuse a run that belongs to somebody else than the caller, where the server knows who calls."""
    if call.caller.resource_id is None:
        return
    owner = run.resource_id
    if run.status != "pending":
        state = await call.workflow.get_workflow_run_by_id(run.run_id, fields=(), with_nested_workflows=False)
        owner = None if state is None else state.resource_id
    if owner and owner != call.caller.resource_id:
        raise HttpError(403, FOREIGN)


def context_of(call: Call) -> dict[str, Any]:
    """The request context of a run: what the client sent, without the keys that are the server's; then the server's."""
    sent: dict[str, Any] = getattr(call.body, "request_context", None) or {}
    return {**without_reserved({**call.caller.query_context, **sent}), **call.caller.trusted}


async def _known_run(call: Call, run_id: str) -> Run[Any]:
    try:
        return await call.workflow.create_run(run_id=run_id)
    except RunError as error:
        raise RunNotFoundError(run_id) from error
