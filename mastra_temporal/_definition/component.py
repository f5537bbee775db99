"""Agents and tools as steps: what an object must have to be one, and the body that calls it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel

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
    """What `create_step` takes as an agent: any object with an id and an async call. Mastra's ``Agent``.

    An agent of pydantic-ai is taken as it is: its ``name`` is the id, its ``run`` the call. For other libraries write a
    class of these two members around their agent.
    """

    @property
    def id(self) -> str:
        """The step's id, unless `create_step` is given another."""
        ...

    async def generate(self, prompt: str, *, write: Callable[[str], Awaitable[None]], **options: Any) -> Any:
        """Answer a prompt.

        Args:
            prompt: The step's input.
            write: Takes pieces of the answer's text as they come, for readers of the run's stream; may be left unused.
            options: The ``agent_options`` of the step.

        Returns:
            The text; or, when the step has an ``output_schema``, data that matches it.
        """
        ...


class Tool(Protocol):
    """What `create_step` takes as a tool. Mastra's ``Tool``: https://mastra.ai/reference/tools/create-tool."""

    @property
    def id(self) -> str:
        """The step's id, unless `create_step` is given another."""
        ...

    @property
    def input_schema(self) -> Any:
        """The schema of the input, as steps have it."""
        ...

    @property
    def output_schema(self) -> Any:
        """The schema of the output."""
        ...

    @property
    def execute(self) -> Callable[..., Any]:
        """The body, as a step has it: async or not, with the input and, if it is wanted, ``ctx``."""
        ...


class AgentInput(BaseModel):
    """The input of an agent's step."""

    prompt: str


class AgentOutput(BaseModel):
    """The output of an agent's step, unless it has an ``output_schema`` of its own."""

    text: str


@dataclass(frozen=True)
class Component:
    """An agent or a tool, as the step that it becomes."""

    kind: Literal["AGENT", "TOOL"]
    id: Any
    description: str | None
    input_schema: Any
    output_schema: Any
    execute: Callable[..., Any]


def component_of(value: Any, *, output_schema: Any, agent_options: dict[str, Any] | None) -> Component:
    """See what a value is.

    Raises:
        DefinitionError: It is neither an agent nor a tool, or a tool without schemas.
    """
    if isinstance(value, type):
        raise _neither(value)
    if callable(getattr(value, "execute", None)):
        return tool_of(value)
    if callable(getattr(value, "generate", None)) or callable(getattr(value, "run", None)):
        return agent_of(value, output_schema=output_schema, agent_options=agent_options)
    raise _neither(value)


def agent_of(value: Any, *, output_schema: Any, agent_options: dict[str, Any] | None) -> Component:
    """An agent as a step."""
    own = getattr(value, "output_type", None)
    if output_schema is None and own not in (None, str):
        output_schema = own if isinstance(own, type) else Any
    return Component(
        kind="AGENT",
        id=_id_of(value),
        description=_text(getattr(value, "description", None)),
        input_schema=AgentInput,
        output_schema=output_schema or AgentOutput,
        execute=_agent_body(lambda _: value, agent_options or {}, has_text=output_schema is None),
    )


def registered_agent(agent_id: str, *, output_schema: Any, agent_options: dict[str, Any] | None) -> Component:
    """An agent that is looked up in the registry when the step runs."""

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
    """A tool that is looked up in the registry by the worker. Its schemas are not known before."""

    def missing(ctx: SyncStepContext) -> Any:
        raise ConfigurationError(_not_registered("tool", tool_id, ctx.step_id))

    return Component("TOOL", tool_id, None, Any, Any, missing)


def _not_registered(kind: str, component_id: str, step_id: str) -> str:
    return (
        f"{kind.capitalize()} '{component_id}' not found for workflow step '{step_id}'. "
        f"Register the {kind} on the Mastra instance or pass the {kind} instance directly."
    )


def tool_of(value: Any) -> Component:
    """A tool as a step.

    Raises:
        DefinitionError: It is no tool, or one without schemas.
    """
    if isinstance(value, type) or not callable(getattr(value, "execute", None)):
        raise DefinitionError(f"A tool is an object with `id`, `execute` and schemas, got {value!r}.")
    input_schema, output_schema = getattr(value, "input_schema", None), getattr(value, "output_schema", None)
    if input_schema is None or output_schema is None:
        raise DefinitionError(f"Tool must have input and output schemas defined: `{_id_of(value) or value}` has not.")
    return Component(
        kind="TOOL",
        id=_id_of(value),
        description=_text(getattr(value, "description", None)),
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
            answer = await agent.generate(question.prompt, write=write, **options)
        else:
            streaming = _streaming(agent, write) if has_text else {}
            answer = await agent.run(question.prompt, **streaming, **options)
            answer = getattr(answer, "output", answer)
        return {"text": answer} if has_text else answer

    return ask


def _streaming(agent: Any, write: Callable[[str], Awaitable[None]]) -> dict[str, Any]:
    """The argument with which an agent of pydantic-ai tells its text as it comes; none for other agents."""
    if "event_stream_handler" not in inspect.signature(agent.run).parameters:
        return {}

    async def read(_: Any, events: AsyncIterable[Any]) -> None:
        async for event in events:
            if text := _streamed_text(event):
                await write(text)

    return {"event_stream_handler": read}


def _streamed_text(event: Any) -> str | None:
    """The text in one of pydantic-ai's events; not what the model thinks, nor what it tells its tools."""
    part, delta = getattr(event, "part", None), getattr(event, "delta", None)
    if getattr(event, "event_kind", None) == "part_start" and getattr(part, "part_kind", None) == "text":
        return getattr(part, "content", None)
    return getattr(delta, "content_delta", None) if getattr(delta, "part_delta_kind", None) == "text" else None


def _id_of(value: Any) -> Any:
    return getattr(value, "id", None) or getattr(value, "name", None)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _neither(value: Any) -> DefinitionError:
    return DefinitionError(
        f"Invalid input: expected StepParams, Agent, ToolStep, or Processor, got {value!r}. Give create_step() an id "
        "and execute=, an agent (an object with `generate` or `run`) or a tool (one with `execute`)."
    )
