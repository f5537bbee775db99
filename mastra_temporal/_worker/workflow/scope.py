"""The state of a run as plain data: one scope for the workflow, and one for each nested workflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from temporalio import workflow

from mastra_temporal._data.path import MISSING
from mastra_temporal._protocol.graph import WorkflowGraph, WorkflowPlan
from mastra_temporal._protocol.messages import LookupQuery, LookupReply, ResumeClaim
from mastra_temporal._protocol.results import RunStatus, StepResult, WorkflowResult
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._protocol.step_calls import RequestContextChange

__all__ = [
    "Answer",
    "EntryData",
    "Inspection",
    "Progress",
    "RunState",
    "Scope",
    "milliseconds_now",
    "root_scope",
    "run_state",
]


def milliseconds_now() -> int:
    """Return the workflow time in milliseconds since the epoch. It is the same on every replay."""
    return workflow.time_ns() // 1_000_000


@dataclass
class Progress:
    """The progress of the current entry. It is dropped when the entry ends.

    A handler that enters the entry again (after a suspension or a continue-as-new) takes the results from here and runs
    only what is missing. So nothing runs twice.
    """

    input_data: Any
    results: dict[str, StepResult] = field(default_factory=lambda: dict[str, StepResult]())
    """The results of the bodies, by step ID. In a foreach the key is ``<step id>[<index>]``."""
    outputs: dict[int, Any] = field(default_factory=lambda: dict[int, Any]())
    """In a foreach: the outputs of the items that succeeded, by index. They are not in ``results``."""
    children: dict[str, Scope] = field(default_factory=lambda: dict[str, Scope]())
    """The scopes of the nested workflows, by the same keys."""
    resuming: dict[str, Any] = field(default_factory=lambda: dict[str, Any]())
    """The resume data of the suspended bodies that run again, by the same keys."""
    calls: dict[str, str] = field(default_factory=lambda: dict[str, str]())
    """The call IDs of the bodies whose start event is published and whose end event is not."""
    selected: list[int] | None = None
    """The indexes of the branches whose condition was true. None before the conditions are evaluated."""
    started_at: int | None = None
    """In a foreach: when it started, in milliseconds since the epoch."""
    iteration: int = 0
    concurrency: int | None = None
    deadline: int | None = None
    """The end of a sleep in milliseconds since the epoch."""


@dataclass
class Scope:
    """The state of one workflow in a run: the workflow that was started, or one nested in it."""

    workflow_id: str
    run_id: str
    path: tuple[str, ...]
    plan: WorkflowPlan
    validate_inputs: bool
    init_data: Any
    state: dict[str, Any]
    steps: dict[str, StepResult] = field(default_factory=lambda: dict[str, StepResult]())
    step_execution_path: list[str] = field(default_factory=lambda: list[str]())
    position: int = 0
    input_data: Any = None
    """The input of the entry at ``position``."""
    progress: Progress | None = None
    answers: dict[str, Any] = field(default_factory=lambda: dict[str, Any]())
    """Resume data for suspended steps that the run has not reached yet, by step ID."""
    active: dict[str, StepResult] = field(default_factory=lambda: dict[str, StepResult]())
    """The bodies in flight, by the keys of ``Progress.results``."""
    interrupted: set[str] = field(default_factory=lambda: set[str]())
    """The bodies that were in flight when Temporal closed an execution, and have not run again yet."""

    def output_of(self, step_id: str) -> Any:
        """Return the output of a step that succeeded, or MISSING."""
        result = self.steps.get(step_id)
        return result.output if result is not None and result.status == "success" else MISSING

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of all steps that succeeded."""
        return {step_id: result.output for step_id, result in self.steps.items() if result.status == "success"}

    def merge_state(self, change: dict[str, Any] | None) -> None:
        """Merge the state changes of a finished step: only at the top level, as in Mastra."""
        if change:
            self.state = {**self.state, **change}


