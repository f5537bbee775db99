"""Bulk restart after an outage: restart all runs that lost their workers, many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus

from mastra_temporal._client.records.description import workflow_types
from mastra_temporal._client.records.open_status import open_status
from mastra_temporal._client.recovery.liveness import LivenessChecker
from mastra_temporal._client.recovery.queues import has_pollers as is_attended
from mastra_temporal._client.recovery.reschedule import reschedule, workers_of
from mastra_temporal._client.rpc_errors import explain
from mastra_temporal._client.run import Run
from mastra_temporal._client.session import Session
from mastra_temporal._client.visibility import all_of, equals, one_of
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.results import WorkflowResult
from mastra_temporal.errors import RunError, ServerUnreachableError

__all__ = ["RestartReport", "RestartedRun", "Restarting"]

CONCURRENCY = 50
"""Maximum number of runs restarted concurrently. Without a limit, thousands would overload the workers and server."""
PATIENCE_SECONDS = 60
"""Seconds to wait for one run to move again. Its worker is up, but may have to replay other runs' histories first."""


@dataclass(frozen=True)
class RestartedRun:
    """Result of a bulk restart for one run."""

    run_id: str
    workflow_id: str
    how: Literal["restarted", "attached", "skipped", "failed"]
    """``restarted``: its lost steps are scheduled again. ``attached``: it is healthy and continues by itself.
    ``skipped``: it must not be restarted. ``failed``: it could not be restarted."""
    why: str
    """Human-readable reason."""


@dataclass
class RestartReport:
    """Report of a bulk restart. Every restarted run is moving again; `wait` returns the results."""

    runs: list[RestartedRun]
    """All runs, in the order in which the server lists them (latest first)."""
    _handles: dict[str, Run[Any]] = field(repr=False)

    @property
    def restarted(self) -> list[RestartedRun]:
        """Runs whose lost steps were scheduled again."""
        return self._of("restarted")

    @property
    def attached(self) -> list[RestartedRun]:
        """Runs that were healthy and continue by themselves."""
        return self._of("attached")

    @property
    def skipped(self) -> list[RestartedRun]:
        """Runs that must not be restarted: suspended, canceled, or opted out."""
        return self._of("skipped")

    @property
    def failed(self) -> list[RestartedRun]:
        """Runs that could not be restarted."""
        return self._of("failed")

    async def wait(self) -> dict[str, WorkflowResult[Any]]:
        """Wait until all restarted and attached runs have ended or are suspended.

        Returns:
            The results by run id.
        """
        going = [item.run_id for item in self.runs if item.how in ("restarted", "attached")]
        results = await _some_at_a_time([self._handles[run_id].join() for run_id in going])
        return dict(zip(going, results, strict=True))

    def _of(self, how: str) -> list[RestartedRun]:
        return [item for item in self.runs if item.how == how]


class Restarting:
    """A bulk restart: `find` the active runs, then `restart` them."""

    def __init__(self, session: Session, workflows: Iterable[WorkflowDefinition], *, opted_out: bool) -> None:
        """Prepare a bulk restart.

        Args:
            session: The connection.
            workflows: The workflows whose runs are restarted.
            opted_out: Also restart runs of workflows with ``auto_restart_active_runs=False``.
        """
        self._session = session
        self._workflows = {name: workflow for workflow in workflows for name in workflow_types(workflow.id)}
        self._opted_out = opted_out
        self._liveness = LivenessChecker(session.client)
        self._handles: dict[str, Run[Any]] = {}
        self._attended: dict[str, asyncio.Task[bool]] = {}

    async def find(self) -> int:
        """Find the open runs and return how many there are."""
        queue = self._session.task_queue
        query = all_of(
            "ExecutionStatus = 'Running'", equals("TaskQueue", queue), one_of("WorkflowType", self._workflows)
        )
        async for execution in self._session.client.list_workflows(query):
            # The query may match too much: some values cannot be quoted completely, see visibility.py.
            if execution.task_queue == queue and execution.workflow_type in self._workflows:
                self._handles[execution.id] = self._handle(execution)
        return len(self._handles)

    async def restart(self, done: Callable[[RestartedRun], None] = lambda run: None) -> RestartReport:
        """Restart the orphaned runs and return when each of them is moving again.

        Args:
            done: Called after each run.

        Returns:
            What was done with each run.

        Raises:
            ServerUnreachableError: The server does not answer. Other errors are reported per run.
        """

        async def one(run: Run[Any]) -> RestartedRun:
            try:
                how, why = await asyncio.wait_for(self._restart(run), PATIENCE_SECONDS)
            except asyncio.TimeoutError:
                how, why = "failed", f"no worker of task queue `{self._session.task_queue}` answered in time"
            except ServerUnreachableError:
                raise
            except Exception as error:
                reason = await explain(error, lambda: self._session.client, run.label)
                how, why = "failed", f"{type(reason).__name__}: {reason}"
            result = RestartedRun(run.run_id, run.workflow_id, how, why)
            done(result)
            return result

        return RestartReport(await _some_at_a_time([one(run) for run in self._handles.values()]), self._handles)

    async def _restart(self, run: Run[Any]) -> tuple[Literal["restarted", "attached", "skipped"], str]:
        client = self._session.client
        if not (self._opted_out or self._workflows[run.workflow_id].options.auto_restart_active_runs):
            return "skipped", "auto_restart_active_runs is False"
        description = await client.get_workflow_handle(run.run_id).describe()
        # Visibility lags behind, so look at the run itself before acting on it.
        if description.status != WorkflowExecutionStatus.RUNNING:
            return "attached", "it ended meanwhile"
        status = await open_status(description)
        if status in ("canceled", "suspended"):
            return "skipped", f"it is {status}"
        attended, _ = await asyncio.gather(
            self._is_attended(description.task_queue),
            # `reschedule` needs this verdict too. It takes seconds, so compute it while the pollers are checked.
            self._liveness.gone(run.run_id, workers_of(description.raw_description.pending_activities)),
        )
        # Without a worker, the update of `reschedule` would wait until the timeout. Fail with the reason instead.
        if not attended:
            raise RunError(f"no worker polls the task queue `{description.task_queue}`")
        done = await reschedule(client, run.run_id, liveness=self._liveness)
        return done.how, done.why

    async def _is_attended(self, task_queue: str) -> bool:
        """Return whether a worker polls a task queue. All runs share one check per queue."""
        if task_queue not in self._attended:
            asking = is_attended(self._session.client, task_queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
            self._attended[task_queue] = asyncio.create_task(asking)
        # Shield the shared check: without it, a timeout of one run would cancel it for all other runs.
        return await asyncio.shield(self._attended[task_queue])

    def _handle(self, execution: WorkflowExecution) -> Run[Any]:
        workflow = self._workflows[execution.workflow_type]
        run: Run[Any] = Run(self._session, workflow, run_id=execution.id, resource_id=None)
        run.status = "running"
        return run


async def _some_at_a_time(work: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Run coroutines with at most `CONCURRENCY` at a time. Return their results in order."""
    limit = asyncio.Semaphore(CONCURRENCY)

    async def limited(item: Coroutine[Any, Any, Any]) -> Any:
        async with limit:
            return await item

    return await asyncio.gather(*(limited(item) for item in work))
