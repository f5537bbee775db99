"""Handlers that describe the workflows and count their open runs."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from weakref import WeakKeyDictionary

from mastra_temporal import Mastra, Workflow
from mastra_temporal.server.answers import RunCounts, WorkflowInfo
from mastra_temporal.server.describe import partly, workflow_info
from mastra_temporal.server.models import WorkflowsQuery
from mastra_temporal.server.route import Call

__all__ = ["count_runs", "get_workflow", "list_workflows"]

COUNTS_SECONDS = 5
"""How long counts are cached, in seconds, as in Mastra. Studio polls them."""

_counts: WeakKeyDictionary[Mastra, tuple[float, asyncio.Task[dict[str, RunCounts]]]] = WeakKeyDictionary()


async def list_workflows(call: Call) -> dict[str, WorkflowInfo]:
    """Return all workflows by id."""
    query: WorkflowsQuery = call.query
    infos = {workflow_id: workflow_info(each) for workflow_id, each in call.mastra.list_workflows().items()}
    return {each: partly(info) for each, info in infos.items()} if query.partial == "true" else infos


async def get_workflow(call: Call) -> WorkflowInfo:
    """Return a workflow."""
    return workflow_info(call.workflow)


async def count_runs(call: Call) -> dict[str, RunCounts]:
    """Count the running and suspended runs of each workflow, only those of the caller's resource if it has one."""
    if call.caller.resource_id is not None:
        return await _count(call.mastra, call.caller.resource_id)
    now = time.monotonic()
    counted, counts = _counts.get(call.mastra, (0.0, None))
    if counts is None or now - counted > COUNTS_SECONDS or (counts.done() and counts.exception() is not None):
        counts = asyncio.ensure_future(_count(call.mastra, None))
        _counts[call.mastra] = now, counts
    # Several requests await the same task. Without the shield, one client that disconnects would cancel it for all.
    return await asyncio.shield(counts)


async def _count(mastra: Mastra, resource_id: str | None) -> dict[str, RunCounts]:
    workflows = mastra.list_workflows()
    counts = await asyncio.gather(*(_count_of(workflow, resource_id) for workflow in workflows.values()))
    return dict(zip(workflows, counts, strict=True))


async def _count_of(workflow: Workflow[Any, Any, Any], resource_id: str | None) -> RunCounts:
    found = await workflow.list_workflow_runs(status=("running", "suspended"), resource_id=resource_id)
    suspended = sum(run.status == "suspended" for run in found.runs)
    return RunCounts(running=len(found.runs) - suspended, suspended=suspended)
