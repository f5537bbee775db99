"""Keyword arguments of the methods of `Run`, shared as `TypedDict` classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from mastra_temporal._client.step_path import StepPath
from mastra_temporal._data.options import parse_options
from mastra_temporal._data.shown import shown
from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal._definition.options import OutputOptions
from mastra_temporal._protocol.results import StepResult
from mastra_temporal._tracing.client import CallHeaders, call_headers
from mastra_temporal._tracing.context import TracingContext
from mastra_temporal._tracing.options import TracingOptions
from mastra_temporal.context import RequestContext
from mastra_temporal.errors import RunError

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
    """Arguments of every call that starts or continues a run."""

    request_context: RequestContext | dict[str, Any] | None
    """Values that steps can read and change. They override recorded ones."""
    per_step: bool
    """Stop with status ``paused`` after the first entry, or after the resumed one."""
    tracing_options: TracingOptions | dict[str, Any] | None
    """Tracing options from this call on. They are sent as a Temporal header."""
    tracing_context: TracingContext | None
    """Parent span of the run. A resume links its new span to it. By default the current OpenTelemetry span."""


class StartOptions(CallOptions, total=False):
    """Further arguments of `Run.start_async`."""

    initial_state: Any
    """The workflow's state at the beginning."""


class StartAndWaitOptions(StartOptions, total=False):
    """Further arguments of `Run.start` and `Run.stream`."""

    output_options: OutputOptions | dict[str, Any] | None
    """Whether the result carries the state and the resume labels."""


class ResumeOptions(CallOptions, total=False):
    """Further arguments of `Run.resume_async`."""

    step: StepPath | None
    """The suspended step: its id, a step object, or the path to one inside nested workflows, as a list or dotted. An
    item of a foreach is ``<id>[<index>]``."""
    label: str | None
    """The label of the suspension, instead of ``step``."""
    for_each_index: int | None
    """Index of the item of a foreach, from 0."""


class ResumeAndWaitOptions(ResumeOptions, total=False):
    """Further arguments of `Run.resume` and `Run.resume_stream`."""

    output_options: OutputOptions | dict[str, Any] | None
    """Whether the result carries the state and the resume labels."""


class TimeTravelOptions(CallOptions, total=False):
    """Further arguments of `Run.time_travel` and `Run.time_travel_stream`."""

    input_data: Any
    """Input of the step instead of the recorded one. For an item of a foreach: the item."""
    context: dict[str, StepResult | dict[str, Any]] | None
    """Results by step id that replace recorded ones: ``{"payload": ..., "output": ...}``."""
    nested_steps_context: dict[str, dict[str, StepResult | dict[str, Any]]] | None
    """The same for the steps of nested workflows, by the ids of these workflows."""
    resume_data: Any
    """Resume data for a suspended step: the target, or one that is reached after it."""
    initial_state: dict[str, Any] | None
    """The workflow's state instead of the recorded one."""
    output_options: OutputOptions | dict[str, Any] | None
    """Whether the result carries the state and the resume labels."""


@dataclass(frozen=True)
class Call:
    """Validated options of a call."""

    headers: CallHeaders
    """The caller's tracing headers."""
    output: OutputOptions
    """What the result includes."""


def accept(label: str, options: Mapping[str, Any], kind: type[Any], name: str, first: str) -> Call:
    """Validate the further arguments of a call.

    Args:
        label: Description of the run for error messages.
        options: The arguments.
        kind: The `TypedDict` that declares them. Python does not check its keys at run time.
        name: The name of the method.
        first: The argument that is named in the method's signature.

    Returns:
        The validated options.

    Raises:
        TypeError: The method has no such argument. The message suggests a similar one.
        DefinitionError: The tracing options, the tracing context or the output options are invalid.
        RunError: `per_step` is not a boolean.
        SerializationError: The tracing options' metadata cannot be written as JSON.
    """
    for given in options:
        if given not in kind.__annotations__:
            hint = did_you_mean(given, [first, *kind.__annotations__])
            raise TypeError(f"{name}() has no argument `{given}`.{hint}")
    per_step = options.get("per_step")
    if per_step is not None and not isinstance(per_step, bool):
        raise RunError(f"{label}: `per_step` is True or False, got {shown(per_step)}.")
    return Call(
        headers=call_headers(options.get("tracing_options"), options.get("tracing_context"), owner=label),
        output=parse_options(OutputOptions, options.get("output_options"), owner=label),
    )
