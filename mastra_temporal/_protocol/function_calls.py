"""Arguments and results of the activities that run functions, schemas and callbacks.

Each envelope is the only argument or the result of a workflow, activity, update or query: Temporal ignores type hints
when argument counts differ. Keys are camelCase on the wire; see `CamelModel`.
"""

from __future__ import annotations

from typing import Any, Literal

from mastra_temporal._protocol.graph import FunctionRef, WorkflowGraph
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import ErrorInfo, RunStatus, StepResult
from mastra_temporal._protocol.step_calls import Checkpoint, RequestContextChange

__all__ = ["CallbackCall", "FunctionCall", "FunctionData", "FunctionOutcome", "ValidationCall", "ValidationOutcome"]


class FunctionData(CamelModel):
    """All data that a function may ask for."""

    input_data: Any = None
    init_data: Any = None
    state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    """The outputs of the successful steps."""


class FunctionCall(CamelModel):
    """The argument of the activity that evaluates conditions, mappings, a duration or a concurrency.

    The activity is local: it runs inside a workflow task, in the process that holds the run, and takes the data from
    there. If the worker does not have the function, the run schedules a normal activity, with the data.
    """

    workflow_id: str
    functions: list[FunctionRef]
    """Evaluated concurrently."""
    run_id: str
    resource_id: str | None = None
    held: int | None = None
    """The number of the data in this process, for a local activity."""
    data: FunctionData | None = None
    """The data, for a normal activity."""
    iteration_count: int | None = None
    retry_count: int = 0
    validate_inputs: bool = True
    validate_outputs: bool = True
    taken_over: bool | None = None
    """Whether another worker may have died in this call: ask the server for lost workflow tasks first."""
    max_lost_attempts: int | None = None
    """As in `StepCall`."""
    carried: Checkpoint | None = None
    """As in `StepCall`."""


class FunctionOutcome(CamelModel):
    """The value of one function, or the error that it raised."""

    value: Any = None
    error: ErrorInfo | None = None
    non_retryable: bool | None = None
    request_context: RequestContextChange | None = None
    missing: bool | None = None
    """Whether this worker lacks a function, or the data. Then none of the functions was evaluated."""


class ValidationCall(CamelModel):
    """The argument of the activity that validates data with the schemas of a workflow and fills in defaults."""

    workflow_id: str
    input_data: Any = None
    state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    kind: Literal["start", "nested", "output"]
    """What is validated: the input of a run that a foreign client started, or of a nested workflow, or a result."""
    taken_over: bool | None = None
    """As in `FunctionCall`."""


class ValidationOutcome(CamelModel):
    """The validated data, or the error of the validation."""

    input_data: Any = None
    state: dict[str, Any] | None = None
    graph: WorkflowGraph | None = None
    stored_from: int | None = None
    """As in `StartEnvelope`, from the data converter of the worker."""
    error: ErrorInfo | None = None
    missing: bool | None = None
    """Whether this worker lacks the workflow. Another worker may have it."""


class CallbackCall(CamelModel):
    """The argument of the activity that runs ``on_start``, ``on_finish`` or ``on_error``."""

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
    """As in `StepCall`."""
    carried: Checkpoint | None = None
    """As in `StepCall`."""
