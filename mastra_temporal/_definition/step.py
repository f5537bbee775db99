"""`Step`, and the functions that create steps."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, Protocol, TypeVar, overload

from mastra_temporal._data.gate import json_metadata, text_description
from mastra_temporal._data.options import parse_options
from mastra_temporal._data.schema import Schema
from mastra_temporal._data.shown import shown
from mastra_temporal._data.suggest import did_you_mean, names_arguments
from mastra_temporal._definition.component import Component, component_of, tool_of
from mastra_temporal._definition.function import UserFunction
from mastra_temporal._definition.ids import check_id
from mastra_temporal._definition.options import StepOptions
from mastra_temporal._protocol.graph import StepEntry, StepInfo
from mastra_temporal.context import StepContext, SyncStepContext
from mastra_temporal.errors import DefinitionError

__all__ = ["Step", "clone_step", "component_step", "create_step", "step", "with_tool"]

COMPONENT_SETTINGS = ("description", "metadata", "output_schema", "agent_options", "retries", "local", "options")
"""The arguments that `create_step` takes besides an agent or tool and the id."""

InT = TypeVar("InT")
OutT = TypeVar("OutT")
StepInT = TypeVar("StepInT", contravariant=True)
StepOutT = TypeVar("StepOutT", covariant=True)


@dataclass(frozen=True, eq=False)
class Step(Generic[StepInT, StepOutT]):
    """A step: an id, schemas and a body. Create one with `step` or `create_step`.

    Mastra's ``Step``: https://mastra.ai/reference/workflows/step
    """

    id: str
    body: UserFunction = field(repr=False)
    description: str | None = field(default=None, repr=False)
    metadata: dict[str, Any] | None = field(default=None, repr=False)
    input_schema: Schema | None = field(default=None, repr=False)
    output_schema: Schema | None = field(default=None, repr=False)
    resume_schema: Schema | None = field(default=None, repr=False)
    suspend_schema: Schema | None = field(default=None, repr=False)
    state_schema: Schema | None = field(default=None, repr=False)
    request_context_schema: Schema | None = field(default=None, repr=False)
    retries: int | None = field(default=None, repr=False)
    options: StepOptions = field(default_factory=StepOptions, repr=False)
    component: Literal["AGENT", "TOOL"] | None = None
    """The kind of component that the step was made from, or None if it was made from a function."""
    component_id: str | None = field(default=None, repr=False)
    by_id: bool = field(default=False, repr=False)
    """Whether the worker looks up the tool by its id, see `with_tool`."""

    def entry(self, defaults: StepOptions | None) -> StepEntry:
        """Return the graph entry of the step. Options that are not set are taken from the workflow's ``defaults``."""
        can_suspend = self.suspend_schema is not None or self.resume_schema is not None
        options = self.options.merged_over(defaults)
        options.check_local(owner=f"step `{self.id}`")
        return StepEntry(
            step=StepInfo(
                id=self.id,
                description=self.description,
                metadata=self.metadata,
                can_suspend=can_suspend,
                component=self.component,
                component_id=self.component_id,
            ),
            plan=options.plan(self.retries),
        )


