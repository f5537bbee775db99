"""List runs with Temporal's visibility.

Visibility is eventually consistent: it lags by milliseconds on a small server and by seconds on a busy one. So we use
it only for data that cannot change any more. The status of an open run (running, waiting or suspended) is read from the
run itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypedDict, get_args

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from mastra_temporal._client.records.description import describe, workflow_types
from mastra_temporal._client.records.open_status import open_status
from mastra_temporal._client.visibility import all_of, equals, one_of
from mastra_temporal._data.shown import shown
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.names import MEMO_PREFIX, MEMO_RESOURCE, MEMO_STATUS
from mastra_temporal._protocol.results import RunStatus
from mastra_temporal.errors import RunError

__all__ = ["RunFilter", "RunFilterOptions", "WorkflowRun", "WorkflowRuns", "is_ours", "list_runs", "run_filter"]

_logger = logging.getLogger("mastra_temporal.client")

OPEN: tuple[RunStatus, ...] = ("running", "waiting", "suspended")
"""Statuses of open runs."""
CLOSED: dict[WorkflowExecutionStatus, RunStatus] = {
    WorkflowExecutionStatus.COMPLETED: "success",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "canceled",
    WorkflowExecutionStatus.TERMINATED: "failed",
    WorkflowExecutionStatus.TIMED_OUT: "failed",
}
"""Statuses of closed runs, by Temporal's status."""
CONCURRENT_LOOKS = 20
"""Maximum number of open runs whose status is read concurrently."""
PAGE_SIZE = 1000
"""Number of executions per visibility request."""


class WorkflowRun(CamelModel):
    """A run in a list. Mastra's ``snapshot`` is not included; use `Workflow.get_workflow_run_by_id`."""

    workflow_name: str
    run_id: str
    resource_id: str | None = None
    status: RunStatus
    created_at: datetime
    updated_at: datetime
    """Time of the end. For an open run, the start time of its current execution."""


class WorkflowRuns(CamelModel):
    """A page of runs, the newest first."""

    runs: list[WorkflowRun]
    total: int
    """Number of runs on all pages."""


class RunFilterOptions(TypedDict, total=False):
    """Filter and page for a list of runs. By default all runs are listed."""

    status: RunStatus | Sequence[RunStatus] | None
    """List only runs with this status, or one of these statuses."""
    resource_id: str | None
    """List only runs of this resource."""
    from_date: datetime | None
    """List only runs created at this time or later. UTC if it has no time zone. Makes the list fast with many runs."""
    to_date: datetime | None
    """List only runs created at this time or earlier."""
    page: int | None
    """Number of the page, from 0. Has an effect only together with ``per_page``, as in Mastra."""
    per_page: int | None
    """Number of runs per page. Has an effect only together with ``page``."""


def run_filter(options: RunFilterOptions) -> RunFilter:
    """Validate the options of a list and return them as a filter.

    Args:
        options: The caller's options.

    Raises:
        RunError: A value is out of range.
        TypeError: An argument does not exist.
    """
    status = options.get("status")
    if status is not None and not isinstance(status, (str, list, tuple, set, frozenset)):
        raise RunError(f"`status` is a status or a list of them, got {shown(status)}.")
    others: dict[str, Any] = {name: value for name, value in options.items() if name != "status"}
    return RunFilter((status,) if isinstance(status, str) else tuple(status or ()), **others)


