"""`create_workflow` and `clone_workflow`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, TypeVar, overload

from typing_extensions import Unpack

from mastra_temporal._data.gate import json_metadata, text_description
from mastra_temporal._data.options import parse_options
from mastra_temporal._data.schema import Schema
from mastra_temporal._data.suggest import did_you_mean, names_arguments
from mastra_temporal._definition.ids import check_id
from mastra_temporal._definition.options import RetryConfig, StepOptions, WorkflowOptions
from mastra_temporal._definition.schedule import ScheduleInput, parse_schedules
from mastra_temporal._definition.serialize import callbacks_of
from mastra_temporal._definition.settings import WorkflowSettings
from mastra_temporal.errors import DefinitionError
from mastra_temporal.workflow import Workflow

__all__ = ["clone_workflow", "create_workflow"]

InT = TypeVar("InT")
OutT = TypeVar("OutT")
CurrentT = TypeVar("CurrentT")


class WorkflowArguments(TypedDict, total=False):
    """The optional arguments of `create_workflow` that do not take part in its types."""

    state_schema: Any
    """Validates the initial state and fills in its defaults."""
    request_context_schema: Any
    """Validates the request context when a run is started."""
    description: str | None
    """Text that the graph and the Temporal UI show."""
    metadata: dict[str, Any] | None
    """JSON-able data that the graph shows."""
    retry_config: RetryConfig | dict[str, Any] | None
    """Retries of all steps that do not set their own."""
    step_options: StepOptions | dict[str, Any] | None
    """Timeouts, task queue and other options of all steps that do not set their own."""
    options: WorkflowOptions | dict[str, Any] | None
    """Validation, callbacks, and the time limit of the whole run."""
    schedule: ScheduleInput | Sequence[ScheduleInput] | None
    """When Temporal starts runs of this workflow: a `ScheduleConfig` or a dictionary such as
    ``{"cron": "0 9 * * *", "timezone": "Europe/Berlin"}``, or a list of them, each with an ``id``."""


@overload
def create_workflow(
    *, id: str, input_schema: type[InT], output_schema: type[OutT], **settings: Unpack[WorkflowArguments]
) -> Workflow[InT, OutT, InT]: ...
@overload
def create_workflow(
    *, id: str, input_schema: type[InT], output_schema: Any = None, **settings: Unpack[WorkflowArguments]
) -> Workflow[InT, Any, InT]: ...
@overload
def create_workflow(
    *, id: str, input_schema: Any = None, output_schema: Any = None, **settings: Unpack[WorkflowArguments]
) -> Workflow[Any, Any, Any]: ...
def create_workflow(
    *, id: str, input_schema: Any = None, output_schema: Any = None, **settings: Unpack[WorkflowArguments]
) -> Workflow[Any, Any, Any]:
    """Create a workflow without entries. Mastra's ``createWorkflow``: https://mastra.ai/reference/workflows/workflow.

    Every schema is a pydantic model or any type that `pydantic.TypeAdapter` takes.

    Args:
        id: The workflow's id. It is also the Temporal workflow type, which the UI shows.
        input_schema: Validates the input and fills in its defaults.
        output_schema: Checks the workflow's result. The result is not changed.
        settings: See `WorkflowArguments`.

    Raises:
        DefinitionError: An argument is wrong. The message names the argument and says how to correct it.
    """
    owner = f"workflow `{check_id(id, kind='workflow')}`"
    for name in settings:
        if name not in WorkflowArguments.__annotations__:
            hint = did_you_mean(name, ["id", "input_schema", "output_schema", *WorkflowArguments.__annotations__])
            raise DefinitionError(f"{owner}: create_workflow() has no argument `{name}`.{hint}")
    parsed = parse_options(WorkflowOptions, settings.get("options"), owner=owner)
    step_options = settings.get("step_options")

    def of_data(name: str, annotation: Any) -> Schema | None:
        schema = Schema.of(annotation, owner=owner)
        return None if schema is None else schema.for_data(owner=owner, name=name)

    schemas = {
        "input_schema": of_data("input_schema", input_schema),
        "state_schema": of_data("state_schema", settings.get("state_schema")),
        "request_context_schema": Schema.of(settings.get("request_context_schema"), owner=owner),
    }
    unchecked = dict.fromkeys(schemas) if not parsed.validate_inputs else schemas
    callbacks_of(parsed, owner)  # called for its checks: otherwise a wrong callback is reported only at commit
    return Workflow(
        WorkflowSettings(
            id=id,
            **schemas,
            output_schema=of_data("output_schema", output_schema),
            description=text_description(settings.get("description"), owner=owner),
            metadata=json_metadata(settings.get("metadata"), owner=owner),
            retry_config=parse_options(RetryConfig, settings.get("retry_config"), owner=owner),
            step_options=None if step_options is None else parse_options(StepOptions, step_options, owner=owner),
            options=parsed,
            schedules=parse_schedules(settings.get("schedule"), workflow_id=id, **unchecked),
        )
    )


@names_arguments
def clone_workflow(original: Workflow[InT, OutT, CurrentT], *, id: str) -> Workflow[InT, OutT, CurrentT]:
    """Return a copy of a workflow under another id, without its schedules. Mastra's ``cloneWorkflow``.

    Raises:
        DefinitionError: The original is not committed, or the id is not valid.
    """
    return original.cloned(check_id(id, kind="workflow"))
