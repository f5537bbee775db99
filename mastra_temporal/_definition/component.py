"""Agents and tools as steps: the protocols they implement, and the step bodies that call them."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from mastra_temporal._data.shown import shown
from mastra_temporal.context import StepContext, SyncStepContext
from mastra_temporal.errors import ConfigurationError, DefinitionError

__all__ = [
    "Agent",
    "AgentInput",
    "AgentOutput",
    "Component",
    "Tool",
    "agent_of",
    "component_of",
    "registered_agent",
    "registered_tool",
    "tool_of",
]


class Agent(Protocol):
    """An agent for `create_step`: any object with an id and an async call. Mastra's ``Agent``.

    An agent of pydantic-ai can be used directly: its ``name`` is the id and its ``run`` is the call. For an agent of
    another library, write a class with these two members around it.
    """

    @property
    def id(self) -> str:
        """The agent's id. It is also the default id of the step."""
        ...

    async def generate(self, prompt: str, *, write: Callable[[str], Awaitable[None]], **options: Any) -> Any:
        """Answer a prompt.

        Args:
            prompt: The prompt of the step's input.
            write: Sends a piece of the answer's text to the readers of the run's stream. Calling it is optional.
            options: The ``agent_options`` of the step.

        Returns:
            The text. If the step has an ``output_schema``, data that match it.
        """
        ...


class Tool(Protocol):
    """A tool for `create_step`. Mastra's ``Tool``: https://mastra.ai/reference/tools/create-tool."""

    @property
    def id(self) -> str:
        """The tool's id. It is also the default id of the step."""
        ...

    @property
    def input_schema(self) -> Any:
        """The schema of the input, as for a step."""
        ...

    @property
    def output_schema(self) -> Any:
        """The schema of the output, as for a step."""
        ...

    @property
    def execute(self) -> Callable[..., Any]:
        """The body, as for a step: async or not, with the input and optionally ``ctx`` as parameters."""
        ...


class AgentInput(BaseModel):
    """The input of an agent's step."""

    prompt: str


class AgentOutput(BaseModel):
    """The output of an agent's step that has no ``output_schema``."""

    text: str


@dataclass(frozen=True)
class Component:
    """The settings of a step that is made from an agent or a tool."""

    kind: Literal["AGENT", "TOOL"]
    id: Any
    description: str | None
    input_schema: Any
    output_schema: Any
    execute: Callable[..., Any]


def component_of(value: Any, *, output_schema: Any, agent_options: dict[str, Any] | None) -> Component:
    """Return the settings of the step for an agent or a tool.

    Raises:
        DefinitionError: The value is neither an agent nor a tool, or it is a tool without schemas.
    """
    if isinstance(value, type):
        raise _neither(value)
    if callable(_member(value, "execute")):
        return tool_of(value)
    if callable(_member(value, "generate")) or callable(_member(value, "run")):
        return agent_of(value, output_schema=output_schema, agent_options=agent_options)
    raise _neither(value)


def agent_of(value: Any, *, output_schema: Any, agent_options: dict[str, Any] | None) -> Component:
    """Return the settings of the step for an agent.

    Raises:
        DefinitionError: The value is not an agent, or it cannot be called as one.
    """
    _check_agent(value, agent_options or {})
    own = _member(value, "output_type")
    if output_schema is None and own not in (None, str):
        output_schema = own if isinstance(own, type) else Any
    return Component(
        kind="AGENT",
        id=_id_of(value),
        description=_text(_member(value, "description")),
        input_schema=AgentInput,
        output_schema=output_schema or AgentOutput,
        execute=_agent_body(lambda _: value, agent_options or {}, has_text=output_schema is None),
    )


def registered_agent(agent_id: str, *, output_schema: Any, agent_options: dict[str, Any] | None) -> Component:
    """Return the settings of a step whose agent is looked up in the registry when the step runs."""

    def find(ctx: StepContext) -> Any:
        try:
            return ctx.mastra.get_agent_by_id(agent_id)
        except ConfigurationError:
            raise ConfigurationError(_not_registered("agent", agent_id, ctx.step_id)) from None

    return Component(
        kind="AGENT",
        id=agent_id,
        description=None,
        input_schema=AgentInput,
        output_schema=output_schema or AgentOutput,
        execute=_agent_body(find, agent_options or {}, has_text=output_schema is None),
    )


def registered_tool(tool_id: str) -> Component:
    """Return the settings of a step whose tool the worker looks up in its registry.

    The schemas are not known until then. The body here raises: a worker that has the tool replaces it, see `with_tool`.
    """

    def missing(ctx: SyncStepContext) -> Any:
        raise ConfigurationError(_not_registered("tool", tool_id, ctx.step_id))

    return Component("TOOL", tool_id, None, Any, Any, missing)


