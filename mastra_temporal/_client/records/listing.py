"""Finding runs: Temporal's visibility says which there are, and the runs themselves what they are doing.

Visibility follows what happens within milliseconds on a small server, seconds on a busy one. So it is trusted only for
what cannot change any more; whether an open run is running, waiting or suspended, the server is asked run by run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypedDict, get_args

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from mastra_temporal._client.records.description import describe, workflow_types
from mastra_temporal._client.records.open_status import open_status
from mastra_temporal._client.visibility import all_of, equals, one_of
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.names import MEMO_RESOURCE, MEMO_STATUS
from mastra_temporal._protocol.results import RunStatus
from mastra_temporal.errors import RunError

__all__ = ["RunFilter", "RunFilterOptions", "WorkflowRun", "WorkflowRuns", "list_runs", "run_filter"]

OPEN: tuple[RunStatus, ...] = ("running", "waiting", "suspended")
CLOSED: dict[WorkflowExecutionStatus, RunStatus] = {
    WorkflowExecutionStatus.COMPLETED: "success",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "canceled",
    WorkflowExecutionStatus.TERMINATED: "failed",
    WorkflowExecutionStatus.TIMED_OUT: "failed",
}
CONCURRENT_LOOKS = 20
"""How many open runs are asked for their status at once."""
PAGE_SIZE = 1000


class WorkflowRun(CamelModel):
    """A run in a list. Where Mastra has the whole ``snapshot``, `Workflow.get_workflow_run_by_id` gives it."""

    workflow_name: str
    run_id: str
    resource_id: str | None = None
    status: RunStatus
    created_at: datetime
    updated_at: datetime
    """When it ended; of an open run, when it was started or continued as new."""


class WorkflowRuns(CamelModel):
    """Some runs, the newest first, and how many match without paging."""

    runs: list[WorkflowRun]
    total: int


class RunFilterOptions(TypedDict, total=False):
    """Which runs to list. By default all."""

    status: RunStatus | Sequence[RunStatus] | None
    """Only runs with this status, or one of these."""
    resource_id: str | None
    """Only runs of this resource."""
    from_date: datetime | None
    """Only runs created then or later. Without a zone: UTC. With many runs it is what makes this fast."""
    to_date: datetime | None
    """Only runs created then or earlier."""
    page: int | None
    """Which page, from 0. Without ``per_page`` it has no effect, as in Mastra; nor has that without this."""
    per_page: int | None
    """How many runs a page has."""


def run_filter(options: RunFilterOptions) -> RunFilter:
    """Check which runs to list.

    Raises:
        RunError: A value is out of its range.
        TypeError: There is no such argument.
    """
    status = options.get("status")
    others: dict[str, Any] = {name: value for name, value in options.items() if name != "status"}
    return RunFilter((status,) if isinstance(status, str) else tuple(status or ()), **others)


@dataclass(frozen=True)
class RunFilter:
    """Which runs to list.

    Raises:
        RunError: A value is out of its range.
    """

    statuses: tuple[RunStatus, ...] = ()
    resource_id: str | None = None
    from_date: datetime | None = None
    to_date: datetime | None = None
    page: int | None = None
    per_page: int | None = None

    def __post_init__(self) -> None:
        for status in self.statuses:
            if status not in get_args(RunStatus):
                raise RunError(f"There is no status `{status}`: use one of {', '.join(get_args(RunStatus))}.")
        if self.page is not None and self.page < 0:
            raise RunError("page must be >= 0")
        if self.per_page is not None and self.per_page < 0:
            raise RunError("perPage must be >= 0")

    def query(self, workflow_ids: Iterable[str], task_queue: str) -> str:
        """The part that Temporal's visibility decides: the same before and after a run changes its status."""
        only_open = bool(self.statuses) and set(self.statuses) <= set(OPEN)
        return all_of(
            one_of("WorkflowType", [name for each in workflow_ids for name in workflow_types(each)]),
            equals("TaskQueue", task_queue),
            "ExecutionStatus = 'Running'" if only_open else None,
            None if self.from_date is None else f"StartTime >= '{_utc(self.from_date).isoformat()}'",
        )

    def admits(self, run: WorkflowRun) -> bool:
        """Whether a run is to be listed, its status aside."""
        if self.resource_id is not None and run.resource_id != self.resource_id:
            return False
        if self.from_date is not None and run.created_at < _utc(self.from_date):
            return False
        return self.to_date is None or run.created_at <= _utc(self.to_date)

    def shown(self, runs: list[WorkflowRun]) -> list[WorkflowRun]:
        """The page that was asked for: all, unless both its number and its size are given."""
        if self.page is None or self.per_page is None:
            return runs
        return runs[self.page * self.per_page : (self.page + 1) * self.per_page]


