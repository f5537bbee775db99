"""What the server knows of a run without its history."""

from __future__ import annotations

from datetime import datetime, timezone

from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.busy import unhurried
from mastra_temporal._protocol.names import typescript_workflow_type

__all__ = ["created_at", "describe", "is_no_such_run", "workflow_types"]


def workflow_types(workflow_id: str) -> tuple[str, str]:
    """The Temporal workflow types of a workflow: its own id, and the one that a TypeScript client starts."""
    return workflow_id, typescript_workflow_type(workflow_id)


async def describe(client: Client, run_id: str) -> WorkflowExecutionDescription | None:
    """What the server knows of a run without its history; None when it does not know it."""
    try:
        return await unhurried(client.get_workflow_handle(run_id).describe)
    except RPCError as error:
        if is_no_such_run(error):
            return None
        raise


def created_at(description: WorkflowExecutionDescription) -> datetime:
    """When the run was started: its first execution, if it has been continued as new."""
    extended = description.raw_description.workflow_extended_info
    if extended.HasField("original_start_time"):
        return extended.original_start_time.ToDatetime(tzinfo=timezone.utc)
    return description.start_time


def is_no_such_run(error: BaseException) -> bool:
    """Whether the server has no such run; that it has no such namespace is said with the same status."""
    if not isinstance(error, RPCError):
        return False
    return error.status == RPCStatusCode.NOT_FOUND and not error.message.startswith("Namespace ")
