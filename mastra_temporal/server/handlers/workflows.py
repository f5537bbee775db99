"""Which workflows there are, and how many runs of each are open."""

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
"""How long counts are kept, as in Mastra: Studio asks for them all the time."""

_counts: WeakKeyDictionary[Mastra, tuple[float, asyncio.Task[dict[str, RunCounts]]]] = WeakKeyDictionary()


async def list_workflows(call: Call) -> dict[str, WorkflowInfo]:
    """All workflows by id."""
    query: WorkflowsQuery = call.query
    infos = {workflow_id: workflow_info(each) for workflow_id, each in call.mastra.list_workflows().items()}
    return {each: partly(info) for each, info in infos.items()} if query.partial == "true" else infos


async def get_workflow(call: Call) -> WorkflowInfo:
    """One workflow."""
    return workflow_info(call.workflow)


async def count_runs(call: Call) -> dict[str, RunCounts]:
    """How many runs of each workflow are running and suspended; of the caller's resource only, where there is one."""
    if call.caller.resource_id is not None:
        return await _count(call.mastra, call.caller.resource_id)
    now = time.monotonic()
    counted, counts = _counts.get(call.mastra, (0.0, None))
    if counts is None or now - counted > COUNTS_SECONDS or (counts.done() and counts.exception() is not None):
        counts = asyncio.ensure_future(_count(call.mastra, None))
        _counts[call.mastra] = now, counts
    return await asyncio.shield(counts)  # many may wait for it


async def _count(mastra: Mastra, resource_id: str | None) -> dict[str, RunCounts]:
    workflows = mastra.list_workflows()
    counts = await asyncio.gather(*(_count_of(workflow, resource_id) for workflow in workflows.values()))
    return dict(zip(workflows, counts, strict=True))


async def _count_of(workflow: Workflow[Any, Any, Any], resource_id: str | None) -> RunCounts:
    found = await workflow.list_workflow_runs(status=("running", "suspended"), resource_id=resource_id)
    suspended = sum(run.status == "suspended" for run in found.runs)
    return RunCounts(running=len(found.runs) - suspended, suspended=suspended)
