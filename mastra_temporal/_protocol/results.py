"""Every envelope that crosses a process boundary, in one place.

Each is one argument or one result of a workflow, activity, update or query: Temporal ignores type hints when argument
counts differ, so there is always exactly one. On the wire the keys are Mastra's camelCase; unknown keys are ignored and
keys without a value are left out, so that histories stay small and envelopes can grow. ``v`` is the envelope's version.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from pydantic import SerializerFunctionWrapHandler, model_serializer

from mastra_temporal._protocol.model import CamelModel

__all__ = ["NO_USAGE", "ErrorInfo", "RunStatus", "StepResult", "StepStatus", "WorkflowResult"]

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
