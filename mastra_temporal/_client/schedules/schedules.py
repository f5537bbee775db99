"""`mastra.schedules`: create and manage schedules, stored as Temporal Schedules."""

from __future__ import annotations

import builtins
import logging
import time
import uuid
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from temporalio.client import (
    Client,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.create import create_run
from mastra_temporal._client.rpc_errors import translate_rpc_errors
from mastra_temporal._client.run import Run
from mastra_temporal._client.schedules.codec import MARK, ScheduleRecord, json_config, read_schedule, temporal_schedule
from mastra_temporal._client.session import Session
from mastra_temporal._definition.schedule import ScheduleConfig, declared_id, slug
from mastra_temporal._definition.workflow_definition import WorkflowDefinition, find_workflow
from mastra_temporal.errors import ScheduleError

__all__ = ["Reconciliation", "ScheduleRecord", "Schedules"]

PREFIXES = ("wf_", "schedule_")
"""Prefixes of the ids of our schedules: declared by a workflow, created by `Schedules.create`."""

_logger = logging.getLogger("mastra_temporal.schedules")


class _Unset:
    """Type of the default that distinguishes an argument that was left out from None."""


UNSET: Final[Any] = _Unset()


@dataclass(frozen=True)
class Reconciliation:
    """Ids of the schedules that `Schedules.reconcile` changed."""

    created: list[str] = field(default_factory=lambda: list[str]())
    updated: list[str] = field(default_factory=lambda: list[str]())
    deleted: list[str] = field(default_factory=lambda: list[str]())


class Schedules:
    """The schedules of an application. Mastra's ``mastra.schedules``: https://mastra.ai/reference/schedules/overview.

    Schedules that other software created are ignored. The ids are the same as in Mastra: ``wf_<workflow>`` or
    ``wf_<workflow>__<id>`` if a workflow declares the schedule, ``schedule_<id>`` if `create` created it.
    """

    def __init__(self, session: Session, workflows: Mapping[str, WorkflowDefinition]) -> None:
        """Use ``mastra.schedules`` instead."""
        self._session = session
        self._workflows = workflows

    @property
    def client(self) -> Client:
        """The Temporal client."""
        return self._session.client

    @property
    def label(self) -> str:
        """Description for error messages."""
        return "schedules"

    @translate_rpc_errors
    async def create(
        self,
        *,
        workflow_id: str,
        cron: str,
        timezone: str = "UTC",
        input_data: Any = None,
        initial_state: dict[str, Any] | None = None,
        request_context: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        status: Literal["active", "paused"] = "active",
        id: str | None = None,
    ) -> ScheduleRecord:
        """Create a schedule at run time. It exists until it is deleted, independent of deploys.

        Args:
            workflow_id: The registered workflow that it starts.
            cron: Cron expression; see `ScheduleConfig`, which has the same fields.
            timezone: IANA name of the time zone, such as ``Europe/Berlin``.
            input_data: Input of every run.
            initial_state: The workflow's state at the beginning of every run.
            request_context: Values that steps can read.
            metadata: JSON-able data stored with the schedule.
            status: ``paused`` creates a schedule that starts no runs until `resume`.
            id: Id of the schedule, which becomes ``schedule_<id>``; by default a random one.

        Returns:
            The new schedule.

        Raises:
            DefinitionError: The cron expression or the time zone is not valid.
            WorkflowNotFoundError: No such workflow is registered.
            SchemaValidationError: The data does not match the workflow's schemas.
            ScheduleError: The id is taken.
        """
        config = ScheduleConfig(
            cron=cron,
            timezone=timezone,
            input_data=input_data,
            initial_state=initial_state,
            request_context=request_context,
            metadata=metadata,
        )
        workflow = find_workflow(self._workflows, workflow_id)
        schedule_id = _full_id(id or str(uuid.uuid4()))
        try:
            await self._create(
                schedule_id, workflow, json_config(workflow, config), declared=False, paused=status == "paused"
            )
        except ScheduleAlreadyRunningError:
            raise ScheduleError(f"Schedule `{schedule_id}` exists already: use update(), or another id.") from None
        return await self._require(schedule_id)

    @translate_rpc_errors
    async def get(self, schedule_id: str) -> ScheduleRecord | None:
        """Return a schedule, or None if this package created none with this id."""
        description = await self._describe(schedule_id)
        return None if description is None else await read_schedule(self.client, description)

    @translate_rpc_errors
    async def list(
        self, *, workflow_id: str | None = None, status: Literal["active", "paused"] | None = None
    ) -> builtins.list[ScheduleRecord]:
        """Return the schedules of the namespace that this package created.

        Temporal lists a new schedule within a second.

        Args:
            workflow_id: Return only schedules that start this workflow.
            status: Return only schedules with this status.
        """
        found = await self.client.list_schedules()
        ids = [entry.id async for entry in found if entry.id.startswith(PREFIXES)]
        records = [record for schedule_id in ids if (record := await self.get(schedule_id))]
        return [
            record
            for record in records
            if workflow_id in (None, record.workflow_id) and status in (None, record.status)
        ]

    @translate_rpc_errors
    async def update(
        self,
        schedule_id: str,
        *,
        cron: str = UNSET,
        timezone: str = UNSET,
        input_data: Any = UNSET,
        initial_state: dict[str, Any] | None = UNSET,
        request_context: dict[str, Any] | None = UNSET,
        metadata: dict[str, Any] | None = UNSET,
        status: Literal["active", "paused"] = UNSET,
    ) -> ScheduleRecord:
        """Change the given fields of a schedule and keep the others.

        Takes the arguments of `create` and raises the same errors.

        Raises:
            ScheduleError: There is no such schedule, or a workflow declares it. Change the declaration in that case,
                because the next deploy would undo a change made here.
        """
        record = await self._require(schedule_id)
        changes: dict[str, Any] = {
            "cron": cron,
            "timezone": timezone,
            "input_data": input_data,
            "initial_state": initial_state,
            "request_context": request_context,
            "metadata": metadata,
        }
        changes = {name: value for name, value in changes.items() if value is not UNSET}
        if changes:
            if record.declared:
                raise ScheduleError(
                    f"Schedule `{record.id}` is declared by workflow `{record.workflow_id}`: change "
                    f"{', '.join(changes)} there and deploy; the next start of a worker would undo a change made here."
                )
            workflow = find_workflow(self._workflows, record.workflow_id)
            config = ScheduleConfig(**{**record.config.model_dump(), **changes})
            await self._replace(record.id, workflow, json_config(workflow, config))
        if status is not UNSET:
            await (self.pause if status == "paused" else self.resume)(record.id)
        return await self._require(record.id)

    @translate_rpc_errors
    async def pause(self, schedule_id: str) -> ScheduleRecord:
        """Stop starting runs until `resume`. Deploys do not end the pause. Pausing twice has no further effect."""
        record = await self._require(schedule_id)
        await self._handle(record.id).pause()
        return await self._require(record.id)

    @translate_rpc_errors
    async def resume(self, schedule_id: str) -> ScheduleRecord:
        """Continue with the next time after now. Runs that were due during the pause are not started."""
        record = await self._require(schedule_id)
        await self._handle(record.id).unpause()
        return await self._require(record.id)

    @translate_rpc_errors
    async def run(self, schedule_id: str) -> Run[Any]:
        """Start a run now, in addition to the scheduled ones, even if the schedule is paused.

        The id of the run is ``sched_<schedule>_<time>`` with the time in microseconds.

        Returns:
            The run.
        """
        record = await self._require(schedule_id)
        workflow = find_workflow(self._workflows, record.workflow_id)
        # Not Temporal's own trigger: it names runs by the second and drops the second run within one second.
        run_id = f"sched_{record.id}_{time.time_ns() // 1000}"
        run: Run[Any] = await create_run(self._session, workflow, run_id=run_id, resource_id=None)
        await run.start_async(
            input_data=record.input_data,
            initial_state=record.initial_state,
            request_context=record.request_context,
        )
        return run

    @translate_rpc_errors
    async def delete(self, schedule_id: str) -> None:
        """Delete a schedule. Its runs continue. The next deploy creates a declared schedule again.

        Do nothing if there is no such schedule, as in Mastra.
        """
        record = await self.get(schedule_id)
        if record is not None:
            await self._delete(record.id)

    @translate_rpc_errors
    async def reconcile(self) -> Reconciliation:
        """Create, update and delete schedules in Temporal to match the declarations of the registered workflows.

        A worker calls this when it starts. Only schedules on this registry's task queue are deleted. A paused schedule
        stays paused.

        Returns:
            What was changed.

        Raises:
            ScheduleError: The id of a declared schedule is used by a schedule of other software.
        """
        declared = {
            declared_id(workflow.id, config): (workflow, json_config(workflow, config))
            for workflow in self._workflows.values()
            for config in workflow.schedules
        }
        done = Reconciliation()
        for schedule_id, (workflow, config) in declared.items():
            await self._bring_about(schedule_id, workflow, config, done)
        for schedule_id in await self._no_longer_in(declared):
            await self._delete(schedule_id)
            done.deleted.append(schedule_id)
        for what, ids in vars(done).items():
            if ids:
                _logger.info("schedules %s: %s", what, ", ".join(ids))
        return done

    # Helpers

    async def _bring_about(
        self, schedule_id: str, workflow: WorkflowDefinition, config: ScheduleConfig, done: Reconciliation
    ) -> None:
        """Create a declared schedule, or update it if it differs from its declaration."""
        # Create first and look afterwards: several workers may start at the same time, and only one can create it.
        try:
            await self._create(schedule_id, workflow, config, declared=True)
        except ScheduleAlreadyRunningError:
            record = await self.get(schedule_id)
            if record is None:
                raise ScheduleError(
                    f"Schedule `{schedule_id}`, which workflow `{workflow.id}` declares, exists already and was "
                    "not made by this package: delete it, or declare the schedule under another id."
                ) from None
            if (record.config, record.task_queue) != (config, self._session.task_queue):
                await self._replace(schedule_id, workflow, config)
                done.updated.append(schedule_id)
        else:
            done.created.append(schedule_id)

    async def _no_longer_in(self, declared: Container[str]) -> builtins.list[str]:
        """Return the ids of schedules on our task queue that were declared once and are not declared any more."""
        return [
            record.id
            for record in await self.list()
            if record.declared and record.task_queue == self._session.task_queue and record.id not in declared
        ]

    def _handle(self, schedule_id: str) -> ScheduleHandle:
        return self.client.get_schedule_handle(schedule_id)

    async def _describe(self, schedule_id: str) -> ScheduleDescription | None:
        try:
            return await self._handle(_full_id(schedule_id)).describe()
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND or error.message.startswith("Namespace "):
                raise
            return None

    async def _require(self, schedule_id: str) -> ScheduleRecord:
        """Return a schedule. Raise `ScheduleError` if it does not exist."""
        record = await self.get(schedule_id)
        if record is None:
            raise ScheduleError(f"There is no schedule `{schedule_id}`: mastra.schedules.list() tells which there are.")
        return record

    async def _create(
        self,
        schedule_id: str,
        workflow: WorkflowDefinition,
        config: ScheduleConfig,
        *,
        declared: bool,
        paused: bool = False,
    ) -> None:
        schedule = temporal_schedule(
            schedule_id, workflow, config, task_queue=self._session.task_queue, state=ScheduleState(paused=paused)
        )
        await self.client.create_schedule(schedule_id, schedule, memo={MARK: {"declared": declared}})

    async def _replace(self, schedule_id: str, workflow: WorkflowDefinition, config: ScheduleConfig) -> None:
        def change(current: ScheduleUpdateInput) -> ScheduleUpdate:
            # Keep the current state. With a new one, every deploy would end a pause.
            state, task_queue = current.description.schedule.state, self._session.task_queue
            return ScheduleUpdate(temporal_schedule(schedule_id, workflow, config, task_queue=task_queue, state=state))

        await self._handle(schedule_id).update(change)

    async def _delete(self, schedule_id: str) -> None:
        try:
            await self._handle(schedule_id).delete()
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise


def _full_id(schedule_id: str) -> str:
    """Return the id in Temporal for an id given by a caller, which may lack the prefix."""
    if schedule_id.startswith(PREFIXES):
        return schedule_id
    return f"schedule_{slug(schedule_id)}"
