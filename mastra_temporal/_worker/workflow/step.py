"""Executes a step as an activity, and converts the end of the activity into the result of the step."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, FailureError, TimeoutError

from mastra_temporal._protocol.function_calls import FunctionData
from mastra_temporal._protocol.graph import StepEntry, StepPlan
from mastra_temporal._protocol.limits import sent_size
from mastra_temporal._protocol.names import FAILED_STEP, STEP_NOT_REGISTERED, step_activity
from mastra_temporal._protocol.results import StepResult
from mastra_temporal._protocol.step_calls import (
    START_TO_CLOSE,
    RetryPlan,
    StepCall,
    StepFailure,
    StepOutcome,
    idempotency_key,
)
from mastra_temporal._worker.function_data import hold
from mastra_temporal._worker.workflow.attempts import ActivityPlan, TooLargeError
from mastra_temporal._worker.workflow.engine import Engine
from mastra_temporal._worker.workflow.invocation import Invocation, Resumption
from mastra_temporal._worker.workflow.scope import Scope, milliseconds_now
from mastra_temporal._worker.workflow.suspension import resumed, suspend_data

__all__ = ["execute"]

HEARTBEAT = 30_000
"""The default heartbeat timeout of a step in milliseconds."""
GRACE = timedelta(seconds=10)
"""How much later Temporal's timeout is than that of the activity code, which reports a timeout as a failure."""


async def execute(
    engine: Engine,
    scope: Scope,
    entry: StepEntry,
    invocation: Invocation,
    input_data: Any,
    resume: Resumption | None,
) -> StepResult:
    """Run a step as an activity and return the result of the step. A failure is a result, too."""
    step_id, plan = entry.step.id, entry.plan
    result = StepResult(status="running", payload=input_data, started_at=milliseconds_now())
    if resume is not None:
        result = resumed(resume.prior, resume.data)
    call = _call(engine, scope, step_id, plan, invocation, result.payload)
    if invocation.key(step_id) in scope.interrupted:
        scope.interrupted.remove(invocation.key(step_id))
        call = call.model_copy(update={"restarted": True})
    if resume is not None:
        resume_with = {"resumed": True, "resume_data": resume.data, "suspend_data": suspend_data(resume.prior)}
        call = call.model_copy(update=resume_with)
    path = ".".join((*scope.path, invocation.key(step_id)))
    activity = ActivityPlan(
        activity_type=step_activity(scope.workflow_id, step_id),
        summary=_summary(scope, entry, invocation),
        start_to_close_timeout=timedelta(milliseconds=call.timeout_ms) + GRACE,
        heartbeat_timeout=timedelta(milliseconds=plan.heartbeat_timeout or HEARTBEAT),
        schedule_to_close_timeout=timedelta(milliseconds=plan.schedule_to_close_timeout)
        if plan.schedule_to_close_timeout
        else None,
        task_queue=plan.task_queue,
        argument=f"The input of step `{step_id}` of workflow `{scope.workflow_id}`, with its state,",
    )
    try:
        if plan.local:
            outcome = await _locally(engine, scope, path, call, activity)
        else:
            outcome = await engine.attempts.perform(path, call, StepOutcome, activity)
    except TooLargeError as error:
        return result.model_copy(update={"status": "failed", "error": error.info, "ended_at": milliseconds_now()})
    except FailureError as error:
        # The failure of a local activity is not wrapped in an ActivityError.
        cause = error.cause if isinstance(error, ActivityError) else error
        return _failed(engine, result, cause, f"step `{step_id}` of workflow `{scope.workflow_id}`")
    return _ended(engine, scope, result, outcome)


async def _locally(engine: Engine, scope: Scope, path: str, call: StepCall, plan: ActivityPlan) -> StepOutcome:
    """Run a step as a local activity, or as a normal one if this worker does not have it."""
    # Kept in this frame: the step looks these up while it runs.
    data = FunctionData.model_construct(init_data=scope.init_data, outputs=scope.outputs())
    local = call.model_copy(update={"held": hold(data), "taken_over": engine.takeover.ask() or None})
    try:
        return await engine.attempts.perform_locally(path, local, StepOutcome, plan)
    except ApplicationError as error:
        if error.type != STEP_NOT_REGISTERED:
            raise
    return await engine.attempts.perform(path, call, StepOutcome, plan)


