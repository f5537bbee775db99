"""Every envelope that crosses a process boundary, in one place.

Each is one argument or one result of a workflow, activity, update or query: Temporal ignores type hints when argument
counts differ, so there is always exactly one. On the wire the keys are Mastra's camelCase; unknown keys are ignored and
keys without a value are left out, so that histories stay small and envelopes can grow. ``v`` is the envelope's version.
"""

from __future__ import annotations

from typing import Any, Literal

from mastra_temporal._protocol.graph import FunctionRef, WorkflowGraph
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import ErrorInfo, RunStatus, StepResult
from mastra_temporal._protocol.step_calls import Checkpoint, RequestContextChange

__all__ = ["CallbackCall", "FunctionCall", "FunctionOutcome", "ValidationCall", "ValidationOutcome"]


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


class ValidationCall(CamelModel):
    """The argument of the activity that checks data against a workflow's schemas and fills in defaults."""

    workflow_id: str
    input_data: Any = None
    state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    kind: Literal["start", "nested", "output"]
    """Data for a run started by a foreign client, for a nested workflow, or the result of a workflow."""
    taken_over: bool | None = None
    """As that of a function's call."""


class ValidationOutcome(CamelModel):
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
