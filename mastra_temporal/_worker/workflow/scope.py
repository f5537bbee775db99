"""The state of a run: one scope for the workflow, one for each nested workflow inside it. Plain data."""

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
    """The workflow's time in milliseconds since the epoch."""
    return workflow.time_ns() // 1_000_000


@dataclass
class Progress:
    """How far the entry under way has come; dropped when the entry is left.

    What is here is never done again: a handler that enters an entry a second time (after a suspension) takes the
    results it finds and runs only what is missing.
    """

    input_data: Any
    results: dict[str, StepResult] = field(default_factory=lambda: dict[str, StepResult]())
    """The results of the bodies: by step id, in a foreach by ``<step id>[<index>]``."""
    children: dict[str, Scope] = field(default_factory=lambda: dict[str, Scope]())
    """The scopes of the nested workflows, by the same keys."""
    resuming: dict[str, Any] = field(default_factory=lambda: dict[str, Any]())
    """The suspended bodies that are to go on, with their data, by the same keys."""
    calls: dict[str, str] = field(default_factory=lambda: dict[str, str]())
    """The bodies whose start has been told and whose end has not, with the ids of their calls."""
    selected: list[int] | None = None
    """The branches whose condition was true."""
    iteration: int = 0
    concurrency: int | None = None
    deadline: int | None = None


@dataclass
class Scope:
    """One workflow of a run: the one that was started, or one nested in it."""

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
    """Resume data for suspended steps that are still to be reached, by step id."""
    active: dict[str, StepResult] = field(default_factory=lambda: dict[str, StepResult]())
    """The bodies under way, by the keys of ``Progress.results``."""
    interrupted: set[str] = field(default_factory=lambda: set[str]())
    """The bodies that were under way in an execution that Temporal closed, and have not been run again yet."""

    def output_of(self, step_id: str) -> Any:
        """The output of a step that succeeded, or MISSING."""
        result = self.steps.get(step_id)
        return result.output if result is not None and result.status == "success" else MISSING

    def outputs(self) -> dict[str, Any]:
        """The outputs of all steps that succeeded."""
        return {step_id: result.output for step_id, result in self.steps.items() if result.status == "success"}

    def merge_state(self, change: dict[str, Any] | None) -> None:
        """Take over what a finished step staged: shallowly, as in Mastra."""
        if change:
            self.state = {**self.state, **change}


@dataclass(frozen=True)
class Answer:
    """An accepted resume that waits for the steps under way."""

    keys: list[str]
    """The way to the step, items with their index."""
    data: Any
    per_step: bool


@dataclass
class RunState:
    """What all scopes of a run share."""

    run_id: str
    resource_id: str | None
    request_context: dict[str, Any]
    per_step: bool
    stored_from: int | None = None
    """The bytes from which payloads go to an external storage; None if there is none."""
    aborted: bool = False
    continuing_as_new: bool = False
    """The history is long: the run goes on in a new execution as soon as nothing is in flight."""
    too_large_to_continue: bool = False
    """It holds too much to be handed over to a new execution."""
    traveling: bool = False
    """It travels in time: its next execution is being started, and nothing begins here any more."""
    sleeping: int = 0
    scopes: dict[tuple[str, ...], Scope] = field(default_factory=lambda: dict[tuple[str, ...], Scope]())
    answers: list[Answer] = field(default_factory=lambda: list[Answer]())
    """What suspended steps were answered, and have not been given yet."""
    claims: list[ResumeClaim] = field(default_factory=lambda: list[ResumeClaim]())
    """Which suspensions were answered, the latest last."""

    def look_up(self, query: LookupQuery) -> LookupReply:
        """Find what a step asks for while it runs: a workflow's input, or the output of a step."""
        scope = self.scopes.get(tuple(query.scope or ()))
        if scope is None:
            return LookupReply()
        if query.step_id is None:
            return LookupReply(value=scope.init_data)
        output = scope.output_of(query.step_id)
        return LookupReply(value=None if output is MISSING else output)

    def change_request_context(self, change: RequestContextChange | None) -> None:
        """Take over what a finished step did to the request context."""
        if change is None:
            return
        for key in change.deleted or []:
            self.request_context.pop(key, None)
        self.request_context.update(change.set or {})


def run_state(envelope: StartEnvelope) -> RunState:
    """Make the state of a run that begins."""
    return RunState(
        run_id=envelope.run_id or workflow.info().workflow_id,
        resource_id=envelope.resource_id,
        request_context=dict(envelope.request_context or {}),
        per_step=bool(envelope.per_step),
        stored_from=envelope.stored_from,
        aborted=bool(envelope.canceled),
    )


def root_scope(workflow_id: str, run_id: str, plan: WorkflowPlan, input_data: Any, state: dict[str, Any]) -> Scope:
    """Make the scope of a run's own workflow, before its first entry."""
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
    """A look into a run from outside."""

    status: RunStatus
    """Of the run as long as it has no result."""
    run: RunState
    graph: WorkflowGraph | None
    """The recorded graph. A run that a foreign client started has none before its first workflow task."""
    scope: Scope | None
    """The scope of the workflow that was started, once it was entered."""
    result: WorkflowResult[Any] | None
    """How the run ended."""
    resume_labels: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class EntryData:
    """What predicates, templates and paths may read: a `RunData`."""

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
        """The values that travel with the run."""
        return self.run.request_context

    def step_output(self, step_id: str) -> Any:
        """The output of a step that succeeded, or MISSING."""
        return self.scope.output_of(step_id)