@dataclass(frozen=True)
class RunFilter:
    """Validated filter and page for a list of runs. The fields are those of `RunFilterOptions`.

    Raises:
        RunError: A value is out of range.
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
                name = status if isinstance(status, str) else shown(status)
                raise RunError(f"There is no status `{name}`: use one of {', '.join(get_args(RunStatus))}.")
        for name, number in (("page", self.page), ("perPage", self.per_page)):
            if number is not None and (not isinstance(number, int) or number < 0):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check types
                raise RunError(f"{name} must be >= 0 and a whole number, got {shown(number)}")
        for name, date in (("from_date", self.from_date), ("to_date", self.to_date)):
            if date is not None and not isinstance(date, datetime):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check types
                raise RunError(f"`{name}` is a datetime, got {shown(date)}.")

    def query(self, types: Iterable[str] | None, task_queue: str | None) -> str:
        """Return the visibility query. It has only conditions whose result cannot change while visibility lags.

        Args:
            types: The Temporal workflow types of the runs. None: all types.
            task_queue: The task queue of the runs. None: all queues.
        """
        only_open = bool(self.statuses) and set(self.statuses) <= set(OPEN)
        return all_of(
            None if types is None else one_of("WorkflowType", types),
            None if task_queue is None else equals("TaskQueue", task_queue),
            "ExecutionStatus = 'Running'" if only_open else None,
            None if self.from_date is None else f"StartTime >= '{_utc(self.from_date).isoformat()}'",
        )

    def admits(self, run: WorkflowRun) -> bool:
        """Return whether a run matches the filter, apart from its status."""
        if self.resource_id is not None and run.resource_id != self.resource_id:
            return False
        if self.from_date is not None and run.created_at < _utc(self.from_date):
            return False
        return self.to_date is None or run.created_at <= _utc(self.to_date)

    def shown(self, runs: list[WorkflowRun]) -> list[WorkflowRun]:
        """Return the requested page. Return all runs unless both page number and size are given."""
        if self.page is None or self.per_page is None:
            return runs
        return runs[self.page * self.per_page : (self.page + 1) * self.per_page]


async def list_runs(
    client: Client,
    workflow_ids: Iterable[str] | None,
    task_queue: str | None,
    wanted: RunFilter,
    deleted: Collection[str] = (),
) -> WorkflowRuns:
    """Return the runs of some workflows on a task queue.

    Args:
        client: The client.
        workflow_ids: The workflows. None: all workflows of this package.
        task_queue: The task queue. None: all queues.
        wanted: The filter and the page.
        deleted: Temporal run ids of executions to leave out: visibility still lists them for some time.
    """
    by_type = None if workflow_ids is None else {name: each for each in workflow_ids for name in workflow_types(each)}
    # The query may match too much: some values cannot be quoted completely, see visibility.py.
    found = [
        execution
        async for execution in client.list_workflows(wanted.query(by_type, task_queue), page_size=PAGE_SIZE)
        if execution.run_id not in deleted
        and task_queue in (None, execution.task_queue)
        and (is_ours(execution) if by_type is None else execution.workflow_type in by_type)
    ]
    runs: list[WorkflowRun] = []
    for execution, created in _newest(found):
        workflow_id = execution.workflow_type if by_type is None else by_type[execution.workflow_type]
        run = await _run_of(execution, workflow_id, created)
        if wanted.admits(run):
            runs.append(run)
    runs.sort(key=lambda run: (run.created_at, run.run_id), reverse=True)
    # With a status filter every open run must be looked at before the filter applies. Without one, only those shown.
    if wanted.statuses:
        await _look_at_open(client, runs)
        runs = [run for run in runs if run.status in wanted.statuses]
        return WorkflowRuns(runs=wanted.shown(runs), total=len(runs))
    shown = wanted.shown(runs)
    await _look_at_open(client, shown)
    return WorkflowRuns(runs=shown, total=len(runs))


def is_ours(execution: WorkflowExecution) -> bool:
    """Return whether a client of this package started an execution, or whether it was suspended once."""
    return any(key.startswith(MEMO_PREFIX) for key in execution.raw_info.memo.fields)


def _newest(executions: list[WorkflowExecution]) -> list[tuple[WorkflowExecution, datetime]]:
    """Return the newest execution of each run and the start time of its first one.

    A run has several executions after continue-as-new, time travel, or a new start with the same id.
    """
    newest: dict[str, WorkflowExecution] = {}
    created: dict[str, datetime] = {}
    for execution in executions:
        known = newest.get(execution.id)
        if known is None or execution.start_time > known.start_time:
            newest[execution.id] = execution
        created[execution.id] = min(execution.start_time, created.get(execution.id, execution.start_time))
    return [(execution, created[run_id]) for run_id, execution in newest.items()]


async def _run_of(execution: WorkflowExecution, workflow_id: str, created: datetime) -> WorkflowRun:
    """Return the list entry of an execution. An open one counts as running for now."""
    memo = await _memo(execution)
    status: RunStatus = "running"
    if execution.status is not None and execution.status in CLOSED:
        # Temporal's status of a paused or tripwire run is that of a successful or failed one. Only the memo differs.
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


async def _memo(execution: WorkflowExecution) -> Mapping[str, Any]:
    """Return the memo of an execution, or an empty one if this client cannot read it.

    A namespace may have runs of clients with other codecs. One of them must not make the whole list fail.
    """
    try:
        return await execution.memo()
    except Exception as error:
        _logger.warning(
            "Run `%s` is listed without its resource and with Temporal's status: this client cannot read its memo "
            "(%s). Give it the data converter of the client that started the run.",
            execution.id,
            shown(error),
        )
        return {}


async def _look_at_open(client: Client, runs: list[WorkflowRun]) -> None:
    """Read the status of runs that are open according to visibility, which may lag behind."""
    limit = asyncio.Semaphore(CONCURRENT_LOOKS)

    async def look(run: WorkflowRun) -> None:
        async with limit:
            description = await describe(client, run.run_id)
            if description is None:
                return
            if description.status == WorkflowExecutionStatus.RUNNING:
                run.status = await open_status(description, await _memo(description))
                return
            settled = await _run_of(description, run.workflow_name, run.created_at)
            run.status, run.updated_at = settled.status, settled.updated_at

    await asyncio.gather(*(look(run) for run in runs if run.status == "running"))


def _utc(date: datetime) -> datetime:
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
