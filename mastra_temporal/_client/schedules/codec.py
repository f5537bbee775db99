"""Convert a Mastra schedule to a Temporal Schedule and back.

All of it is stored in Temporal: the data in the argument of the runs, the rest of the declaration in the memo of the
runs. The memo of the schedule itself cannot be changed; it marks the schedule as created by this package.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
)

from mastra_temporal._data.gate import to_json
from mastra_temporal._definition.cron import temporal_crons
from mastra_temporal._definition.schedule import ScheduleConfig
from mastra_temporal._definition.validation import validate_start
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.start import StartEnvelope

__all__ = ["MARK", "ScheduleRecord", "json_config", "read_schedule", "temporal_schedule"]

MARK = "mastraSchedule"
"""Key of our entry in both memos."""


class ScheduleRecord(CamelModel):
    """A schedule as stored in Temporal."""

    id: str
    workflow_id: str
    cron: str
    timezone: str
    input_data: Any = None
    initial_state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    status: Literal["active", "paused"]
    declared: bool
    """Whether a workflow declares it with ``schedule=``. Otherwise ``mastra.schedules.create()`` created it."""
    task_queue: str
    """Task queue of its runs."""
    next_fire_at: datetime | None = None
    """Time of the next run. None if there is none, or if the schedule is paused."""
    last_fire_at: datetime | None = None
    """Time of the last run that the schedule started by itself."""
    last_run_id: str | None = None
    """Id of that run."""

    @property
    def config(self) -> ScheduleConfig:
        """The configuration from which the schedule was created."""
        return ScheduleConfig(**{name: getattr(self, name) for name in ScheduleConfig.model_fields if name != "id"})


class ScheduleMemo(CamelModel):
    """Our entry in the memo of every run that a schedule starts."""

    schedule_id: str
    cron: str
    timezone: str
    metadata: dict[str, Any] | None = None


def json_config(workflow: WorkflowDefinition, config: ScheduleConfig) -> ScheduleConfig:
    """Return the configuration with its data as JSON and without its id, so that it can be compared.

    Args:
        workflow: The workflow that the schedule starts.
        config: The configuration.

    Raises:
        SchemaValidationError: The data does not match the workflow's schemas.
    """
    validate_start(workflow, config.input_data, config.initial_state, config.request_context or {})
    data = to_json(config, what=f"The schedule of workflow `{workflow.id}`")
    return ScheduleConfig.model_validate({**data, "id": None})


def temporal_schedule(
    schedule_id: str,
    workflow: WorkflowDefinition,
    config: ScheduleConfig,
    *,
    task_queue: str,
    state: ScheduleState,
) -> Schedule:
    """Return the Temporal Schedule for a configuration.

    As in Mastra, a run starts even if the previous one has not ended.

    Args:
        schedule_id: Id of the schedule.
        workflow: The workflow that it starts.
        config: The configuration.
        task_queue: Task queue of its runs.
        state: Whether it is paused.
    """
    memo = ScheduleMemo(schedule_id=schedule_id, cron=config.cron, timezone=config.timezone, metadata=config.metadata)
    return Schedule(
        action=ScheduleActionStartWorkflow(
            workflow.id,
            # No graph here: each run takes the graph of the worker that starts it. With a graph, every deploy would
            # have to update all schedules.
            StartEnvelope(
                input_data=config.input_data,
                initial_state=config.initial_state,
                request_context=config.request_context,
            ),
            id=f"sched_{schedule_id}",
            task_queue=task_queue,
            execution_timeout=workflow.options.execution_timeout,
            memo={MARK: memo},
            static_summary=workflow.description or workflow.id,
        ),
        spec=ScheduleSpec(cron_expressions=temporal_crons(config.cron), time_zone_name=config.timezone),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.ALLOW_ALL),
        state=state,
    )


async def read_schedule(client: Client, description: ScheduleDescription) -> ScheduleRecord | None:
    """Return the record of a Temporal Schedule, or None if this package did not create it.

    Args:
        client: The client whose data converter decodes the schedule.
        description: The Temporal Schedule.
    """
    mark = await description.memo_value(MARK, None)
    action = description.schedule.action
    if mark is None or not isinstance(action, ScheduleActionStartWorkflow):
        return None
    payloads: list[Any] = [action.args[0], (action.memo or {})[MARK]]
    [envelope, memo] = await client.data_converter.decode(payloads, [StartEnvelope, ScheduleMemo])
    last = description.info.recent_actions[-1] if description.info.recent_actions else None
    paused, upcoming = description.schedule.state.paused, description.info.next_action_times
    return ScheduleRecord(
        id=description.id,
        workflow_id=action.workflow,
        cron=memo.cron,
        timezone=memo.timezone,
        input_data=envelope.input_data,
        initial_state=envelope.initial_state,
        request_context=envelope.request_context,
        metadata=memo.metadata,
        status="paused" if paused else "active",
        declared=bool(mark["declared"]),
        task_queue=str(action.task_queue),
        next_fire_at=None if paused or not upcoming else upcoming[0],
        last_fire_at=None if last is None else last.started_at,
        last_run_id=last.action.workflow_id
        if last is not None and isinstance(last.action, ScheduleActionExecutionStartWorkflow)
        else None,
    )