async def list_runs(
    client: Client, workflow_ids: Iterable[str], task_queue: str, wanted: RunFilter, deleted: Collection[str]
) -> WorkflowRuns:
    """The runs of some workflows on a task queue, without the executions that are deleted."""
    by_type = {name: each for each in workflow_ids for name in workflow_types(each)}
    found = [
        execution
        async for execution in client.list_workflows(
            wanted.query(dict.fromkeys(by_type.values()), task_queue), page_size=PAGE_SIZE
        )
        if execution.run_id not in deleted and execution.workflow_type in by_type and execution.task_queue == task_queue
    ]
    runs: list[WorkflowRun] = []
    for execution, created in _newest(found):
        run = await _run_of(execution, by_type[execution.workflow_type], created)
        if wanted.admits(run):
            runs.append(run)
    runs.sort(key=lambda run: (run.created_at, run.run_id), reverse=True)
    if wanted.statuses:
        await _look_at_open(client, runs)
        runs = [run for run in runs if run.status in wanted.statuses]
        return WorkflowRuns(runs=wanted.shown(runs), total=len(runs))
    shown = wanted.shown(runs)
    await _look_at_open(client, shown)
    return WorkflowRuns(runs=shown, total=len(runs))


def _newest(executions: list[WorkflowExecution]) -> list[tuple[WorkflowExecution, datetime]]:
    """The newest execution of each run, and when its first was started: an id is used again to start or go on anew."""
    newest: dict[str, WorkflowExecution] = {}
    created: dict[str, datetime] = {}
    for execution in executions:
        known = newest.get(execution.id)
        if known is None or execution.start_time > known.start_time:
            newest[execution.id] = execution
        created[execution.id] = min(execution.start_time, created.get(execution.id, execution.start_time))
    return [(execution, created[run_id]) for run_id, execution in newest.items()]


async def _run_of(execution: WorkflowExecution, workflow_id: str, created: datetime) -> WorkflowRun:
    memo = await execution.memo()
    status: RunStatus = "running"
    if execution.status is not None and execution.status in CLOSED:
        # Paused and tripwire look like success and failed from outside: then the run has said so.
        said = memo.get(MEMO_STATUS)
        status = said if said in ("paused", "tripwire") else CLOSED[execution.status]
    return WorkflowRun(
        workflow_name=workflow_id,
        run_id=execution.id,
        resource_id=memo.get(MEMO_RESOURCE),
        status=status,
        created_at=created,
        updated_at=execution.close_time or execution.start_time,
    )


async def _look_at_open(client: Client, runs: list[WorkflowRun]) -> None:
    """Ask those that seemed to be open: visibility may lag behind, the run's own state does not."""
    limit = asyncio.Semaphore(CONCURRENT_LOOKS)

    async def look(run: WorkflowRun) -> None:
        async with limit:
            description = await describe(client, run.run_id)
            if description is None:
                return
            if description.status == WorkflowExecutionStatus.RUNNING:
                run.status = await open_status(description)
                return
            settled = await _run_of(description, run.workflow_name, run.created_at)
            run.status, run.updated_at = settled.status, settled.updated_at

    await asyncio.gather(*(look(run) for run in runs if run.status == "running"))


def _utc(date: datetime) -> datetime:
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
