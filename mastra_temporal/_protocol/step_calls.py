"""Every envelope that crosses a process boundary, in one place.

Each is one argument or one result of a workflow, activity, update or query: Temporal ignores type hints when argument
counts differ, so there is always exactly one. On the wire the keys are Mastra's camelCase; unknown keys are ignored and
keys without a value are left out, so that histories stay small and envelopes can grow. ``v`` is the envelope's version.
"""

from __future__ import annotations

from typing import Any, Literal

from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import ErrorInfo

__all__ = ["Checkpoint", "RequestContextChange", "RetryPlan", "StepCall", "StepFailure", "StepOutcome"]


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


class StepFailure(CamelModel):
    """The details of a failed step's ``ApplicationError``."""

    error: ErrorInfo
    payload: Any = None
    tripwire: dict[str, Any] | None = None
    non_retryable: bool | None = None
    request_context: RequestContextChange | None = None
    aborted: bool | None = None
