"""The models of queries and request bodies, with the names and rules of Mastra's server."""

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
"""The names that ``fields`` may have, as in Mastra."""


class Query(BaseModel):
    """The query of a request. Unknown parameters are ignored."""

    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel, extra="ignore")


class NoQuery(Query):
    """A query without parameters."""


class WorkflowsQuery(Query):
    """Whether the descriptions of workflows are short."""

    partial: str | None = None


class OptionalRunQuery(Query):
    """The id of a run, or none for a new run."""

    run_id: RunId | None = None


class RunQuery(Query):
    """The id of a run."""

    run_id: RunId


class ObserveQuery(RunQuery):
    """The id of a run and the offset of the first event."""

    offset: int = Field(default=0, ge=0)


class RunsQuery(Query):
    """The filter and page of a list of runs."""

    page: int | None = Field(default=None, ge=0)
    per_page: int | None = Field(default=None, ge=0)
    offset: int | None = Field(default=None, ge=0)
    """The older form of paging, together with ``limit``."""
    limit: int | Literal["false"] | None = Field(default=None)
    from_date: datetime | None = None
    to_date: datetime | None = None
    resource_id: str | None = None
    status: RunStatus | None = None


class RecordQuery(Query):
    """The parts of a run's record to return."""

    fields: str | None = None
    with_nested_workflows: Literal["true", "false"] | None = None

    @field_validator("fields")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value and not {name.strip() for name in value.split(",")} <= set(RESULT_FIELDS):
            raise ValueError(f"Invalid field name. Available fields: {', '.join(RESULT_FIELDS)}")
        return value

    def names(self) -> list[str] | None:
        """Return the names in ``fields``, or None for all fields."""
        return [name.strip() for name in self.fields.split(",")] if self.fields else None


class SchedulesQuery(Query):
    """The filter of a list of schedules. Schedules of agents do not exist here."""

    agent_id: str | None = None
    workflow_id: str | None = None
    status: Literal["active", "paused"] | None = None
    thread_id: str | None = None
    resource_id: str | None = None
    name: str | None = None


class TriggersQuery(Query):
    """The filter of a list of a schedule's runs. Times are milliseconds since the epoch."""

    limit: int | None = Field(default=None, gt=0)
    from_actual_fire_at: int | None = Field(default=None, ge=0, le=253402300799999)
    to_actual_fire_at: int | None = Field(default=None, ge=0, le=253402300799999)


class Body(BaseModel):
    """The JSON body of a request. Types are not converted, and unknown keys are ignored."""

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
    """The fields of every action on a run."""

    request_context: Json | None = None
    tracing_options: Tracing | None = None

    def tracing(self) -> Json | None:
        """Return the tracing options in the form that the methods of `Run` take."""
        return None if self.tracing_options is None else self.tracing_options.model_dump(exclude_none=True)


class CreateRunBody(Body):
    """The resource of a new run."""

    resource_id: str | None = None
    disable_scorers: bool | None = None
    """Accepted without effect, because there are no scorers."""


class StartBody(ContextBody):
    """The data for starting a run."""

    resource_id: str | None = None
    input_data: Any = None
    initial_state: Json | None = None
    per_step: bool = False


class StreamBody(StartBody):
    """The data for starting a run and reading its events."""

    close_on_suspend: bool = True


class ResumeBody(ContextBody):
    """The suspended step to resume, and its data."""

    step: StepName | None = None
    resume_data: Any = None
    per_step: bool = False
    for_each_index: int | None = Field(default=None, ge=0)
    label: str | None = None
    """The label of the suspended step. Mastra's server does not have this field."""


class RestartBody(ContextBody):
    """The options of a restart."""


class TimeTravelBody(ContextBody):
    """The target step of a time travel, and its data."""

    step: StepName
    input_data: Any = None
    resume_data: Any = None
    initial_state: Json | None = None
    context: dict[str, Json] | None = None
    nested_steps_context: dict[str, dict[str, Json]] | None = None
    per_step: bool = False


class CreateScheduleBody(Body):
    """The data of a new schedule."""

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
    """The changes of a schedule. Fields that are not given stay as they are."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    cron: str | None = None
    timezone: str | None = None
    status: Literal["active", "paused"] | None = None
    input_data: Any = None
    initial_state: Json | None = None
    request_context: Json | None = None
    metadata: Json | None = None


class Message(BaseModel):
    """A message about the action that was done."""

    message: str
