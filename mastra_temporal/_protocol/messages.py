"""Arguments and answers of the updates and queries of a run, and the details of its errors.

Each envelope is the only argument or the result of a workflow, activity, update or query: Temporal ignores type hints
when argument counts differ. Keys are camelCase on the wire; see `CamelModel`.
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
    """The record that a suspension was resumed. The same suspension cannot be resumed again."""

    keys: list[str]
    """The path of the step, with the index of foreach items."""
    labels: list[str] | None = None
    resume_count: int
    """How often the run had been resumed, including this resume."""


class FailedStep(CamelModel):
    """The second detail of a failed run's ``ApplicationError``, for display in the Temporal UI."""

    step: str
    """The path of the step that failed."""
    input: Any = None


class LostAttempt(CamelModel):
    """One attempt of a step whose worker is gone."""

    activity_id: str
    attempt: int = 1
    """The number of the attempt within its activity, counting from 1."""
    started: str | None = None
    """The server's start time of the attempt. A later attempt of the same activity is not given up."""
    carried: Checkpoint | None = None


class RestartRequest(CamelModel):
    """The argument of the ``restart`` update."""

    attempts: list[LostAttempt]
    request_context: dict[str, Any] | None = None
    """The caller's values, which override the recorded ones."""


class ResumeRequest(CamelModel):
    """The argument of the ``resume`` update."""

    resume_count: int | None = None
    """How often the run had been resumed when the caller read it. Steps that were resumed since are refused."""
    step: list[str] | None = None
    """The path of the suspended step. An item of a foreach is ``<step id>[<index>]``."""
    label: str | None = None
    for_each_index: int | None = None
    resume_data: Any = None
    request_context: dict[str, Any] | None = None
    """The caller's values, which override the recorded ones."""
    per_step: bool | None = None
    stored_from: int | None = None
    """As in `StartEnvelope`."""


class DataProblem(CamelModel):
    """The details of an ``ApplicationError`` for data that do not match their schema."""

    code: str
    """Mastra's error ID."""
    issues: list[dict[str, Any]]
    """``{"path": [...], "message": ...}`` for each problem."""


class ResumeReply(CamelModel):
    """The answer of the ``resume`` update."""

    resume_count: int
    """How often the run has been resumed, including this resume."""


class OutcomeReply(CamelModel):
    """The answer of the ``outcome`` update: whether the run has ended, and its result.

    The result is missing if it is too large for the answer, and if the run was resumed or continued as new.
    """

    ended: bool = False
    result: WorkflowResult[Any] | None = None
    resume_count: int | None = None
    """Set if the run was resumed meanwhile: how often. The caller then asks for the outcome of that resume."""
    continued_as_new: bool | None = None
    """Whether the run continued as new. The caller then asks the new execution."""


class RunStatusReply(CamelModel):
    """The answer of the ``status`` query."""

    status: RunStatus


class StreamQuery(CamelModel):
    """The argument of the ``stream`` query, which returns events of a run."""

    offset: int
    """The offset of the first event to return."""
    settled: int
    """The ID of the started event of the last completed workflow task. Only events up to that task are final."""


class StreamItem(CamelModel):
    """One event of a run."""

    offset: int
    topic: str
    data: str
    """The ``Payload`` message of the event in base64."""


class StreamReply(CamelModel):
    """The answer of the ``stream`` query: as many events as fit into one answer."""

    items: list[StreamItem] = []
    end: int
    """The offset after the last final event."""


class LookupQuery(CamelModel):
    """The argument of the ``lookup`` query, which returns the output of a step or the input of its workflow."""

    scope: list[str] | None = None
    """The path of the nested workflow. None for the root."""
    step_id: str | None = None
    """None for the input of the workflow."""


class LookupReply(CamelModel):
    """The output of a successful step, or the input of the workflow. None if there is none."""

    value: Any = None
