"""What requests hold: queries and bodies, with the names and rules of Mastra's server."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from mastra_temporal._protocol.results import RunStatus

__all__ = [
    "CreateRunBody",
    "CreateScheduleBody",
    "Message",
    "NoQuery",
    "ObserveQuery",
    "OptionalRunQuery",
    "RecordQuery",
    "RestartBody",
    "ResumeBody",
    "RunQuery",
    "RunsQuery",
    "SchedulesQuery",
    "StartBody",
    "StreamBody",
    "TimeTravelBody",
    "TriggersQuery",
    "UpdateScheduleBody",
    "WorkflowsQuery",
]

Json = dict[str, Any]
StepName = str | list[str]
RunId = Annotated[str, Field(min_length=1, max_length=1000)]
RESULT_FIELDS = ("result", "error", "payload", "steps", "activeStepsPath", "serializedStepGraph")
"""What ``fields`` may name: Mastra's list."""


class Query(BaseModel):
    """The part of an address behind the question mark. What is not known is left alone."""

    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel, extra="ignore")


class NoQuery(Query):
    """Nothing is asked for."""


class WorkflowsQuery(Query):
    """How much of each workflow is told."""

    partial: str | None = None


class OptionalRunQuery(Query):
    """The run, or a new one."""

    run_id: RunId | None = None


class RunQuery(Query):
    """The run."""

    run_id: RunId


class ObserveQuery(RunQuery):
    """The run, and the event to begin with."""

    offset: int = Field(default=0, ge=0)


class RunsQuery(Query):
    """Which runs are listed."""

    page: int | None = Field(default=None, ge=0)
    per_page: int | None = Field(default=None, ge=0)
    offset: int | None = Field(default=None, ge=0)
    """The older way to page, with ``limit``."""
    limit: int | Literal["false"] | None = Field(default=None)
    from_date: datetime | None = None
    to_date: datetime | None = None
    resource_id: str | None = None
    status: RunStatus | None = None


class RecordQuery(Query):
    """What of a run's record is wanted."""

    fields: str | None = None
    with_nested_workflows: Literal["true", "false"] | None = None

    @field_validator("fields")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value and not {name.strip() for name in value.split(",")} <= set(RESULT_FIELDS):
            raise ValueError(f"Invalid field name. Available fields: {', '.join(RESULT_FIELDS)}")
        return value

    def names(self) -> list[str] | None:
        """The fields that are named, or None when all are wanted."""
        return [name.strip() for name in self.fields.split(",")] if self.fields else None


class SchedulesQuery(Query):
    """Which schedules are listed. Those of agents do not exist here."""

    agent_id: str | None = None
    workflow_id: str | None = None
    status: Literal["active", "paused"] | None = None
    thread_id: str | None = None
    resource_id: str | None = None
    name: str | None = None


class TriggersQuery(Query):
    """Which runs of a schedule are listed. Times are milliseconds since the epoch."""

    limit: int | None = Field(default=None, gt=0)
    from_actual_fire_at: int | None = Field(default=None, ge=0, le=253402300799999)
    to_actual_fire_at: int | None = Field(default=None, ge=0, le=253402300799999)


class Body(BaseModel):
    """JSON that comes with a request: nothing is converted, what is not known is left alone."""

    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel, extra="ignore", strict=True)


class Tracing(Body):
    """Mastra's ``tracingOptions``."""

    root_span_name: str | None = None
    metadata: Json | None = None
    request_context_keys: list[str] | None = None
    trace_id: str | None = None
    parent_span_id: str | None = None
    tags: list[str] | None = None
    hide_input: bool = False
    hide_output: bool = False


class ContextBody(Body):
    """What every action on a run may bring."""

    request_context: Json | None = None
    tracing_options: Tracing | None = None

    def tracing(self) -> Json | None:
        """The tracing options as `Run` takes them."""
        return None if self.tracing_options is None else self.tracing_options.model_dump(exclude_none=True)


class CreateRunBody(Body):
    """Whose run it is."""

    resource_id: str | None = None
    disable_scorers: bool | None = None
    """Of no effect: there are no scorers."""


class StartBody(ContextBody):
    """What a run is started with."""

    resource_id: str | None = None
    input_data: Any = None
    initial_state: Json | None = None
    per_step: bool = False


class StreamBody(StartBody):
    """What a run is started with whose events are read."""

    close_on_suspend: bool = True


class ResumeBody(ContextBody):
    """Which suspended step goes on, and with what."""

    step: StepName | None = None
    resume_data: Any = None
    per_step: bool = False
    for_each_index: int | None = Field(default=None, ge=0)
    label: str | None = None
    """An addition: Mastra's server does not take labels."""


class RestartBody(ContextBody):
    """How a run is restarted."""


class TimeTravelBody(ContextBody):
    """Where a run is taken to, and with what."""

    step: StepName
    input_data: Any = None
    resume_data: Any = None
    initial_state: Json | None = None
    context: dict[str, Json] | None = None
    nested_steps_context: dict[str, dict[str, Json]] | None = None
    per_step: bool = False


class CreateScheduleBody(Body):
    """A new schedule of a workflow."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: str | None = None
    workflow_id: str = Field(min_length=1)
    cron: str
    timezone: str | None = None
    input_data: Any = None
    initial_state: Json | None = None
    request_context: Json | None = None
    metadata: Json | None = None


class UpdateScheduleBody(Body):
    """What changes of a schedule: only what is given."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    cron: str | None = None
    timezone: str | None = None
    status: Literal["active", "paused"] | None = None
    input_data: Any = None
    initial_state: Json | None = None
    request_context: Json | None = None
    metadata: Json | None = None


class Message(BaseModel):
    """What was done."""

    message: str
