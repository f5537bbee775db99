"""The response models of the server, in Mastra's shapes, where they differ from the package's own models."""

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
    """One issue of a request."""

    field: str
    message: str


class ErrorBody(BaseModel):
    """The body of every error response."""

    error: str
    issues: list[Issue] | None = None


class StepDescription(CamelModel):
    """A step. Its schemas are texts with JSON Schema."""

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
    """A workflow, in the shape of Mastra's server."""

    name: str
    description: str | None = None
    metadata: dict[str, Any] | None = None
    origin: Literal["code"] = "code"
    steps: dict[str, StepDescription] = {}
    all_steps: dict[str, StepDescription] = {}
    """The steps with those of nested workflows, as ``parent.child``."""
    step_count: int | None = None
    step_graph: list[dict[str, Any]]
    input_schema: str | None = None
    output_schema: str | None = None
    state_schema: str | None = None
    request_context_schema: str | None = None
    options: dict[str, Any] = {}
    is_processor_workflow: bool = False


class ListedRun(WorkflowRun):
    """A run in a list. Its snapshot has no steps; ``GET .../runs/{runId}`` returns them."""

    snapshot: dict[str, Any]


class ListedRuns(CamelModel):
    """A page of runs, the newest first, and the number of all runs that match."""

    runs: list[ListedRun]
    total: int


class RunCreated(CamelModel):
    """The id of a run."""

    run_id: str


class RunCounts(CamelModel):
    """The numbers of open runs of a workflow."""

    running: int = 0
    suspended: int = 0


class RunSummary(CamelModel):
    """The status of a run that a schedule started. Times are milliseconds since the epoch."""

    status: RunStatus
    started_at: int
    completed_at: int | None = None
    duration_ms: int | None = None


class ScheduleView(CamelModel):
    """A schedule, in the shape of Mastra's server. Times are milliseconds since the epoch."""

    id: str
    workflow_id: str
    cron: str
    timezone: str
    status: Literal["active", "paused"]
    next_fire_at: int
    """The next time of a run. 0 if there is none or the schedule is paused, because Mastra requires a number."""
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
    """A list of schedules."""

    schedules: list[ScheduleView]


class ScheduleFired(CamelModel):
    """A run that was started by hand from a schedule."""

    schedule_id: str
    claim_id: str
    """The id of the run."""
    scheduled_fire_at: int


class ScheduleTrigger(CamelModel):
    """A run that a schedule started."""

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
"""An event of a stream."""


def as_json(value: Any) -> Any:
    """Return an answer as JSON data, with models under their aliases and with null for NaN and infinities."""
    # pydantic replaces NaN only in plain data, not in models. With one call the NaN of a model would stay, and
    # the response would not be valid JSON.
    return to_jsonable_python(to_jsonable_python(value, by_alias=True), inf_nan_mode="null")


def result_as_json(result: WorkflowResult[Any]) -> dict[str, Any]:
    """Return the result of a run in Mastra's shape: ``steps`` has the input under ``input``, the state is omitted."""
    data = as_json(result.model_copy(update={"state": None}))
    return {**data, "steps": {"input": data.get("input"), **data["steps"]}}
