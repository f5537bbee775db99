"""The activity of a step: validate the input, run the body, report the outcome, and count the step's own failures.

Temporal retries the activity without a limit, because a crash is not a failure of the step. So the limit of ``retries``
is enforced here. Failures are counted in the heartbeat details, which survive a killed worker.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from copy import deepcopy
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from mastra_temporal._data.gate import to_json
from mastra_temporal._data.path import is_object
from mastra_temporal._definition.step import Step
from mastra_temporal._definition.validation import dumped, require_same_types, validated
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.names import FAILED_STEP
from mastra_temporal._protocol.step_calls import (
    Checkpoint,
    RequestContextChange,
    RetryPlan,
    StepCall,
    StepFailure,
    StepOutcome,
)
from mastra_temporal._tracing.attempt import current_span
from mastra_temporal._tracing.context import TracingContext
from mastra_temporal._worker.activities import body
from mastra_temporal._worker.activities.body import AttemptGivenUp
from mastra_temporal._worker.activities.boundary import user_code
from mastra_temporal._worker.activities.channel import RunChannel
from mastra_temporal._worker.activities.declared import Declared
from mastra_temporal._worker.activities.failure import (
    error_info,
    is_retryable,
    recorded_cause,
    summary,
    tripwire_info,
    wanted_delay,
)
from mastra_temporal._worker.activities.heartbeat import AttemptLost, Heartbeat
from mastra_temporal._worker.activities.local_heartbeat import LocalHeartbeat
from mastra_temporal._worker.activities.lost_attempts import LostAttempts, effective_limit
from mastra_temporal._worker.activities.lost_tasks import check_workflow_task
from mastra_temporal._worker.activities.sizes import size_error
from mastra_temporal.context import (
    BaseStepContext,
    Registry,
    RequestContext,
    StepChannel,
    StepContext,
    StepEffects,
    SyncStepContext,
)
from mastra_temporal.errors import PayloadTooLargeError, SerializationError

__all__ = ["StepRunner"]

LONGEST_DELAY_MS = 100 * 365 * 24 * 3_600_000
"""Maximum retry delay in milliseconds, if the step sets none: 100 years, which Temporal can still represent."""


class StepRunner:
    """Runs one step each time its activity is called."""

    def __init__(self, mastra: Registry, workflow: WorkflowDefinition, step: Step[Any, Any], threads: Executor) -> None:
        """Create the runner of a step.

        Args:
            mastra: The registry.
            workflow: The workflow of the step.
            step: The step.
            threads: The threads for steps that are not async.
        """
        self.mastra = mastra
        self.workflow = workflow
        self.step = step
        self.threads = threads
        self.owner = f"step `{step.id}` of workflow `{workflow.id}`"

    async def run(self, call: StepCall) -> StepOutcome:
        """Execute the activity."""
        attempt = Attempt(self, call, await self._heartbeat(call))
        try:
            # The code of the last attempt blocked the event loop, so that attempt could not report its own timeout.
            if attempt.heartbeat.lost.was_overdue:
                raise body.overdue(attempt.owner, call.timeout_ms)
            # The channel is closed first, while heartbeats continue: sending the remaining chunks may take long.
            async with attempt.heartbeat, attempt.channel:
                return await attempt.run(self.threads)
        except (AttemptGivenUp, AttemptLost):
            raise
        except Exception as error:
            failure = attempt.failure(error)
        # Raise outside the handler: the user's error, whose methods may raise, must not become the context of ours.
        raise failure

    async def _heartbeat(self, call: StepCall) -> Heartbeat:
        limit = effective_limit(call.max_lost_attempts, self.mastra.max_lost_attempts)
        if activity.info().is_local:
            return LocalHeartbeat(self.owner, limit)
        return Heartbeat(self.owner, await LostAttempts.before_this_one(call.carried, limit=limit))


class Attempt:
    """One attempt of a step."""

    def __init__(self, runner: StepRunner, call: StepCall, heartbeat: Heartbeat) -> None:
        """Prepare an attempt.

        Args:
            runner: The runner of the step.
            call: The argument of the activity.
            heartbeat: The heartbeat of the activity.
        """
        self.mastra = runner.mastra
        self.step = runner.step
        self.call = call
        self.owner = runner.owner
        self.workflow = runner.workflow
        self.declared = Declared(runner.workflow, call.validate_inputs, call.validate_outputs)
        self.channel = RunChannel(call.scope, self.owner, call.held)
        self.heartbeat = heartbeat
        self.effects = StepEffects()
        # A copy: the change is computed by comparison with the original.
        self.request_context = RequestContext(deepcopy(call.request_context))
        self.payload: Any = None
        self.resume_payload: Any = None

    async def run(self, threads: Executor) -> StepOutcome:
        """Validate the input, run the body, and return its outcome."""
        if self.call.taken_over:
            # Another worker may have died of this step. Without the check it would kill one worker after the other.
            await check_workflow_task(self.owner, self.heartbeat.lost.limit)
        with user_code(self.owner):
            context = self._context(self._input())
        calling = body.call(
            self.step.body,
            context.input_data,
            context,
            owner=self.owner,
            executor=threads,
            heartbeat=self.heartbeat,
        )
        output = await body.supervise(
            asyncio.create_task(calling, name=self.owner),
            self.heartbeat,
            owner=self.owner,
            timeout_ms=self.call.timeout_ms,
            grace_ms=self.call.cancel_grace_ms,
        )
        with user_code(self.owner):
            outcome = self._outcome(output)
            too_large = size_error(outcome, f"The result of {self.owner}")
        if too_large is not None:
            raise PayloadTooLargeError(too_large["message"])
        return outcome

    def failure(self, error: Exception) -> ApplicationError:
        """Return the error to report. It says whether Temporal may retry."""
        failures = self.heartbeat.recorded.failures + 1
        retry = self.call.retry
        retryable = (
            is_retryable(error, retry.non_retryable_error_types or [])
            and failures <= retry.retries
            and not self.effects.aborted
            and not self.heartbeat.given_up.done()
        )
        if retryable:
            # The count must be recorded before the failure is reported. The next attempt may run on another worker and
            # would otherwise start at zero, and `retries` would have no effect.
            self.heartbeat.count_failure()
            labels = {"workflow_id": self.workflow.id, "step_id": self.step.id}
            activity.metric_meter().create_counter("mastra_step_retries", "Failures that are retried").add(1, labels)
        details = self._details(error)
        failure = ApplicationError(
            summary(details.error),
            details,
            type=FAILED_STEP,
            non_retryable=not retryable,
            next_retry_delay=_delay(error, retry, failures),
        )
        failure.__cause__ = recorded_cause(error)
        return failure

    def _details(self, error: Exception) -> StepFailure:
        """Return the details to record for a failure.

        If the payload or the request context cannot be recorded, they are left out: the error matters more.
        """
        types = self.call.retry.non_retryable_error_types or []
        details = StepFailure(
            error=error_info(error),
            tripwire=tripwire_info(error),
            non_retryable=None if is_retryable(error, types) else True,
            aborted=self.effects.aborted or None,
        )
        try:
            with user_code(self.owner):
                data = {"payload": self.payload, "request_context": self._request_context_change()}
                whole = details.model_copy(update=data)
                return whole if size_error(whole, "error") is None else details
        except Exception:
            return details

    def _input(self) -> Any:
        """Return the validated input."""
        step, call = self.step, self.call
        if not call.validate_inputs:
            return call.input_data
        validated(
            step.request_context_schema,
            call.request_context or {},
            f"Step request context validation failed for step '{step.id}'",
            "WORKFLOW_STEP_REQUEST_CONTEXT_VALIDATION_FAILED",
            carries_issues=False,
        )
        value = validated(
            step.input_schema,
            call.input_data,
            "Step input validation failed",
            "WORKFLOW_STEP_INPUT_VALIDATION_FAILED",
            owner=self.owner,
        )
        if step.input_schema is not None:
            payload = step.input_schema.dump(value, what=f"The input of {self.owner}")
            self.payload = payload if payload != call.input_data else None
        return value

    def _resume_data(self) -> Any:
        """Return the validated resume data."""
        step, call = self.step, self.call
        if not call.resumed or call.resume_data is None or step.resume_schema is None or not call.validate_inputs:
            return call.resume_data
        value = validated(
            step.resume_schema, call.resume_data, "Step resume data validation failed",
            "WORKFLOW_STEP_RESUME_DATA_VALIDATION_FAILED", carries_issues=False,
        )  # fmt: skip
        data = step.resume_schema.dump(value, what=f"The resume data of {self.owner}")
        self.resume_payload = data if data != call.resume_data else None
        return value

    async def _lookup(self, step_id: str | None) -> Any:
        return self.declared.found(step_id, await self.channel.lookup(step_id))

    def _context(self, input_data: Any) -> BaseStepContext:
        call, info = self.call, activity.info()
        workflow_id = info.workflow_id or ""
        kind = StepContext if self.step.body.is_async else SyncStepContext
        return kind(
            input_data=input_data,
            run_id=call.run_id or workflow_id,
            workflow_id=self.workflow.id,
            step_id=self.step.id,
            resource_id=call.resource_id,
            read_state=lambda: self.declared.state_in_step(self.step, dict(call.state or {})),
            request_context=self.request_context,
            retry_count=self.heartbeat.recorded.failures,
            mastra=self.mastra,
            resume_data=self._resume_data(),
            read_suspend_data=lambda: self.declared.suspend_data(self.step, call.suspend_data),
            idempotency_key=call.key(workflow_id, info.activity_id),
            last_checkpoint=self.heartbeat.recorded.value,
            restart=self.heartbeat.lost.is_restart or bool(call.restarted or call.taken_over),
            abort_signal=self.heartbeat.abort_signal,
            tracing_context=TracingContext(current_span()),
            effects=self.effects,
            ports=StepChannel(
                lookup=self._lookup,
                checkpoint=self._checkpoint,
                write=self.channel.write,
                loop=asyncio.get_running_loop(),
            ),
        )

    def _checkpoint(self, value: Any) -> None:
        self.channel.refuse_local("save checkpoints")
        what = f"The checkpoint of {self.owner}"
        checkpoint = Checkpoint(value=to_json(value, what=what))
        too_large = size_error(checkpoint, what)
        if too_large is not None:
            raise PayloadTooLargeError(too_large["message"])
        self.heartbeat.save(checkpoint.value)

    def _outcome(self, returned: Any) -> StepOutcome:
        """Return the outcome for what the body returned."""
        effects = self.effects
        common: dict[str, Any] = {
            "payload": self.payload,
            "resume_payload": self.resume_payload,
            "state": self._staged_state(),
            "request_context": self._request_context_change(),
            "aborted": effects.aborted or None,
        }
        if effects.suspended:
            return StepOutcome(
                status="suspended",
                suspend_payload=self._suspend_payload(),
                suspend_output=None
                if effects.bailed or not returned
                else to_json(returned, what=f"What {self.owner} gave"),
                resume_labels=effects.resume_labels or None,
                **common,
            )
        what = f"The result of {self.owner}"
        if effects.bailed:
            return StepOutcome(status="bailed", output=to_json(returned, what=what), **common)
        output = dumped(self.step.output_schema, returned, what=what)
        if self.call.validate_outputs:
            read = validated(
                self.step.output_schema,
                output,
                f"Step output validation failed for step '{self.step.id}'",
                "WORKFLOW_STEP_OUTPUT_VALIDATION_FAILED",
            )
            require_same_types(self.step.output_schema, returned, read, what=what)
        return StepOutcome(output=output, **common)

    def _suspend_payload(self) -> Any:
        schema, what = self.step.suspend_schema, f"The suspend payload of {self.owner}"
        payload = dumped(schema, self.effects.suspend_payload, what=what)
        if not payload or schema is None or not self.call.validate_inputs:
            return payload
        value = validated(
            schema, payload, "Step suspend data validation failed", "WORKFLOW_STEP_SUSPEND_DATA_VALIDATION_FAILED",
            carries_issues=False,
        )  # fmt: skip
        require_same_types(schema, self.effects.suspend_payload, value, what=what)
        return schema.dump(value, what=what)

    def _staged_state(self) -> dict[str, Any] | None:
        if not self.effects.state:
            return None
        schema, what = self.step.state_schema, f"The state set by {self.owner}"
        state = dumped(schema or self.workflow.state_schema, self.effects.state, what=what)
        if not is_object(state):
            kind = type(self.effects.state).__name__
            raise SerializationError(
                f"{self.owner}: set_state() takes an object with the values to change, got {kind}."
            )
        if schema is None or not self.call.validate_inputs:
            return state
        value = validated(
            schema, state, "Step state data validation failed", "WORKFLOW_STEP_STATE_VALIDATION_FAILED",
            carries_issues=False,
        )  # fmt: skip
        require_same_types(schema, self.effects.state, value, what=what)
        return schema.dump(value, what=what)

    def _request_context_change(self) -> RequestContextChange | None:
        what = f"The request context of {self.owner}"
        return request_context_change(self.call.request_context or {}, self.request_context, what=what)


def request_context_change(before: dict[str, Any], after: RequestContext, *, what: str) -> RequestContextChange | None:
    """Return the changes that user code made to the request context, or None if there are none.

    Raises:
        SerializationError: A new value cannot be written as JSON.
    """
    now = after.to_json(what=what)
    changed = {key: value for key, value in now.items() if key not in before or before[key] != value}
    deleted = [key for key in before if key not in after]
    return RequestContextChange(set=changed or None, deleted=deleted or None) if changed or deleted else None


def _delay(error: Exception, retry: RetryPlan, failures: int) -> timedelta:
    """Return the delay before the next attempt: the one that the error asks for, or else the step's backoff."""
    wanted = wanted_delay(error)
    if wanted is not None:
        return wanted
    longest = LONGEST_DELAY_MS if retry.maximum_interval_ms is None else retry.maximum_interval_ms
    try:
        milliseconds = min(retry.delay_ms * (retry.backoff_coefficient or 1) ** (failures - 1), longest)
    except OverflowError:
        milliseconds = longest
    # Temporal reads zero as "not set" and would use the retry policy of crashes.
    return timedelta(milliseconds=max(milliseconds, 1))
