"""Every envelope that crosses a process boundary, in one place.

Each is one argument or one result of a workflow, activity, update or query: Temporal ignores type hints when argument
counts differ, so there is always exactly one. On the wire the keys are Mastra's camelCase; unknown keys are ignored and
keys without a value are left out, so that histories stay small and envelopes can grow. ``v`` is the envelope's version.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from pydantic import SerializerFunctionWrapHandler, model_serializer
from temporalio.contrib.workflow_streams import WorkflowStreamState

from mastra_temporal.definition.graph import FunctionRef, WorkflowGraph
from mastra_temporal.model import CamelModel

__all__ = [
    "NO_USAGE",
    "CallbackCall",
    "Checkpoint",
    "DataProblem",
    "Departure",
    "EnterCall",
    "EnterOutcome",
    "ErrorInfo",
    "FailedStep",
    "FunctionCall",
    "FunctionOutcome",
    "LookupQuery",
    "LookupReply",
    "LostAttempt",
    "OutcomeReply",
    "ProgressSeed",
    "RequestContextChange",
    "RestartRequest",
    "ResumeClaim",
    "ResumeReply",
    "ResumeRequest",
    "RetryPlan",
    "RunSeed",
    "RunStatus",
    "RunStatusReply",
    "ScopeSeed",
    "StartEnvelope",
    "StepCall",
    "StepFailure",
    "StepOutcome",
    "StepResult",
    "StepStatus",
    "StreamItem",
    "StreamQuery",
    "StreamReply",
    "TravelRequest",
    "WorkflowResult",
]

RunStatus = Literal["pending", "running", "waiting", "suspended", "success", "failed", "tripwire", "canceled", "paused"]
"""The status of a run, in Mastra's words."""

StepStatus = Literal["running", "waiting", "success", "failed", "suspended", "canceled", "bailed", "paused", "skipped"]
"""The status of one step in a run's results."""

ErrorInfo = dict[str, Any]
"""An error as data: ``message``, ``name``, the error's own properties, and where there are such, its ``cause`` and, for
an exception group, its ``errors``."""


class StepResult(CamelModel):
    """What is known of one step of a run. Times are milliseconds since the epoch.

    Mastra's ``StepResult``: https://mastra.ai/reference/workflows/workflow
    """

    status: StepStatus
    payload: Any = None
    """The step's validated input. Left out where it equals the output of the step before."""
    output: Any = None
    error: ErrorInfo | None = None
    started_at: int
    ended_at: int | None = None
    suspend_payload: Any = None
    suspend_output: Any = None
    suspended_at: int | None = None
    resume_payload: Any = None
    resumed_at: int | None = None
    metadata: dict[str, Any] | None = None
    """``{"iterationCount": n}`` for the body of a loop."""
    tripwire: dict[str, Any] | None = None
    non_retryable: bool | None = None
    resume_labels: list[str] | None = None
    """On the wire only: the labels of a suspended step; results have them in ``resume_labels`` of the run."""

    @model_serializer(mode="wrap")
    def _leave_out_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What a step has not is left out, but for ``output``: by it Mastra's TypeScript client knows a step result."""
        told = ("output", "payload") if self.status in ("success", "bailed") else ()
        return {key: value for key, value in handler(self).items() if value is not None or key in told}


OutT = TypeVar("OutT")


class WorkflowResult(CamelModel, Generic[OutT]):
    """How a run ended, or that it is suspended. Mastra's ``WorkflowResult``.

    ``steps`` holds every step that ran, also when the run failed. Mastra's ``steps.input`` is ``input`` here.
    """

    status: RunStatus
    steps: dict[str, StepResult] = {}
    input: Any = None
    """The validated input, as JSON data."""
    step_execution_path: list[str] = []
    """The ids of the top-level steps, mappings and sleeps in the order in which they ran."""
    result: OutT | None = None
    """The output, when the status is ``success``: an instance of the workflow's ``output_schema`` where it has one."""
    error: ErrorInfo | None = None
    """When the status is ``failed``: ``message``, ``name``, the error's own properties, ``cause``."""
    tripwire: dict[str, Any] | None = None
    suspended: list[list[str]] | None = None
    """The paths of the suspended steps."""
    suspend_payload: dict[str, Any] | None = None
    """What the suspended steps said, by the id of the top-level step."""
    resume_labels: dict[str, dict[str, Any]] | None = None
    state: dict[str, Any] | None = None
    """The workflow's state, when it was asked for with ``output_options``."""
    run_id: str
    compacted: bool | None = None
    """On the wire only: the steps did not fit into the result and are read from the history."""
    trace_id: str | None = None
    span_id: str | None = None


NO_USAGE = {
    "inputTokens": 0,
    "outputTokens": 0,
    "totalTokens": 0,
    "cachedInputTokens": 0,
    "cacheCreationInputTokens": 0,
    "reasoningTokens": 0,
}
"""The token counts of a run: Mastra's agents are not part of this package."""


