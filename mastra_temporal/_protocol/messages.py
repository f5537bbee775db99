"""Every envelope that crosses a process boundary, in one place.

Each is one argument or one result of a workflow, activity, update or query: Temporal ignores type hints when argument
counts differ, so there is always exactly one. On the wire the keys are Mastra's camelCase; unknown keys are ignored and
keys without a value are left out, so that histories stay small and envelopes can grow. ``v`` is the envelope's version.
"""

from __future__ import annotations

from typing import Any

from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import RunStatus, WorkflowResult
from mastra_temporal._protocol.step_calls import Checkpoint

__all__ = [
    "DataProblem",
    "FailedStep",
    "LookupQuery",
    "LookupReply",
    "LostAttempt",
    "OutcomeReply",
    "RestartRequest",
    "ResumeClaim",
    "ResumeReply",
    "ResumeRequest",
    "RunStatusReply",
    "StreamItem",
    "StreamQuery",
    "StreamReply",
]


class ResumeClaim(CamelModel):
    """Whom a resume has answered: nobody else can answer that suspension."""

    keys: list[str]
    """The way to the step, items with their index."""
    labels: list[str] | None = None
    resume_count: int
    """How often the run had been resumed then, this time included."""


class FailedStep(CamelModel):
    """The second detail of a failed run's ``ApplicationError``, for the reader of the Temporal UI."""

    step: str
    """The path of the step that failed."""
    input: Any = None


class LostAttempt(CamelModel):
    """One attempt of a step whose worker is gone."""

    activity_id: str
    attempt: int = 1
    """Which of the activity's attempts it is, counting from 1."""
    started: str | None = None
    """When the server gave the attempt to its worker; of an attempt that began since, this is not to be given up."""
    carried: Checkpoint | None = None


class RestartRequest(CamelModel):
    """The argument of the ``restart`` update."""

    attempts: list[LostAttempt]
    request_context: dict[str, Any] | None = None
    """The caller's values: they win over the recorded ones."""


class ResumeRequest(CamelModel):
    """The argument of the ``resume`` update."""

    resume_count: int | None = None
    """How often the run had been resumed when the caller saw it: what was answered since, the caller cannot mean."""
    step: list[str] | None = None
    """The path of the suspended step; an item of a foreach as ``<step id>[<index>]``."""
    label: str | None = None
    for_each_index: int | None = None
    resume_data: Any = None
    request_context: dict[str, Any] | None = None
    """The caller's values: they win over the recorded ones."""
    per_step: bool | None = None
    stored_from: int | None = None
    """As in the envelope of a start."""


class DataProblem(CamelModel):
    """The details of an ``ApplicationError`` that refuses data."""

    code: str
    """Mastra's error id."""
    issues: list[dict[str, Any]]
    """``{"path": [...], "message": ...}`` for each thing that is wrong."""


class ResumeReply(CamelModel):
    """The answer of the ``resume`` update."""

    resume_count: int
    """How often the run has been resumed now."""


class OutcomeReply(CamelModel):
    """The answer of the ``outcome`` update: the run has ended, or is suspended with this result."""

    ended: bool = False
    result: WorkflowResult[Any] | None = None
    resume_count: int | None = None
    """Set when the run has been resumed in the meantime: how often. Then there is no result; ask for that one."""
    continued_as_new: bool | None = None
    """The run goes on in a new execution: ask that one."""


class RunStatusReply(CamelModel):
    """The answer of the ``status`` query."""

    status: RunStatus


class StreamQuery(CamelModel):
    """Asks for the events of a run."""

    offset: int
    """Of the first one that is wanted."""
    settled: int
    """The last workflow task whose end is recorded, as the id of its started event: what it added is final."""


class StreamItem(CamelModel):
    """One event of a run."""

    offset: int
    topic: str
    data: str
    """The event's ``Payload`` message in base64."""


class StreamReply(CamelModel):
    """Events of a run, as many as fit into one answer."""

    items: list[StreamItem] = []
    end: int
    """The offset behind the last one that is settled."""


class LookupQuery(CamelModel):
    """Asks for the output of a step (or the input of its workflow) of a run under way."""

    scope: list[str] | None = None
    step_id: str | None = None
    """None asks for the workflow's input."""


class LookupReply(CamelModel):
    """The output of a successful step, or the workflow's input; None when there is none."""

    value: Any = None
