"""The results of steps and runs, and their statuses.

Each envelope is the only argument or the result of a workflow, activity, update or query: Temporal ignores type hints
when argument counts differ. Keys are camelCase on the wire; see `CamelModel`.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from pydantic import SerializerFunctionWrapHandler, model_serializer

from mastra_temporal._protocol.model import CamelModel

__all__ = ["NO_USAGE", "ErrorInfo", "RunStatus", "StepResult", "StepStatus", "WorkflowResult"]

RunStatus = Literal["pending", "running", "waiting", "suspended", "success", "failed", "tripwire", "canceled", "paused"]
"""The status of a run, as in Mastra."""


StepStatus = Literal["running", "waiting", "success", "failed", "suspended", "canceled", "bailed", "paused", "skipped"]
"""The status of one step in the results of a run."""


ErrorInfo = dict[str, Any]
"""An error as data: ``message``, ``name``, the error's own properties, ``cause`` if it has one, and ``errors`` for an
exception group."""


class StepResult(CamelModel):
    """The result of one step of a run. Times are in milliseconds since the epoch.

    Mastra's ``StepResult``: https://mastra.ai/reference/workflows/workflow
    """

    status: StepStatus
    payload: Any = None
    """The validated input of the step. Left out if it equals the output of the previous step."""
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
    """The labels of a suspended step, on the wire only. A `WorkflowResult` has them in its own ``resume_labels``."""

    @model_serializer(mode="wrap")
    def _leave_out_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out None, except in ``output`` and ``payload`` of a step that succeeded.

        Mastra's TypeScript client recognizes a step result by its ``output``.
        """
        told = ("output", "payload") if self.status in ("success", "bailed") else ()
        return {key: value for key, value in handler(self).items() if value is not None or key in told}


OutT = TypeVar("OutT")


class WorkflowResult(CamelModel, Generic[OutT]):
    """The result of a run that ended or is suspended. Mastra's ``WorkflowResult``.

    ``steps`` contains every step that ran, also if the run failed. Mastra's ``steps.input`` is ``input`` here.
    """

    status: RunStatus
    steps: dict[str, StepResult] = {}
    input: Any = None
    """The validated input, as JSON data."""
    step_execution_path: list[str] = []
    """The IDs of the top-level steps, mappings and sleeps, in the order in which they ran."""
    result: OutT | None = None
    """The output if the status is ``success``: an instance of the workflow's ``output_schema`` if it has one."""
    error: ErrorInfo | None = None
    """The error if the status is ``failed``: ``message``, ``name``, the error's own properties, ``cause``."""
    tripwire: dict[str, Any] | None = None
    suspended: list[list[str]] | None = None
    """The paths of the suspended steps."""
    suspend_payload: dict[str, Any] | None = None
    """The suspend payloads, by the ID of the top-level step."""
    resume_labels: dict[str, dict[str, Any]] | None = None
    state: dict[str, Any] | None = None
    """The state of the workflow, if ``output_options`` requested it."""
    run_id: str
    compacted: bool | None = None
    """Whether the steps were too large for the result, on the wire only. Readers take them from the history."""
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
"""The token counts of a run. They are always zero, because Mastra's agents are not part of this package."""