@dataclass(frozen=True)
class Answer:
    """An accepted resume that waits until no step is in flight."""

    keys: list[str]
    """The path of the step, with the index of foreach items."""
    data: Any
    per_step: bool


@dataclass
class RunState:
    """The state that all scopes of a run share."""

    run_id: str
    resource_id: str | None
    request_context: dict[str, Any]
    per_step: bool
    stored_from: int | None = None
    """The size in bytes from which payloads go to an external storage. None without a storage."""
    aborted: bool = False
    """Whether the run is canceled."""
    continuing_as_new: bool = False
    """Whether the run continues as new as soon as nothing is in flight, because the history is long."""
    too_large_to_continue: str | None = None
    """Why the run cannot continue as new: its state is too large for the argument of a new execution."""
    traveling: bool = False
    """Whether the run travels in time: its next execution is being started, and nothing more may start here."""
    sleeping: int = 0
    """How many entries sleep now."""
    scopes: dict[tuple[str, ...], Scope] = field(default_factory=lambda: dict[tuple[str, ...], Scope]())
    answers: list[Answer] = field(default_factory=lambda: list[Answer]())
    """Accepted resumes that their steps have not received yet."""
    claims: list[ResumeClaim] = field(default_factory=lambda: list[ResumeClaim]())
    """The suspensions that were resumed, the latest last."""

    def look_up(self, query: LookupQuery) -> LookupReply:
        """Answer the query of a running step: with the input of a workflow, or the output of a step."""
        scope = self.scopes.get(tuple(query.scope or ()))
        if scope is None:
            return LookupReply()
        if query.step_id is None:
            return LookupReply(value=scope.init_data)
        output = scope.output_of(query.step_id)
        return LookupReply(value=None if output is MISSING else output)

    def change_request_context(self, change: RequestContextChange | None) -> None:
        """Apply the changes that a finished step made to the request context."""
        if change is None:
            return
        for key in change.deleted or []:
            self.request_context.pop(key, None)
        self.request_context.update(change.set or {})


def run_state(envelope: StartEnvelope) -> RunState:
    """Create the state of a run from the argument of its execution."""
    return RunState(
        run_id=envelope.run_id or workflow.info().workflow_id,
        resource_id=envelope.resource_id,
        request_context=dict(envelope.request_context or {}),
        per_step=bool(envelope.per_step),
        stored_from=envelope.stored_from,
        aborted=bool(envelope.canceled),
    )


def root_scope(workflow_id: str, run_id: str, plan: WorkflowPlan, input_data: Any, state: dict[str, Any]) -> Scope:
    """Create the root scope of a run, positioned at the first entry."""
    return Scope(
        workflow_id=workflow_id,
        run_id=run_id,
        path=(),
        plan=plan,
        validate_inputs=plan.validate_inputs,
        init_data=input_data,
        state=state,
        input_data=input_data,
    )


@dataclass(frozen=True)
class Inspection:
    """The state of a run as its records need it."""

    status: RunStatus
    """The status of the run while it has no result."""
    run: RunState
    graph: WorkflowGraph | None
    """The recorded graph. A run that a foreign client started has none before its first workflow task."""
    scope: Scope | None
    """The root scope, or None before the graph is known."""
    result: WorkflowResult[Any] | None
    """The result of the run, or None before it ends."""
    resume_labels: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class EntryData:
    """The data that predicates, templates and paths may read: a `RunData`."""

    scope: Scope
    run: RunState
    input_data: Any

    @property
    def init_data(self) -> Any:
        """The workflow's input."""
        return self.scope.init_data

    @property
    def state(self) -> dict[str, Any]:
        """The workflow's state."""
        return self.scope.state

    @property
    def request_context(self) -> Mapping[str, Any]:
        """The request context of the run."""
        return self.run.request_context

    def step_output(self, step_id: str) -> Any:
        """Return the output of a step that succeeded, or MISSING."""
        return self.scope.output_of(step_id)
