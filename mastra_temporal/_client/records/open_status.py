"""The status of an open run, read from its description: exact, without delay, and without a worker."""

from __future__ import annotations

from temporalio.client import WorkflowExecutionDescription

from mastra_temporal._protocol.names import MEMO_STATUS
from mastra_temporal._protocol.results import RunStatus

__all__ = ["open_status"]


async def open_status(description: WorkflowExecutionDescription) -> RunStatus:
    """Return the status of an open run.

    A run without pending activities and without a pending workflow task waits for a timer or an external event.
    """
    raw = description.raw_description
    if raw.workflow_extended_info.cancel_requested:
        return "canceled"
    if (await description.memo()).get(MEMO_STATUS) == "suspended":
        return "suspended"
    busy = bool(raw.pending_activities) or raw.HasField("pending_workflow_task")
    return "running" if busy else "waiting"
