"""A Mastra schedule as a Temporal Schedule, and back.

Temporal keeps everything: the data in the argument of the runs, what else was declared in the memo of the runs. The
schedule's own memo, which cannot change, marks it as made by this package.
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
"""The key of both memos."""


class ScheduleRecord(CamelModel):
    """A schedule as Temporal has it."""

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
    """Whether a workflow declares it with ``schedule=``; otherwise ``mastra.schedules.create()`` made it."""
    task_queue: str
    """The queue of its runs."""
    next_fire_at: datetime | None = None
    """When it is going to start a run; None when it never will, or is paused."""
    last_fire_at: datetime | None = None
    """When it started its last run by itself."""
    last_run_id: str | None = None
    """The id of that run."""

    @property
    def config(self) -> ScheduleConfig:
        """What it was made from."""
        return ScheduleConfig(**{name: getattr(self, name) for name in ScheduleConfig.model_fields if name != "id"})


class ScheduleMemo(CamelModel):
    """What every run that a schedule starts carries in its memo."""

    schedule_id: str
    cron: str
    timezone: str
    metadata: dict[str, Any] | None = None


def json_config(workflow: WorkflowDefinition, config: ScheduleConfig) -> ScheduleConfig:
    """The schedule with its data as JSON, without the id that tells it from others of its workflow.

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
    """The Temporal Schedule. As in Mastra a run is started whether or not the one before has ended."""
    memo = ScheduleMemo(schedule_id=schedule_id, cron=config.cron, timezone=config.timezone, metadata=config.metadata)
    return Schedule(
        action=ScheduleActionStartWorkflow(
            workflow.id,
            # Without the graph: each run takes that of the worker which begins it, so deploys need not touch this.
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
    """The schedule that a Temporal Schedule stands for, or None when this package did not make it."""
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
