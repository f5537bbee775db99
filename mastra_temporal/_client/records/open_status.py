"""The status of an open run, as the server alone knows it: exact, at once, and without any worker."""

from __future__ import annotations

from temporalio.client import WorkflowExecutionDescription

from mastra_temporal._protocol.names import MEMO_STATUS
from mastra_temporal._protocol.results import RunStatus

__all__ = ["open_status"]


async def open_status(description: WorkflowExecutionDescription) -> RunStatus:
    """The status of an open run.

    A run with no activity and no workflow task to be done has a timer to wait for, or a person.
    """
    raw = description.raw_description
    if raw.workflow_extended_info.cancel_requested:
        return "canceled"
    if (await description.memo()).get(MEMO_STATUS) == "suspended":
        return "suspended"
    busy = bool(raw.pending_activities) or raw.HasField("pending_workflow_task")
    return "running" if busy else "waiting"
