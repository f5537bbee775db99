"""The status of an open run, read from its description: exact, without delay, and without a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporalio.client import WorkflowExecutionDescription

from mastra_temporal._protocol.names import MEMO_STATUS
from mastra_temporal._protocol.results import RunStatus

__all__ = ["open_status"]


async def open_status(description: WorkflowExecutionDescription, memo: Mapping[str, Any] | None = None) -> RunStatus:
    """Return the status of an open run.

    A run without pending activities and without a pending workflow task waits for a timer or an external event.

    Args:
        description: The description of its execution.
        memo: The memo of the execution, if the caller has read it.
    """
    raw = description.raw_description
    if raw.workflow_extended_info.cancel_requested:
        return "canceled"
    memo = await description.memo() if memo is None else memo
    if memo.get(MEMO_STATUS) == "suspended":
        return "suspended"
    busy = bool(raw.pending_activities) or raw.HasField("pending_workflow_task")
    return "running" if busy else "waiting"
