"""The argument, the result, the failure and the heartbeat details of a step's activity.

Each envelope is the only argument or the result of a workflow, activity, update or query: Temporal ignores type hints
when argument counts differ. Keys are camelCase on the wire; see `CamelModel`.
"""

from __future__ import annotations

from typing import Any, Literal

from mastra_temporal._protocol.graph import CANCEL_GRACE
from mastra_temporal._protocol.keys import without_iteration
from mastra_temporal._protocol.model import CamelModel, LeanModel
from mastra_temporal._protocol.results import ErrorInfo

__all__ = [
    "START_TO_CLOSE",
    "Checkpoint",
    "RequestContextChange",
    "RetryPlan",
    "StepCall",
    "StepFailure",
    "StepOutcome",
    "idempotency_key",
]


START_TO_CLOSE = 3_600_000
"""The default start-to-close timeout of a step in milliseconds."""


class RequestContextChange(CamelModel):
    """The changes that a step made to the request context."""

    set: dict[str, Any] | None = None
    deleted: list[str] | None = None


class RetryPlan(LeanModel):
    """The retry options for a step's own failures. Crashes are not failures and are not counted."""

    retries: int = 0
    delay_ms: int = 0
    backoff_coefficient: float | None = None
    maximum_interval_ms: int | None = None
    non_retryable_error_types: list[str] | None = None


class StepCall(LeanModel):
    """The argument of a step's activity. Its type names the workflow and the step.

    A person reads it in the Temporal UI as the input of the step, so it has only what is not said elsewhere.
    """

    run_id: str | None = None
    """The ID of the run, if it is not the ID of the Temporal workflow: inside a foreach."""
    scope: list[str] | None = None
    """The path of nested workflows from the root to the step's workflow, for the `lookup` query."""
    resource_id: str | None = None
    input_data: Any = None
    state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    resumed: bool | None = None
    resume_data: Any = None
    suspend_data: Any = None
    idempotency_key: str | None = None
    """The key, if it is not the ID of the Temporal workflow with that of the activity: inside a loop."""
    retry: RetryPlan = RetryPlan()
    timeout_ms: int = START_TO_CLOSE
    """The start-to-close timeout in milliseconds."""
    cancel_grace_ms: int = CANCEL_GRACE
    """How long a canceled step may take to end, in milliseconds."""
    validate_inputs: bool = True
    validate_outputs: bool = True
    carried: Checkpoint | None = None
    """The checkpoint of the lost attempt, if ``restart()`` scheduled this one."""
    held: int | None = None
    """For a local step: the number of what it may look up, in the process that holds the run."""
    taken_over: bool | None = None
    """For a local step: as in `FunctionCall`."""
    restarted: bool | None = None
    """Whether the step was already in flight in an earlier execution, which Temporal closed."""
    max_lost_attempts: int | None = None
    """How many attempts in a row may be lost. None for the worker's own limit, 0 for any number."""

    def key(self, workflow_id: str, activity_id: str) -> str:
        """Return the idempotency key of the step in an activity of a Temporal workflow."""
        # A restart gives the activity a number: all its attempts have the same key.
        return self.idempotency_key or idempotency_key(workflow_id, without_iteration(activity_id))


def idempotency_key(workflow_id: str, path: str) -> str:
    """Return the idempotency key of the step with a path."""
    return f"{workflow_id}/{path}"


class Checkpoint(CamelModel):
    """The heartbeat details of a step, which survive a killed worker."""

    failures: int = 0
    """How often the step's own code failed. Crashes do not count."""
    value: Any = None
    """The value that the step saved with ``ctx.checkpoint()``."""
    lost: int = 0
    """How many attempts in a row were lost. An attempt counts itself when it begins, and is taken out if it ends."""
    begun: bool | None = None
    """Whether an attempt has begun and has not ended."""
    workers: list[str] | None = None
    """The identities of the workers of the latest attempts in ``lost``."""


class StepOutcome(CamelModel):
    """The result of a step's activity. A suspension is a result, not an error."""

    status: Literal["success", "suspended", "bailed"] = "success"
    output: Any = None
    payload: Any = None
    """The validated input, if the validation changed it."""
    suspend_payload: Any = None
    suspend_output: Any = None
    resume_labels: list[str] | None = None
    resume_payload: Any = None
    """The validated resume data, if the validation changed them."""
    state: dict[str, Any] | None = None
    request_context: RequestContextChange | None = None
    aborted: bool | None = None


class StepFailure(CamelModel):
    """The detail of the ``ApplicationError`` of a failed step."""

    error: ErrorInfo
    payload: Any = None
    tripwire: dict[str, Any] | None = None
    non_retryable: bool | None = None
    request_context: RequestContextChange | None = None
    aborted: bool | None = None
