"""What the server answers with: Mastra's shapes, where they are not those of the package's own models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from mastra_temporal import WorkflowEvent, WorkflowResult, WorkflowRun
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import RunStatus

__all__ = [
    "ErrorBody",
    "ListedRun",
    "ListedRuns",
    "RunCounts",
    "RunCreated",
    "RunSummary",
    "ScheduleFired",
    "ScheduleList",
    "ScheduleTrigger",
    "ScheduleTriggers",
    "ScheduleView",
    "StepDescription",
    "StreamedEvent",
    "WorkflowInfo",
    "as_json",
    "result_as_json",
]


class Issue(BaseModel):
    """One thing that is wrong with a request."""

    field: str
    message: str


class ErrorBody(BaseModel):
    """What every refusal says."""

    error: str
    issues: list[Issue] | None = None


class StepDescription(CamelModel):
    """A step, its schemas as texts that hold JSON Schema."""

    id: str
    description: str | None = None
    input_schema: str | None = None
    output_schema: str | None = None
    resume_schema: str | None = None
    suspend_schema: str | None = None
    state_schema: str | None = None
    request_context_schema: str | None = None
    is_workflow: bool | None = None
    component: str | None = None
    metadata: dict[str, Any] | None = None


class WorkflowInfo(CamelModel):
    """A workflow as Mastra's server describes it."""

    name: str
    description: str | None = None
    metadata: dict[str, Any] | None = None
    origin: Literal["code"] = "code"
    steps: dict[str, StepDescription] = {}
    all_steps: dict[str, StepDescription] = {}
    """With those of nested workflows, as ``parent.child``."""
    step_count: int | None = None
    step_graph: list[dict[str, Any]]
    input_schema: str | None = None
    output_schema: str | None = None
    state_schema: str | None = None
    request_context_schema: str | None = None
    options: dict[str, Any] = {}
    is_processor_workflow: bool = False


class ListedRun(WorkflowRun):
    """A run in a list. Its snapshot has no steps: ``GET .../runs/{runId}`` has them."""

    snapshot: dict[str, Any]


class ListedRuns(CamelModel):
    """Some runs, the newest first, and how many match without paging."""

    runs: list[ListedRun]
    total: int


class RunCreated(CamelModel):
    """The id of a run."""

    run_id: str


class RunCounts(CamelModel):
    """How many runs of a workflow are open."""

    running: int = 0
    suspended: int = 0


class RunSummary(CamelModel):
    """How a run that a schedule started is doing. Times are milliseconds since the epoch."""

    status: RunStatus
    started_at: int
    completed_at: int | None = None
    duration_ms: int | None = None


class ScheduleView(CamelModel):
    """A schedule as Mastra's server shows it. Times are milliseconds since the epoch."""

    id: str
    workflow_id: str
    cron: str
    timezone: str
    status: Literal["active", "paused"]
    next_fire_at: int
    """0 when it will never fire, or is paused: Mastra always has a number."""
    last_fire_at: int | None = None
    last_run_id: str | None = None
    last_run: RunSummary | None = None
    input_data: Any = None
    initial_state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    created_at: int
    updated_at: int


class ScheduleList(CamelModel):
    """The schedules."""

    schedules: list[ScheduleView]


class ScheduleFired(CamelModel):
    """A run that was started beside the scheduled ones."""

    schedule_id: str
    claim_id: str
    """The id of the run."""
    scheduled_fire_at: int


class ScheduleTrigger(CamelModel):
    """One run that a schedule started."""

    id: str
    schedule_id: str
    run_id: str
    scheduled_fire_at: int
    actual_fire_at: int
    outcome: Literal["published"] = "published"
    trigger_kind: Literal["schedule-fire", "manual"]
    run: RunSummary


class ScheduleTriggers(CamelModel):
    """The runs that a schedule started, the newest first."""

    triggers: list[ScheduleTrigger]


StreamedEvent = WorkflowEvent
"""One record of a stream."""


def as_json(value: Any) -> Any:
    """Any answer as JSON data: models under their aliases; NaN and infinities, which JSON has not, as null."""
    # A model keeps its NaN on the way out: only plain data has it replaced.
    return to_jsonable_python(to_jsonable_python(value, by_alias=True), inf_nan_mode="null")


def result_as_json(result: WorkflowResult[Any]) -> dict[str, Any]:
    """The result of a run as Mastra has it: the input is among the steps, too; the state only where asked for."""
    data = as_json(result.model_copy(update={"state": None}))
    return {**data, "steps": {"input": data.get("input"), **data["steps"]}}
