"""Temporal's description of a run, read without its history."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.busy import unhurried
from mastra_temporal._data.shown import shown
from mastra_temporal._definition.ids import fault_of
from mastra_temporal._protocol.names import typescript_workflow_type
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal.errors import RunError, RunNotFoundError

__all__ = ["created_at", "describe", "is_no_such_run", "no_such_run", "started_with", "workflow_types"]


def workflow_types(workflow_id: str) -> tuple[str, str]:
    """Return the Temporal workflow types of a workflow: its own id, and the type that a TypeScript client starts."""
    return workflow_id, typescript_workflow_type(workflow_id)


async def describe(client: Client, run_id: str) -> WorkflowExecutionDescription | None:
    """Return Temporal's description of a run, or None if there is no such run.

    Raises:
        RunError: The id is not text.
    """
    if not isinstance(run_id, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check types
        raise RunError(f"A run id is text, got {shown(run_id)}.")
    if fault_of(run_id) is not None:
        return None  # no run can have this id, and the server or protobuf would raise an error of its own
    try:
        return await unhurried(client.get_workflow_handle(run_id).describe)
    except RPCError as error:
        if is_no_such_run(error):
            return None
        raise


def created_at(description: WorkflowExecutionDescription) -> datetime:
    """Return the start time of a run. After continue-as-new, it is that of the first execution."""
    extended = description.raw_description.workflow_extended_info
    if extended.HasField("original_start_time"):
        return extended.original_start_time.ToDatetime(tzinfo=timezone.utc)
    return description.start_time


def no_such_run(run_id: str) -> RunNotFoundError:
    """Return the error for a run id that Temporal does not know."""
    return RunNotFoundError(
        f"There is no run `{run_id}`: check its id and the namespace. A closed run is deleted after the namespace's "
        "retention period."
    )


def is_no_such_run(error: BaseException) -> bool:
    """Return whether an error means that there is no such run. A missing namespace has the same status code."""
    if not isinstance(error, RPCError):
        return False
    return error.status == RPCStatusCode.NOT_FOUND and not error.message.startswith("Namespace ")


async def started_with(handle: WorkflowHandle[Any, Any], client: Client) -> StartEnvelope:
    """Return the argument with which an execution was started, from the first event of its history."""
    first = await anext(aiter(handle.fetch_history_events(page_size=1)))
    payloads = first.workflow_execution_started_event_attributes.input.payloads
    [envelope] = await client.data_converter.decode(payloads, [StartEnvelope])
    return envelope
