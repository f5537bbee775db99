"""Run records: read, list and delete runs in Temporal, without a worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, cast

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode
from typing_extensions import Unpack

from mastra_temporal._client.find import find_run
from mastra_temporal._client.outcome import ending
from mastra_temporal._client.records.description import created_at, describe, no_such_run, workflow_types
from mastra_temporal._client.records.ended import state_from_result
from mastra_temporal._client.records.listing import RunFilterOptions, WorkflowRuns, list_runs, run_filter
from mastra_temporal._client.records.progress import RunProgress, progress_of
from mastra_temporal._client.records.state import WorkflowState, nested_state, only, root_state, wanted_fields
from mastra_temporal._client.replay import replay
from mastra_temporal._client.rpc_errors import translate_rpc_errors
from mastra_temporal._client.run import Run
from mastra_temporal._client.session import LiveRun, Session
from mastra_temporal._client.visibility import equals
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.results import WorkflowResult
from mastra_temporal._worker.workflow.temporal_workflow import MastraWorkflow
from mastra_temporal.errors import RunRefusedError

__all__ = ["RunRecords"]


class RunRecords:
    """Records of the runs on a task queue, including the `Run` objects of this process that are not started yet."""

    label = "The records of runs"
    """Description for error messages."""

    def __init__(self, session: Session) -> None:
        """Create the records of a session."""
        self._session = session
        self._deleted: set[str] = set()
        """Temporal run ids of executions deleted here. The server may take a minute to remove them, so we hide them."""

    @property
    def client(self) -> Client:
        """The Temporal client."""
        return self._session.client

    @translate_rpc_errors
    async def fetch(
        self, workflow_id: str, run_id: str, fields: Iterable[str] | None, *, nested: bool
    ) -> WorkflowState | None:
        """See `Workflow.get_workflow_run_by_id`."""
        wanted = wanted_fields(fields)
        description = await self._describe(run_id)
        if description is None:
            run = self._session.live_runs.get((workflow_id, run_id))
            state = _unstarted(run) if run is not None and run.status in ("pending", "canceled") else None
        else:
            state = None
            if description.workflow_type in workflow_types(workflow_id):
                base = _base(workflow_id, description, description.close_time)
                state = await state_from_result(self.client, description, base, wanted, nested=nested)
            if state is None:
                history = await _history(self.client, description)
                state = await _recorded(self.client, workflow_id, description, history, nested=nested)
        return None if state is None else only(state, wanted)

    @translate_rpc_errors
    async def list(self, workflow_ids: Sequence[str], **wanted: Unpack[RunFilterOptions]) -> WorkflowRuns:
        """See `Workflow.list_workflow_runs`."""
        filter = run_filter(wanted)
        return await list_runs(self.client, workflow_ids, self._session.task_queue, filter, self._deleted)

    @translate_rpc_errors
    async def list_everywhere(
        self, workflow_ids: Sequence[str] | None, task_queue: str | None, **wanted: Unpack[RunFilterOptions]
    ) -> WorkflowRuns:
        """See `Mastra.list_workflow_runs`."""
        return await list_runs(self.client, workflow_ids, task_queue, run_filter(wanted), self._deleted)

    @translate_rpc_errors
    async def find(self, workflows: Mapping[str, WorkflowDefinition], run_id: str) -> Run[Any]:
        """See `Mastra.get_run`."""
        return await find_run(self._session, workflows, run_id)

    @translate_rpc_errors
    async def progress(self, run_id: str) -> RunProgress:
        """See `Mastra.get_run_progress`."""
        description = await self._describe(run_id)
        if description is None:
            raise no_such_run(run_id)
        history = await _history(self.client, description)
        state = await _recorded(self.client, description.workflow_type, description, history, nested=True)
        shown = only(cast("WorkflowState", state), wanted_fields(None))
        return await progress_of(self.client, description, history.events, shown)

    @translate_rpc_errors
    async def terminate(self, run_id: str, reason: str | None) -> bool:
        """See `Mastra.terminate_run`."""
        description = await describe(self.client, run_id)
        if description is None:
            raise no_such_run(run_id)
        try:
            await self.client.get_workflow_handle(run_id, run_id=description.run_id).terminate(reason=reason)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return False  # it has ended
        return True

    @translate_rpc_errors
    async def delete_any(self, run_id: str) -> None:
        """See `Mastra.delete_run`."""
        description = await describe(self.client, run_id)
        if description is None:
            raise no_such_run(run_id)
        await self.delete(description.workflow_type, run_id)

    @translate_rpc_errors
    async def delete(self, workflow_id: str, run_id: str) -> None:
        """See `Workflow.delete_workflow_run_by_id`."""
        description = await describe(self.client, run_id)
        self._session.live_runs.pop((workflow_id, run_id), None)
        if description is None or description.workflow_type not in workflow_types(workflow_id):
            return
        # A run may have several executions. One that is left would make the run appear again.
        found = self.client.list_workflows(equals("WorkflowId", run_id))
        listed = [each.run_id async for each in found if each.id == run_id]
        for execution in {description.run_id, *listed}:
            await _delete_execution(self.client, run_id, execution)
            self._deleted.add(execution)

    async def _describe(self, run_id: str) -> WorkflowExecutionDescription | None:
        """Return Temporal's description of a run, or None if it does not exist or was deleted here."""
        description = await describe(self.client, run_id)
        return None if description is None or description.run_id in self._deleted else description