@overload
def create_step(
    *,
    id: str,
    execute: Callable[..., Any],
    description: str | None = None,
    metadata: dict[str, Any] | None = None,
    input_schema: Any = Any,
    output_schema: Any = Any,
    resume_schema: Any = None,
    suspend_schema: Any = None,
    state_schema: Any = None,
    request_context_schema: Any = None,
    retries: int | None = None,
    local: bool | None = None,
    options: StepOptions | dict[str, Any] | None = None,
) -> Step[Any, Any]: ...
@overload
def create_step(
    component: Any,
    /,
    *,
    id: str | None = None,
    description: str | None = None,
    metadata: dict[str, Any] | None = None,
    output_schema: Any = None,
    agent_options: dict[str, Any] | None = None,
    retries: int | None = None,
    local: bool | None = None,
    options: StepOptions | dict[str, Any] | None = None,
) -> Step[Any, Any]: ...
def create_step(component: Any = None, /, *, id: str | None = None, **settings: Any) -> Step[Any, Any]:
    """Create a step. Mastra's ``createStep``: https://mastra.ai/reference/workflows/step.

    ``create_step(agent)`` and ``create_step(tool)`` create a step from an `Agent` or a `Tool`. An agent's step takes
    ``{"prompt": ...}`` and returns ``{"text": ...}``, or data of its ``output_schema``. Every schema is a pydantic
    model or any type that `pydantic.TypeAdapter` takes.

    Args:
        component: An agent or a tool, instead of ``execute`` and the schemas.
        id: The step's id, unique in the workflow. The step's activity type is ``<workflow>.<step>``. Default for an
            agent or tool: its own id.
        settings: The arguments below.
        execute: The body. An ``async def`` runs on the event loop and a ``def`` in a thread; an awaitable that it
            returns is awaited. It takes the input, a context in a parameter named ``ctx``, both, or neither.
        description: Text that the graph and the Temporal UI show.
        metadata: JSON-able data that the graph shows.
        input_schema: Validates the input. Default: the annotation of the body's input, if it has one.
        output_schema: Checks the body's result. The result is not changed.
        resume_schema: Validates the data of ``resume()``. ``ctx.resume_data`` has this type.
        suspend_schema: Validates the payload of ``suspend()``. ``ctx.suspend_data`` has this type.
        state_schema: Validates the argument of ``set_state()``. ``ctx.state`` has this type.
        request_context_schema: Validates the request context before the body runs.
        retries: How often a failed attempt is repeated. Default: as in the workflow's ``retry_config``.
        agent_options: Further keyword arguments for the agent's call.
        local: Whether the step is a local activity, see `StepOptions.local`.
        options: Timeouts, backoff, task queue and more, see `StepOptions`.

    Raises:
        DefinitionError: An argument is wrong. The message names the step and says how to correct it.
    """
    if component is None and (id is not None or settings):
        owner = f"step `{id if isinstance(id, str) else shown(id)}`"
        _check_settings(settings, _settings_of(_step), owner=owner)
        if "execute" not in settings:
            raise DefinitionError(f"{owner}: create_step() needs execute=, or an agent or a tool.")
        return _step(id=id, **settings)
    found = component_of(
        component, output_schema=settings.pop("output_schema", None), agent_options=settings.pop("agent_options", None)
    )
    return component_step(found, id=id, **settings)


def component_step(component: Component, *, id: str | None, **settings: Any) -> Step[Any, Any]:
    """Create the step for an agent or tool."""
    id = component.id if id is None else id
    if id is None:
        kind = component.kind.lower()
        raise DefinitionError(
            f"A step needs an id, and this {kind} has no id: give it one, or use create_step({kind}, id=...)."
        )
    owner = f"step `{id}`"
    foreign = [name for name in settings if name in _settings_of(_step) and name not in COMPONENT_SETTINGS]
    if foreign:
        raise DefinitionError(f"{owner}: an agent or tool as a step takes no `{foreign[0]}`.")
    _check_settings(settings, COMPONENT_SETTINGS, owner=owner)
    settings["description"] = settings.get("description") or component.description
    step = _step(
        id=id,
        execute=component.execute,
        input_schema=component.input_schema,
        output_schema=component.output_schema,
        **settings,
    )
    return replace(step, component=component.kind, component_id=component.id)


def with_tool(step: Step[Any, Any], tool: Any) -> Step[Any, Any]:
    """Return a step that names its tool by id, with the body and schemas of that tool.

    Raises:
        DefinitionError: The value is not a tool, or it is a tool without schemas.
    """
    found = tool_of(tool)
    made = _step(id=step.id, execute=found.execute, input_schema=found.input_schema, output_schema=found.output_schema)
    schemas = {"input_schema": made.input_schema, "output_schema": made.output_schema}
    return replace(step, body=made.body, by_id=False, **schemas)


def _step(
    *,
    id: str | None,
    execute: Callable[..., Any],
    description: str | None = None,
    metadata: dict[str, Any] | None = None,
    input_schema: Any = Any,
    output_schema: Any = Any,
    resume_schema: Any = None,
    suspend_schema: Any = None,
    state_schema: Any = None,
    request_context_schema: Any = None,
    retries: int | None = None,
    local: bool | None = None,
    options: StepOptions | dict[str, Any] | None = None,
) -> Step[Any, Any]:
    id = check_id(id, kind="step")
    owner = f"step `{id}`"
    if retries is not None and (type(retries) is not int or retries < 0):
        raise DefinitionError(f"{owner}: retries must be a whole number from 0 up, got {shown(retries)}.")
    body = UserFunction.of(execute, owner=owner)
    parsed = parse_options(StepOptions, options, owner=owner)
    if local is not None:
        parsed = parse_options(StepOptions, {"local": local}, owner=owner).merged_over(parsed)
    parsed.check_local(owner=owner)

    def of_data(name: str, annotation: Any) -> Schema | None:
        schema = annotation if isinstance(annotation, Schema) else Schema.of(annotation, owner=owner)
        return None if schema is None else schema.for_data(owner=owner, name=name)

    return Step(
        id=id,
        body=body,
        description=text_description(description, owner=owner),
        metadata=json_metadata(metadata, owner=owner),
        input_schema=of_data("input_schema", input_schema) or of_data("input_schema", body.input_schema),
        output_schema=of_data("output_schema", output_schema),
        resume_schema=of_data("resume_schema", resume_schema),
        suspend_schema=of_data("suspend_schema", suspend_schema),
        state_schema=of_data("state_schema", state_schema),
        request_context_schema=Schema.of(request_context_schema, owner=owner),
        retries=retries,
        options=parsed,
    )


