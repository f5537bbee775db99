"""The further arguments of the calls of `Run`, each described once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from mastra_temporal._client.step_path import StepPath
from mastra_temporal._data.options import parse_options
from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal._definition.options import OutputOptions
from mastra_temporal._protocol.results import StepResult
from mastra_temporal._tracing.client import CallHeaders, call_headers
from mastra_temporal._tracing.context import TracingContext
from mastra_temporal._tracing.options import TracingOptions
from mastra_temporal.context import RequestContext

__all__ = [
    "Call",
    "ResumeAndWaitOptions",
    "ResumeOptions",
    "StartAndWaitOptions",
    "StartOptions",
    "TimeTravelOptions",
    "accept",
]


class CallOptions(TypedDict, total=False):
    """The arguments of every call that moves a run."""

    request_context: RequestContext | dict[str, Any] | None
    """Values that steps can read and change. They win over recorded ones."""
    per_step: bool
    """Stop after the first entry, or the one that is resumed, with status ``paused``."""
    tracing_options: TracingOptions | dict[str, Any] | None
    """How the run is traced from here on. They travel as a Temporal header."""
    tracing_context: TracingContext | None
    """The span that the run becomes a child of; a resume links its new span to it. By default the current
    OpenTelemetry span."""


class StartOptions(CallOptions, total=False):
    """The further arguments of `Run.start_async`."""

    initial_state: Any
    """The workflow's state at the beginning."""


class StartAndWaitOptions(StartOptions, total=False):
    """The further arguments of `Run.start` and `Run.stream`."""

    output_options: OutputOptions | dict[str, Any] | None
    """Whether the result carries the state and the resume labels."""


class ResumeOptions(CallOptions, total=False):
    """The further arguments of `Run.resume_async`."""

    step: StepPath | None
    """The suspended step: its id, a step, or the path to one inside nested workflows, as a list or dotted. An item of
    a foreach is ``<id>[<index>]``."""
    label: str | None
    """A label that the step gave to its suspension, instead of ``step``."""
    for_each_index: int | None
    """The item of a foreach, counting from 0."""


class ResumeAndWaitOptions(ResumeOptions, total=False):
    """The further arguments of `Run.resume` and `Run.resume_stream`."""

    output_options: OutputOptions | dict[str, Any] | None
    """Whether the result carries the state and the resume labels."""


class TimeTravelOptions(CallOptions, total=False):
    """The further arguments of `Run.time_travel` and `Run.time_travel_stream`."""

    input_data: Any
    """The step's input instead of the recorded one; for an item of a foreach, that item."""
    context: dict[str, StepResult | dict[str, Any]] | None
    """Results that stand in for recorded ones, by step id: ``{"payload": ..., "output": ...}``."""
    nested_steps_context: dict[str, dict[str, StepResult | dict[str, Any]]] | None
    """The same for nested workflows, by their ids."""
    resume_data: Any
    """For a suspended step: the target, or one that is reached after it."""
    initial_state: dict[str, Any] | None
    """The workflow's state instead of the recorded one."""
    output_options: OutputOptions | dict[str, Any] | None
    """Whether the result carries the state and the resume labels."""


@dataclass(frozen=True)
class Call:
    """What a call has been asked for besides its data."""

    headers: CallHeaders
    output: OutputOptions


def accept(label: str, options: Mapping[str, Any], kind: type[Any], name: str) -> Call:
    """Check the further arguments of a call.

    Args:
        label: The run in words, for errors.
        options: The arguments.
        kind: The `TypedDict` that has them. Python does not check its keys.
        name: The name of the method.

    Raises:
        TypeError: The call has no such argument. The message names the one that may be meant.
        DefinitionError: The tracing options, the tracing context or the output options are wrong.
        SerializationError: The tracing options' metadata cannot be written as JSON.
    """
    for given in options:
        if given not in kind.__annotations__:
            raise TypeError(f"{name}() has no argument `{given}`.{did_you_mean(given, kind.__annotations__)}")
    return Call(
        headers=call_headers(options.get("tracing_options"), options.get("tracing_context"), owner=label),
        output=parse_options(OutputOptions, options.get("output_options"), owner=label),
    )