class ProgressSeed(CamelModel):
    """How far the entry under way had come: see `Progress`."""

    input_data: Any = None
    results: dict[str, StepResult] = {}
    children: dict[str, ScopeSeed] = {}
    resuming: dict[str, Any] = {}
    calls: dict[str, str] = {}
    selected: list[int] | None = None
    iteration: int = 0
    concurrency: int | None = None
    deadline: int | None = None


class ScopeSeed(CamelModel):
    """How far a workflow of a run had come: see `Scope`."""

    run_id: str
    path: list[str] = []
    """The way from the run's own workflow, as `Scope.path`."""
    init_data: Any = None
    state: dict[str, Any] = {}
    steps: dict[str, StepResult] = {}
    step_execution_path: list[str] = []
    position: int = 0
    input_data: Any = None
    progress: ProgressSeed | None = None
    answers: dict[str, Any] = {}
    """Resume data for suspended steps that are still to be reached, by step id."""
    interrupted: list[str] | None = None
    """See `Scope.interrupted`."""


class ResumeClaim(CamelModel):
    """Whom a resume has answered: nobody else can answer that suspension."""

    keys: list[str]
    """The way to the step, items with their index."""
    labels: list[str] | None = None
    generation: int
    """How often the run had been resumed then, this time included."""


class RunSeed(CamelModel):
    """Where a new execution of a run begins: with what earlier executions have recorded."""

    scope: ScopeSeed
    left: list[ScopeSeed] = []
    """Nested workflows that were left already: nothing runs in them, but time can travel to them."""
    continued_from: str | None = None
    """The Temporal run id of the execution before."""
    generation: int = 0
    """How often the run has been resumed."""
    first_generation: int = 0
    """What it was when the run began here, by a time travel: those who wait for an earlier one are told."""
    claims: list[ResumeClaim] = []
    """The last resumes."""


class StartEnvelope(CamelModel):
    """The one argument of every workflow: the shape of Mastra's own Temporal package, and what only we send."""

    v: int = 1
    input_data: Any = None
    initial_state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    run_id: str | None = None
    resource_id: str | None = None
    per_step: bool | None = None
    graph: WorkflowGraph | None = None
    """The graph this run is to follow, with input and state already validated. Absent when a foreign client starts."""
    search_attributes: bool | None = None
    """The server has our search attributes: the run may set them."""
    canceled: bool | None = None
    """The run was canceled before it was started: no step may run."""
    seed: RunSeed | None = None
    tracing_options: dict[str, Any] | None = None
    """Of Mastra's TypeScript client. Our own sends them as a header."""
    stored_from: int | None = None
    """The bytes from which the payloads of this run go to an external storage, if the client that starts it has one."""
    stream: WorkflowStreamState | None = None
    """Where the run's stream stood when it went on in a new execution."""


ProgressSeed.model_rebuild()


class TravelRequest(CamelModel):
    """The argument of the ``travel`` update."""

    v: int = 1
    generation: int
    """How often the run had been resumed when the journey was planned."""
    workflow_id: str
    task_queue: str
    envelope: StartEnvelope
    """What the next execution is started with."""


class Departure(CamelModel):
    """The argument of the activity that starts the next execution of a run that travels in time."""

    v: int = 1
    request: TravelRequest
    header: dict[str, Any]
    """The traveller's tracing header."""
    context: dict[str, str]
    """And trace context."""


class RequestContextChange(CamelModel):
    """What a step did to the request context."""

    set: dict[str, Any] | None = None
    deleted: list[str] | None = None


class RetryPlan(CamelModel):
    """How a step's own failures are retried. Crashes are not failures and are not counted here."""

    retries: int = 0
    delay_ms: int = 0
    backoff_coefficient: float | None = None
    maximum_interval_ms: int | None = None
    non_retryable_error_types: list[str] | None = None


class StepCall(CamelModel):
    """The argument of a step's activity."""

    v: int = 1
    run_id: str
    workflow_id: str
    step_id: str
    scope: list[str] | None = None
    """The path of nested workflows from the run's root to this step's workflow, for look-ups."""
    resource_id: str | None = None
    input_data: Any = None
    state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    resumed: bool | None = None
    resume_data: Any = None
    suspend_data: Any = None
    idempotency_key: str
    retry: RetryPlan
    timeout_ms: int
    cancel_grace_ms: int
    validate_inputs: bool = True
    validate_outputs: bool = True
    carried: Checkpoint | None = None
    """What a lost attempt had recorded of itself when ``restart()`` scheduled this one."""
    restarted: bool | None = None
    """The step was under way already in an execution that Temporal closed."""
    max_lost_attempts: int | None = None
    """How many attempts in a row may be lost: None for the worker's own limit, 0 for any number."""