@names_arguments
def clone_step(original: Step[InT, OutT], *, id: str) -> Step[InT, OutT]:
    """Return a copy of a step under another id, for a second use in one workflow. Mastra's ``cloneStep``."""
    return replace(original, id=check_id(id, kind="step"))


class StepDecorator(Protocol):
    """The decorator that ``@step(...)`` returns."""

    @overload
    def __call__(self, function: Callable[[StepContext], Awaitable[OutT]], /) -> Step[Any, OutT]: ...
    @overload
    def __call__(self, function: Callable[[InT], Awaitable[OutT]], /) -> Step[InT, OutT]: ...
    @overload
    def __call__(self, function: Callable[[InT, StepContext], Awaitable[OutT]], /) -> Step[InT, OutT]: ...
    @overload
    def __call__(self, function: Callable[[InT, SyncStepContext], OutT], /) -> Step[InT, OutT]: ...
    @overload
    def __call__(self, function: Callable[[InT], OutT], /) -> Step[InT, OutT]: ...
    @overload
    def __call__(self, function: Callable[[], Any], /) -> Step[Any, Any]: ...


@overload
def step(function: Callable[[StepContext], Awaitable[OutT]], /) -> Step[Any, OutT]: ...
@overload
def step(function: Callable[[InT], Awaitable[OutT]], /) -> Step[InT, OutT]: ...
@overload
def step(function: Callable[[InT, StepContext], Awaitable[OutT]], /) -> Step[InT, OutT]: ...
@overload
def step(function: Callable[[InT, SyncStepContext], OutT], /) -> Step[InT, OutT]: ...
@overload
def step(function: Callable[[InT], OutT], /) -> Step[InT, OutT]: ...
@overload
def step(function: Callable[[], Any], /) -> Step[Any, Any]: ...
@overload
def step(
    *,
    id: str | None = None,
    description: str | None = None,
    metadata: dict[str, Any] | None = None,
    input_schema: Any = Any,
    output_schema: Any = Any,
    resume_schema: Any = None,
    suspend_schema: Any = None,
    state_schema: Any = None,
    request_context_schema: Any = None,
    retries: int | None = None,
    local: bool | None = None,
    options: StepOptions | dict[str, Any] | None = None,
) -> StepDecorator: ...
def step(function: Callable[..., Any] | None = None, /, *, id: str | None = None, **settings: Any) -> Any:
    """Create a step from a function, as ``@step`` or ``@step(retries=3)``. Takes the settings of `create_step`.

    By default the id is the function's name, the description is the first line of its docstring, and the schemas are
    the annotations of its input and its result.
    """

    def decorate(function: Callable[..., Any]) -> Step[Any, Any]:
        name = id or _name_of(function)
        if name == "<lambda>":
            raise DefinitionError("@step: a lambda has no name. Use create_step(id=..., execute=lambda ...).")
        _check_settings(settings, _settings_of(_step) - {"execute"}, owner=f"step `{name}`")
        if settings.get("output_schema", Any) is Any:
            settings["output_schema"] = UserFunction.of(function, owner=f"step `{name}`").output_type
        if "description" not in settings and (text := inspect.getdoc(function)):
            settings["description"] = text.splitlines()[0]
        return create_step(id=name or "", execute=function, **settings)

    if isinstance(function, str):
        raise DefinitionError(f"@step({shown(function)}): the id is given by name: @step(id={shown(function)}).")
    return decorate if function is None else decorate(function)


def _name_of(function: object) -> str | None:
    return getattr(getattr(function, "__func__", function), "__name__", None)


def _settings_of(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters) - {"id"}


def _check_settings(settings: Iterable[str], known: Iterable[str], *, owner: str) -> None:
    for name in settings:
        if name not in known:
            raise DefinitionError(f"{owner}: unknown setting `{name}`.{did_you_mean(name, known)}")
