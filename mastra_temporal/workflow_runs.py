"""What a registered workflow knows of its runs: finding, reading and deleting their records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from mastra_temporal.errors import DefinitionError

if TYPE_CHECKING:
    from mastra_temporal._client.records.listing import WorkflowRuns
    from mastra_temporal._client.records.reader import RunRecords
    from mastra_temporal._client.records.state import WorkflowState
    from mastra_temporal._client.recovery.bulk import RestartReport
    from mastra_temporal._protocol.results import RunStatus

__all__ = ["HasRuns", "Runner"]


class Runner(Protocol):
    """What makes runs of a registered workflow, and keeps their records: the ``Mastra`` registry."""

    async def create_run(self, workflow: Any, *, run_id: str | None, resource_id: str | None) -> Any:
        """Make a run of the workflow."""
        ...

    async def restart_all_runs_of(self, workflow: Any) -> RestartReport:
        """Restart all orphaned runs of the workflow."""
        ...

    @property
    def records(self) -> RunRecords:
        """The records of all runs."""
        ...


class HasRuns:
    """The part of `Workflow` that deals with recorded runs. Everything comes from Temporal; no worker is needed."""

    id: str
    _runner: Runner | None = None

    def bind(self, runner: Runner) -> None:
        """Register the workflow with what makes its runs. Called by ``Mastra``."""
        self._runner = runner

    @property
    def _registry(self) -> Runner:
        if self._runner is None:
            raise DefinitionError(
                f"workflow `{self.id}` is not registered: list it in Mastra(workflows=[...]) before making a run of it."
            )
        return self._runner

    async def restart_all_active_workflow_runs(self) -> RestartReport:
        """Restart all runs of this workflow that lost their workers, whatever ``auto_restart_active_runs`` says.

        Returns as soon as each is moving again. Mastra's ``restartAllActiveWorkflowRuns()``; see
        `Mastra.restart_all_active_workflow_runs`.
        """
        return await self._registry.restart_all_runs_of(self)

    async def get_workflow_run_by_id(
        self, run_id: str, *, fields: Iterable[str] | None = None, with_nested_workflows: bool = True
    ) -> WorkflowState | None:
        """Read a run: status, input, result and every step, of an open run as of this moment.

        Mastra's ``workflow.getWorkflowRunById()``. A run that was made here and not started yet has the status
        ``pending``; elsewhere it is unknown. The id of a run of a workflow that has this one nested in it gives the
        nested part.

        Args:
            run_id: The run.
            fields: The fields of the record that are wanted, in snake_case or camelCase. By default, and where there
                are none, all but ``request_context``. Identity, times and status are always there.
            with_nested_workflows: Whether ``steps`` includes those of nested workflows, as ``parent.child``.

        Returns:
            The record, or None when there is no such run of this workflow.

        Raises:
            RunError: A record has no field of that name.
            ServerUnreachableError: No server answers.
        """
        return await self._registry.records.fetch(self.id, run_id, fields, nested=with_nested_workflows)

    async def list_workflow_runs(
        self,
        *,
        status: RunStatus | Sequence[RunStatus] | None = None,
        resource_id: str | None = None,
        from_date: datetime | None = None,
        to_date: datetime | None = None,
        page: int | None = None,
        per_page: int | None = None,
    ) -> WorkflowRuns:
        """Find the runs of this workflow, the newest first. Mastra's ``workflow.listWorkflowRuns()``.

        Of the runs on the registry's task queue; those made but not started are not among them. A run appears
        shortly after its start (Temporal's visibility lags by milliseconds to seconds); the status that it is shown
        with is exact.

        Args:
            status: Only runs with this status, or one of these.
            resource_id: Only runs of this resource.
            from_date: Only runs created then or later. Without a zone: UTC. With many runs it is what makes this fast.
            to_date: Only runs created then or earlier.
            page: Which page, from 0. Without ``per_page`` it has no effect, as in Mastra; nor has that without this.
            per_page: How many runs a page has.

        Raises:
            RunError: ``page`` or ``per_page`` is below 0, or there is no such status.
            ServerUnreachableError: No server answers.
        """
        statuses = (status,) if isinstance(status, str) else tuple(status or ())
        return await self._registry.records.list(
            [self.id],
            statuses=statuses,
            resource_id=resource_id,
            from_date=from_date,
            to_date=to_date,
            page=page,
            per_page=per_page,
        )

    async def list_active_workflow_runs(self) -> WorkflowRuns:
        """The runs that are running or waiting, the newest first. Mastra's ``workflow.listActiveWorkflowRuns()``."""
        return await self._registry.records.list([self.id], statuses=("running", "waiting"))

    async def delete_workflow_run_by_id(self, run_id: str) -> None:
        """Delete a run from Temporal, with its history; an open one ends at once. An unknown one is no error.

        Mastra's ``workflow.deleteWorkflowRunById()``.

        Raises:
            ServerUnreachableError: No server answers.
        """
        await self._registry.records.delete(self.id, run_id)