async def _history(client: Client, description: WorkflowExecutionDescription) -> WorkflowHistory:
    return await client.get_workflow_handle(description.id, run_id=description.run_id).fetch_history()


def _base(workflow_id: str, description: WorkflowExecutionDescription, updated_at: datetime | None) -> dict[str, Any]:
    """Return the fields of a record that do not come from the workflow."""
    return {
        "run_id": description.id,
        "workflow_name": workflow_id,
        "created_at": created_at(description),
        "updated_at": updated_at,
    }


async def _recorded(
    client: Client,
    workflow_id: str,
    description: WorkflowExecutionDescription,
    history: WorkflowHistory,
    *,
    nested: bool,
) -> WorkflowState | None:
    """Return the record of a run, or of a workflow nested in it, by replay of its history."""
    own = description.workflow_type in workflow_types(workflow_id)
    base = _base(workflow_id, description, history.events[-1].event_time.ToDatetime(tzinfo=timezone.utc))

    def read(workflow: MastraWorkflow) -> WorkflowState | None:
        if own:
            return root_state(workflow.inspect(), base, nested=nested)
        return nested_state(workflow.inspect(), workflow_id, base, nested=nested)

    state = await replay(client, history, read)
    if own and state is not None:
        await _settle(client, state, description)
    return state


def _unstarted(run: LiveRun) -> WorkflowState:
    """Return the record of a run that is not started yet."""
    return WorkflowState(
        run_id=run.run_id,
        workflow_name=run.workflow_id,
        resource_id=run.resource_id,
        created_at=run.created_at,
        updated_at=run.created_at,
        status=run.status,
        is_from_in_memory=True,
        steps={},
        active_steps_path={},
        serialized_step_graph=run.serialized_step_graph,
        suspended_paths={},
        resume_labels={},
        waiting_paths={},
    )


async def _settle(client: Client, state: WorkflowState, description: WorkflowExecutionDescription) -> None:
    """Set the status that the workflow itself cannot know: cancellation requested, or closed from outside."""
    if description.status == WorkflowExecutionStatus.RUNNING:
        if description.raw_description.workflow_extended_info.cancel_requested:
            state.status = "canceled"
    elif state.status in ("running", "waiting", "suspended", "pending"):
        handle = client.get_workflow_handle(description.id, run_id=description.run_id, result_type=WorkflowResult[Any])
        try:
            ended = await ending(handle)
        except RunRefusedError as error:
            state.status, state.error = "failed", {"name": type(error).__name__, "message": str(error)}
        else:
            if isinstance(ended, WorkflowResult):
                state.status, state.error, state.result = ended.status, ended.error, ended.result
            else:
                state.status, state.error, state.result = ended["status"], ended.get("error"), None


async def _delete_execution(client: Client, run_id: str, execution: str) -> None:
    try:
        await client.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=run_id, run_id=execution),
            )
        )
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