def _not_registered(kind: str, component_id: str, step_id: str) -> str:
    return (
        f"{kind.capitalize()} '{component_id}' not found for workflow step '{step_id}'. "
        f"Register the {kind} on the Mastra instance or pass the {kind} instance directly."
    )


def tool_of(value: Any) -> Component:
    """Return the settings of the step for a tool.

    Raises:
        DefinitionError: The value is not a tool, or it is a tool without schemas.
    """
    if isinstance(value, type) or not callable(_member(value, "execute")):
        raise DefinitionError(f"A tool is an object with `id`, `execute` and schemas, got {shown(value)}.")
    input_schema, output_schema = _member(value, "input_schema"), _member(value, "output_schema")
    if input_schema is None or output_schema is None:
        raise DefinitionError(f"Tool must have input and output schemas defined: `{_id_of(value) or value}` has not.")
    return Component(
        kind="TOOL",
        id=_id_of(value),
        description=_text(_member(value, "description")),
        input_schema=input_schema,
        output_schema=output_schema,
        execute=value.execute,
    )


def _agent_body(
    find: Callable[[StepContext], Any], options: dict[str, Any], *, has_text: bool
) -> Callable[[AgentInput, StepContext], Awaitable[Any]]:
    async def ask(question: AgentInput, ctx: StepContext) -> Any:
        async def write(text: str) -> None:
            await ctx.writer.write({"type": "text-delta", "payload": {"text": text}})

        agent = find(ctx)
        if callable(getattr(agent, "generate", None)):
            answer = await _awaited(agent.generate(question.prompt, write=write, **options))
        else:
            streaming = _streaming(agent, write) if has_text else {}
            answer = await _awaited(agent.run(question.prompt, **streaming, **options))
            answer = getattr(answer, "output", answer)
        return {"text": answer} if has_text else answer

    return ask


async def _awaited(answer: Any) -> Any:
    """Return the answer of an agent. The call of a small agent may be a plain function, as in Mastra."""
    return await answer if inspect.isawaitable(answer) else answer


def _streaming(agent: Any, write: Callable[[str], Awaitable[None]]) -> dict[str, Any]:
    """Return the argument that makes an agent of pydantic-ai report its text in pieces. Empty for other agents."""
    if "event_stream_handler" not in inspect.signature(agent.run).parameters:
        return {}

    async def read(_: Any, events: AsyncIterable[Any]) -> None:
        async for event in events:
            if text := _streamed_text(event):
                await write(text)

    return {"event_stream_handler": read}


def _streamed_text(event: Any) -> str | None:
    """Return the answer's text in a pydantic-ai event, or None for thinking, tool calls and other events."""
    part, delta = getattr(event, "part", None), getattr(event, "delta", None)
    if getattr(event, "event_kind", None) == "part_start" and getattr(part, "part_kind", None) == "text":
        return getattr(part, "content", None)
    return getattr(delta, "content_delta", None) if getattr(delta, "part_delta_kind", None) == "text" else None


def _id_of(value: Any) -> Any:
    return _member(value, "id") or _member(value, "name")


def _member(value: Any, name: str) -> Any:
    """Return a member of an agent or tool, or None if there is none.

    Raises:
        DefinitionError: It is a property that raises.
    """
    try:
        return getattr(value, name, None)
    except Exception as error:
        raise DefinitionError(
            f"The agent or tool {shown(value)} cannot be used: its `{name}` raised {type(error).__name__}: {error}"
        ) from error


def _check_agent(agent: Any, options: dict[str, Any]) -> None:
    """Refuse an agent that the step could not call."""
    name = next((name for name in ("generate", "run") if callable(_member(agent, name))), None)
    if name is None:
        raise DefinitionError(f"An agent is an object with an id and `generate` or `run`, got {shown(agent)}.")
    call, arguments = getattr(agent, name), {**options, **({"write": None} if name == "generate" else {})}
    wanted = f"async def {name}(self, prompt, {'*, write, ' if name == 'generate' else ''}**options)"
    fault = None
    try:
        inspect.signature(call).bind("prompt", **arguments)
    except (TypeError, ValueError) as error:
        fault = str(error)
    if inspect.isbuiltin(call):
        fault = "it is a builtin"
    elif inspect.isasyncgenfunction(call):
        fault = "it is an async generator"
    if fault is not None:
        raise DefinitionError(f"The agent {shown(agent)} needs `{wanted}`, which returns the answer: {fault}.")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _neither(value: Any) -> DefinitionError:
    return DefinitionError(
        f"Invalid input: expected StepParams, Agent, ToolStep, or Processor, got {shown(value)}. Give create_step() "
        "an id and execute=, an agent (an object with `generate` or `run`) or a tool (one with `execute`)."
    )