def _summary(scope: Scope, entry: StepEntry, invocation: Invocation) -> str | None:
    """Return the summary of the activity for the UI: its nested workflow, its item or iteration, its description."""
    said = (".".join(scope.path), invocation.label, entry.step.description)
    return " · ".join(part for part in said if part) or None


def _call(
    engine: Engine, scope: Scope, step_id: str, plan: StepPlan, invocation: Invocation, input_data: Any
) -> StepCall:
    run = engine.run
    temporal_id = workflow.info().workflow_id
    key = idempotency_key(run.run_id, ".".join((*scope.path, invocation.path(step_id))))
    derived = idempotency_key(temporal_id, ".".join((*scope.path, invocation.key(step_id))))
    return StepCall(
        run_id=None if scope.run_id == temporal_id else scope.run_id,
        scope=list(scope.path) or None,
        resource_id=run.resource_id,
        input_data=input_data,
        state=scope.state or None,
        request_context=run.request_context or None,
        idempotency_key=None if key == derived else key,
        retry=RetryPlan(
            retries=scope.plan.retries if plan.retries is None else plan.retries,
            delay_ms=scope.plan.retry_delay,
            backoff_coefficient=plan.backoff_coefficient,
            maximum_interval_ms=plan.maximum_interval,
            non_retryable_error_types=plan.non_retryable_error_types,
        ),
        timeout_ms=plan.start_to_close_timeout or START_TO_CLOSE,
        max_lost_attempts=plan.max_lost_attempts,
        cancel_grace_ms=scope.plan.cancel_grace,
        validate_inputs=scope.validate_inputs,
        validate_outputs=scope.plan.validate_outputs,
    )


def _ended(engine: Engine, scope: Scope, result: StepResult, outcome: StepOutcome) -> StepResult:
    now = milliseconds_now()
    engine.run.change_request_context(outcome.request_context)
    scope.merge_state(outcome.state)
    if outcome.aborted:
        engine.abort()
    payload = result.payload if outcome.payload is None else outcome.payload
    if outcome.resume_payload is not None:
        result = result.model_copy(update={"resume_payload": outcome.resume_payload})
    if outcome.status == "suspended":
        return result.model_copy(
            update={
                "status": "suspended",
                "payload": payload,
                "suspend_payload": outcome.suspend_payload,
                "suspend_output": outcome.suspend_output,
                "suspended_at": now,
                "resume_labels": outcome.resume_labels,
            }
        )
    return result.model_copy(
        update={"status": outcome.status, "payload": payload, "output": outcome.output, "ended_at": now}
    )


def _failed(engine: Engine, result: StepResult, cause: BaseException | None, owner: str) -> StepResult:
    ended: dict[str, Any] = {"status": "failed", "ended_at": milliseconds_now()}
    if isinstance(cause, CancelledError):
        ended["status"] = "canceled"
    elif isinstance(cause, ApplicationError) and cause.type == FAILED_STEP:
        failure = StepFailure.model_validate(cause.details[0])
        engine.attempts.history.add(0, sent_size(failure, engine.run.stored_from))
        engine.run.change_request_context(failure.request_context)
        if failure.aborted:
            engine.abort()
        ended |= {"error": failure.error, "tripwire": failure.tripwire, "non_retryable": failure.non_retryable}
        ended["payload"] = result.payload if failure.payload is None else failure.payload
    elif isinstance(cause, TimeoutError):
        kind = (cause.type.name if cause.type else "time").lower().replace("_", "-")
        ended["error"] = {"name": "StepTimeoutError", "message": f"{owner} exceeded its {kind} timeout."}
    elif isinstance(cause, ApplicationError):
        ended["error"] = {"name": cause.type or "Error", "message": f"{owner}: {cause.message}"}
    else:
        ended["error"] = {"name": type(cause).__name__, "message": f"{owner}: {cause}"}
    return result.model_copy(update=ended)
