"""Options of steps and workflows, checked where they are given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, field_validator

from mastra_temporal._data.options import Duration, Options, milliseconds
from mastra_temporal._definition.ids import fault_of
from mastra_temporal._protocol.graph import StepPlan

__all__ = ["OutputOptions", "RetryConfig", "StepOptions", "WorkflowOptions"]


class RetryConfig(Options):
    """Retries for all steps of a workflow that do not say otherwise.

    Mastra's ``retryConfig``: https://mastra.ai/docs/workflows/error-handling
    """

    attempts: int = Field(default=0, ge=0)
    """How often a failed step is tried again: 2 means up to three executions."""
    delay: Annotated[int | float, Field(ge=0)] | Annotated[timedelta, Field(ge=timedelta(0))] = 0
    """The fixed delay between attempts: milliseconds or a `timedelta`."""


class StepOptions(Options):
    """How a step is executed by Temporal, beyond what Mastra knows. Unset options take the workflow's, then defaults.

    The names are those of Temporal's activity options.
    """

    start_to_close_timeout: Duration | None = None
    """The limit of one attempt; exceeding it is a failure of the step. Default one hour."""
    schedule_to_close_timeout: Duration | None = None
    """The limit of the step in all, retries, crashes and waiting for a worker included. Default none."""
    heartbeat_timeout: Duration | None = None
    """A worker that is silent for so long is taken for dead and the step runs elsewhere. Default 30 s."""
    task_queue: str | None = None
    """The task queue whose workers run this step. Default: the run's own."""
    backoff_coefficient: float | None = Field(default=None, ge=1)
    """What the delay between retries is multiplied with each time. Default 1: Mastra's fixed delay."""
    maximum_interval: Duration | None = None
    """The longest delay between retries. Default none."""
    non_retryable_error_types: list[str | type[BaseException]] | None = None
    """Exceptions, as classes or names, that are never retried; also inside a group, and as the cause of another."""
    max_lost_attempts: int | None = Field(default=None, ge=1)
    """How many attempts in a row may be lost, because their workers died or did not answer, before the step fails. If
    it is given, None means any number. Default: that of the worker's `Mastra`, which is 10 unless set otherwise. Among
    the options of a workflow it is also the limit of its functions and callbacks."""

    @field_validator("task_queue")
    @classmethod
    def _check_task_queue(cls, value: str | None) -> str | None:
        if value is not None and (fault := fault_of(value)) is not None:
            raise ValueError(f"it cannot be the name of a task queue: {fault}")
        return value

    def merged_over(self, defaults: StepOptions | None) -> StepOptions:
        """These options, with the gaps filled from ``defaults``."""
        if defaults is None:
            return self
        return StepOptions(**{**defaults._given(), **self._given()})

    def _given(self) -> dict[str, Any]:
        """The options that say something: a limit of lost attempts does so with None as well."""
        given = self.model_dump(exclude_none=True)
        if "max_lost_attempts" in self.model_fields_set:
            given["max_lost_attempts"] = self.max_lost_attempts
        return given

    def plan(self, retries: int | None) -> StepPlan:
        """The options as the graph records them."""
        names = self.non_retryable_error_types
        return StepPlan(
            retries=retries,
            start_to_close_timeout=_optional_milliseconds(self.start_to_close_timeout),
            schedule_to_close_timeout=_optional_milliseconds(self.schedule_to_close_timeout),
            heartbeat_timeout=_optional_milliseconds(self.heartbeat_timeout),
            task_queue=self.task_queue,
            backoff_coefficient=self.backoff_coefficient,
            maximum_interval=_optional_milliseconds(self.maximum_interval),
            non_retryable_error_types=None
            if names is None
            else [name if isinstance(name, str) else name.__name__ for name in names],
            max_lost_attempts=self._lost_limit(),
        )

    def _lost_limit(self) -> int | None:
        if self.max_lost_attempts is None and "max_lost_attempts" in self.model_fields_set:
            return 0
        return self.max_lost_attempts


def _optional_milliseconds(value: timedelta | None) -> int | None:
    return None if value is None else milliseconds(value)


class WorkflowOptions(Options):
    """Options of a workflow. Mastra's ``options``, with what Temporal adds."""

    validate_inputs: bool = True
    """Validate the input, state and request context of workflow and steps, and apply the schemas' defaults."""
    validate_outputs: bool = True
    """Check outputs of steps and workflow against their schemas. Outputs are never replaced."""
    on_start: Callable[..., Any] | None = None
    """Called with a `CallbackInfo` before the first step of a start. If it raises, no step runs."""
    on_finish: Callable[..., Any] | None = None
    """Called with a `CallbackInfo` when the run succeeded, failed, was canceled or is suspended."""
    on_error: Callable[..., Any] | None = None
    """Called with a `CallbackInfo` after ``on_finish`` when the run failed."""
    auto_restart_active_runs: bool = True
    """Whether ``restart_all_active_workflow_runs()`` of the registry restarts this workflow's runs."""
    execution_timeout: Duration | None = None
    """The limit of the whole run. Default none."""
    cancel_grace: timedelta = timedelta(seconds=30)
    """How long a step may go on after its run was canceled before its coroutine is cancelled."""


class OutputOptions(Options):
    """What a result carries beyond the usual. Mastra's ``outputOptions``."""

    include_state: bool = False
    """Add the workflow's state."""
    include_resume_labels: bool = False
    """Add the labels of a suspended run."""