class Checkpoint(CamelModel):
    """The heartbeat details of a step: what survives a killed worker."""

    failures: int = 0
    """How often the step's own code failed. Crashes do not count."""
    value: Any = None
    """What the step saved with ``ctx.checkpoint()``."""
    lost: int = 0
    """How many attempts in a row were lost, the one under way included: it says otherwise if it is not."""
    begun: bool | None = None
    """An attempt has begun that did not come to its end."""
    workers: list[str] | None = None
    """The identities of the workers that it and those before it were lost with."""


class StepOutcome(CamelModel):
    """The result of a step's activity. Suspending is an outcome, not an error."""

    v: int = 1
    status: Literal["success", "suspended", "bailed"] = "success"
    output: Any = None
    payload: Any = None
    """The validated input, where validation changed it."""
    suspend_payload: Any = None
    suspend_output: Any = None
    resume_labels: list[str] | None = None
    resume_payload: Any = None
    """The validated resume data, where validation changed it."""
    state: dict[str, Any] | None = None
    request_context: RequestContextChange | None = None
    aborted: bool | None = None


class FailedStep(CamelModel):
    """The second detail of a failed run's ``ApplicationError``, for the reader of the Temporal UI."""

    step: str
    """The path of the step that failed."""
    input: Any = None


class StepFailure(CamelModel):
    """The details of a failed step's ``ApplicationError``."""

    error: ErrorInfo
    payload: Any = None
    tripwire: dict[str, Any] | None = None
    non_retryable: bool | None = None
    request_context: RequestContextChange | None = None
    aborted: bool | None = None


class FunctionCall(CamelModel):
    """The argument of the activity that evaluates conditions, mappings, a duration or a concurrency.

    Everything a function may ask for is sent along. It is a local activity, which never leaves the process, and could
    not query the workflow task that it is part of. Only where that worker has no such function, any other is asked.
    """

    workflow_id: str
    functions: list[FunctionRef]
    """Evaluated concurrently."""
    run_id: str
    resource_id: str | None = None
    input_data: Any = None
    init_data: Any = None
    state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    """The outputs of the successful steps."""
    iteration_count: int | None = None
    retry_count: int = 0
    validate_inputs: bool = True
    validate_outputs: bool = True
    taken_over: bool | None = None
    """The worker has the run from another one, which may have died of this call: ask the server first."""
    max_lost_attempts: int | None = None
    """As that of a step's call."""
    carried: Checkpoint | None = None
    """As that of a step's call."""


class FunctionOutcome(CamelModel):
    """The value of one function, or the error it raised."""

    value: Any = None
    error: ErrorInfo | None = None
    non_retryable: bool | None = None
    request_context: RequestContextChange | None = None
    missing: bool | None = None
    """This worker has no such function. Another one may: then it was evaluated nowhere."""


class EnterCall(CamelModel):
    """The argument of the activity that checks data against a workflow's schemas and fills in defaults."""

    workflow_id: str
    input_data: Any = None
    state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    kind: Literal["start", "nested", "output"]
    """Data for a run started by a foreign client, for a nested workflow, or the result of a workflow."""
    taken_over: bool | None = None
    """As that of a function's call."""


class EnterOutcome(CamelModel):
    """The admitted data, or why it was refused."""

    input_data: Any = None
    state: dict[str, Any] | None = None
    graph: WorkflowGraph | None = None
    stored_from: int | None = None
    """As in the envelope of a start: of the worker's own data converter."""
    error: ErrorInfo | None = None
    missing: bool | None = None
    """This worker has no such workflow. Another one may."""


class CallbackCall(CamelModel):
    """The argument of the activity that runs ``on_start``, ``on_finish`` or ``on_error``."""

    v: int = 1
    workflow_id: str
    callback: Literal["on_start", "on_finish", "on_error"]
    run_id: str
    resource_id: str | None = None
    status: RunStatus | None = None
    result: Any = None
    error: ErrorInfo | None = None
    tripwire: dict[str, Any] | None = None
    steps: dict[str, StepResult] | None = None
    state: dict[str, Any] | None = None
    step_execution_path: list[str] | None = None
    init_data: Any = None
    request_context: dict[str, Any] | None = None
    validate_inputs: bool = True
    max_lost_attempts: int | None = None
    """As that of a step's call."""
    carried: Checkpoint | None = None
    """As that of a step's call."""


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

    v: int = 1
    """From 2 on the attempts say when they started, and the run looks whether they are still the same."""
    attempts: list[LostAttempt]
    request_context: dict[str, Any] | None = None
    """The caller's values: they win over the recorded ones."""


class ResumeRequest(CamelModel):
    """The argument of the ``resume`` update."""

    v: int = 1
    generation: int | None = None
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

    generation: int
    """How often the run has been resumed now."""


class OutcomeReply(CamelModel):
    """The answer of the ``outcome`` update: the run has ended, or is suspended with this result."""

    ended: bool = False
    result: WorkflowResult[Any] | None = None
    generation: int | None = None
    """Set when the run has been resumed in the meantime: how often. Then there is no result; ask for that one."""
    moved: bool | None = None
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
