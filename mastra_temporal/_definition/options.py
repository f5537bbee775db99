"""The options of steps and workflows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, field_validator

from mastra_temporal._data.options import Duration, Options, milliseconds
from mastra_temporal._definition.ids import fault_of
from mastra_temporal._protocol.graph import StepPlan
from mastra_temporal.errors import DefinitionError

__all__ = ["OutputOptions", "RetryConfig", "StepOptions", "WorkflowOptions"]


class RetryConfig(Options):
    """The retries of all steps of a workflow that do not set their own.

    Mastra's ``retryConfig``: https://mastra.ai/docs/workflows/error-handling
    """

    attempts: int = Field(default=0, ge=0)
    """How often a failed step is tried again. 2 means up to three attempts."""
    delay: Annotated[int | float, Field(ge=0)] | Annotated[timedelta, Field(ge=timedelta(0))] = 0
    """The fixed delay between attempts: milliseconds or a `timedelta`."""


class StepOptions(Options):
    """Temporal's options of a step, which Mastra does not have. The names are those of Temporal's activity options.

    An option that is not set is taken from the workflow's ``step_options``, and otherwise has its default.
    """

    start_to_close_timeout: Duration | None = None
    """The time limit of one attempt. Exceeding it is a failure of the step. Default: one hour."""
    schedule_to_close_timeout: Duration | None = None
    """The time limit of the whole step, including retries, crashes and waiting for a worker. Default: none."""
    heartbeat_timeout: Duration | None = None
    """How long an attempt may go without a heartbeat before the step runs on another worker. Default: 30 seconds."""
    task_queue: str | None = None
    """The task queue whose workers run this step. Default: the task queue of the run."""
    local: bool | None = None
    """Whether the step is a local activity of Temporal: it runs in the process that holds the run, within its workflow
    task. That is several times faster, and meant for steps of less than a second. A local step has the results, retries
    and time limits of any other, but no heartbeat: it cannot stream or save checkpoints, the Temporal UI does not show
    its attempts, a cancellation reaches it after up to 8 seconds, and if its worker dies, the local steps since the
    last workflow task run again. Default: False."""
    backoff_coefficient: float | None = Field(default=None, ge=1)
    """The factor by which the delay grows with each retry. Default: 1, Mastra's fixed delay."""
    maximum_interval: Duration | None = None
    """The longest delay between retries. Default: none."""
    non_retryable_error_types: list[str | type[BaseException]] | None = None
    """Exceptions, as classes or names, that are not retried, also inside a group and as the cause of another one."""
    max_lost_attempts: int | None = Field(default=None, ge=1)
    """How many attempts in a row may be lost, because their workers died or did not answer, before the step fails. An
    explicit None means no limit. Default: the limit of the worker's `Mastra`, which is 10 by default. In a workflow's
    ``step_options`` it is also the limit of the workflow's functions and callbacks."""

    @field_validator("task_queue")
    @classmethod
    def _check_task_queue(cls, value: str | None) -> str | None:
        if value is not None and (fault := fault_of(value)) is not None:
            raise ValueError(f"it cannot be the name of a task queue: {fault}")
        return value

    def merged_over(self, defaults: StepOptions | None) -> StepOptions:
        """Return these options, with the ones that are not set taken from ``defaults``."""
        if defaults is None:
            return self
        return StepOptions(**{**defaults._given(), **self._given()})

    def check_local(self, *, owner: str) -> None:
        """Refuse options that a local step cannot have.

        Raises:
            DefinitionError: The step is local, and has an option of heartbeats or of a task queue.
        """
        given = [name for name in ("task_queue", "heartbeat_timeout") if getattr(self, name) is not None]
        if self.local and given:
            raise DefinitionError(
                f"{owner}: a local step runs in the process that holds the run, so it has no `{given[0]}`. "
                f"Leave out `{given[0]}` or local=True."
            )

    def _given(self) -> dict[str, Any]:
        """Return the options that are set. For ``max_lost_attempts`` an explicit None counts as set."""
        given = self.model_dump(exclude_none=True)
        if "max_lost_attempts" in self.model_fields_set:
            given["max_lost_attempts"] = self.max_lost_attempts
        return given

    def plan(self, retries: int | None) -> StepPlan:
        """Return the options in the form that the graph records."""
        names = self.non_retryable_error_types
        return StepPlan(
            retries=retries,
            start_to_close_timeout=_optional_milliseconds(self.start_to_close_timeout),
            schedule_to_close_timeout=_optional_milliseconds(self.schedule_to_close_timeout),
            heartbeat_timeout=_optional_milliseconds(self.heartbeat_timeout),
            task_queue=self.task_queue,
            local=self.local or None,
            backoff_coefficient=self.backoff_coefficient,
            maximum_interval=_optional_milliseconds(self.maximum_interval),
            non_retryable_error_types=None
            if names is None
            else [name if isinstance(name, str) else name.__name__ for name in names],
            max_lost_attempts=self._lost_limit(),
        )

    def _lost_limit(self) -> int | None:
        # In the graph 0 means no limit and None means not set. An explicit None would otherwise become the default.
        if self.max_lost_attempts is None and "max_lost_attempts" in self.model_fields_set:
            return 0
        return self.max_lost_attempts


def _optional_milliseconds(value: timedelta | None) -> int | None:
    return None if value is None else milliseconds(value)


class WorkflowOptions(Options):
    """The options of a workflow: Mastra's ``options`` and some for Temporal."""

    validate_inputs: bool = True
    """Whether to validate the input, state and request context of workflow and steps and fill in defaults."""
    validate_outputs: bool = True
    """Whether to check the outputs of steps and workflow against their schemas. Outputs are not changed."""
    on_start: Callable[..., Any] | None = None
    """Called with a `CallbackInfo` before the first step when a run is started. If it raises, no step runs."""
    on_finish: Callable[..., Any] | None = None
    """Called with a `CallbackInfo` when the run has succeeded, failed, was canceled or is suspended."""
    on_error: Callable[..., Any] | None = None
    """Called with a `CallbackInfo` after ``on_finish`` if the run has failed."""
    auto_restart_active_runs: bool = True
    """Whether ``Mastra.restart_all_active_workflow_runs()`` restarts the runs of this workflow."""
    execution_timeout: Duration | None = None
    """The time limit of the whole run. Default: none."""
    cancel_grace: timedelta = timedelta(seconds=30)
    """How long a step may continue after its run was canceled. Then its coroutine is cancelled."""


class OutputOptions(Options):
    """Optional parts of a result. Mastra's ``outputOptions``."""

    include_state: bool = False
    """Whether the result includes the workflow's state."""
    include_resume_labels: bool = False
    """Whether the result of a suspended run includes its resume labels."""
