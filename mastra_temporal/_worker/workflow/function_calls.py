"""Short calls of user functions and schemas, as local activities that end in the same workflow task.

A worker may lack a function or schema, if the run was started on another version of its workflow. It then answers
``missing``, and the call is made again as a normal activity, which is retried until a worker has it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

from mastra_temporal._protocol.function_calls import (
    CallbackCall,
    FunctionCall,
    FunctionData,
    FunctionOutcome,
    ValidationCall,
    ValidationOutcome,
)
from mastra_temporal._protocol.graph import FunctionRef
from mastra_temporal._protocol.limits import size_error
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.names import ACTIVITY_CALLBACK, ACTIVITY_FUNCTION, ACTIVITY_VALIDATE
from mastra_temporal._protocol.results import ErrorInfo, WorkflowResult
from mastra_temporal._worker.function_data import hold
from mastra_temporal._worker.workflow.attempts import ActivityPlan, TooLargeError
from mastra_temporal._worker.workflow.completion import Completion
from mastra_temporal._worker.workflow.engine import Engine
from mastra_temporal._worker.workflow.scope import Scope

__all__ = ["call_function", "call_functions", "check_output", "check_result", "run_callback", "validate"]

T = TypeVar("T")

LIMIT = timedelta(minutes=5)
"""The start-to-close timeout of functions and validations."""
CALLBACK_LIMIT = timedelta(hours=1)
"""The start-to-close timeout of callbacks."""
ONCE = RetryPolicy(maximum_attempts=1)
"""No retries: the errors of user code are results, and a crash loses the workflow task, which repeats the call."""


async def call_functions(
    engine: Engine,
    scope: Scope,
    functions: list[FunctionRef],
    input_data: Any,
    *,
    iteration_count: int | None = None,
    retry_count: int = 0,
) -> list[FunctionOutcome]:
    """Evaluate user functions concurrently in one local activity. An error that one raises is in its outcome."""
    if (exhausted := engine.exhausted()) is not None:
        return [FunctionOutcome(error=exhausted, non_retryable=True)] * len(functions)
    data = FunctionData.model_construct(
        input_data=input_data,
        init_data=scope.init_data,
        state=scope.state,
        request_context=dict(engine.run.request_context),
        outputs=scope.outputs(),
    )
    call = FunctionCall(
        workflow_id=scope.workflow_id,
        functions=functions,
        run_id=scope.run_id,
        resource_id=engine.run.resource_id,
        held=hold(data),
        iteration_count=iteration_count,
        retry_count=retry_count,
        validate_inputs=scope.validate_inputs,
        validate_outputs=scope.plan.validate_outputs,
        taken_over=engine.takeover.ask() or None,
        max_lost_attempts=scope.plan.max_lost_attempts,
    )
    summary = ", ".join(function.id for function in functions)
    try:
        outcomes = await _call_here(engine, ACTIVITY_FUNCTION, call, list[FunctionOutcome], summary)
        if any(outcome.missing for outcome in outcomes):
            name = ".".join((*scope.path, functions[0].id))
            call = call.model_copy(update={"held": None, "data": data})
            outcomes = await _call_anywhere(engine, name, ACTIVITY_FUNCTION, call, list[FunctionOutcome], summary)
    except FailureError as failure:
        error = _error(failure, f"function `{functions[0].id}` of workflow `{scope.workflow_id}`")
        return [FunctionOutcome(error=error)] * len(functions)
    for outcome in outcomes:
        engine.run.change_request_context(outcome.request_context)
    return outcomes


async def call_function(
    engine: Engine, scope: Scope, function: FunctionRef, input_data: Any, *, iteration_count: int | None = None
) -> FunctionOutcome:
    """Evaluate one user function."""
    [outcome] = await call_functions(engine, scope, [function], input_data, iteration_count=iteration_count)
    return outcome


async def validate(engine: Engine, call: ValidationCall) -> ValidationOutcome:
    """Validate data of a workflow and fill in defaults. For a run without a graph, also fetch the graph."""
    call = call.model_copy(update={"taken_over": engine.takeover.ask() or None})
    summary = f"validate {call.workflow_id} ({call.kind})"
    outcome = await _call_here(engine, ACTIVITY_VALIDATE, call, ValidationOutcome, summary)
    if not outcome.missing:
        return outcome
    try:
        return await _call_anywhere(engine, call.workflow_id, ACTIVITY_VALIDATE, call, ValidationOutcome, summary)
    except FailureError as failure:
        return ValidationOutcome(error=_error(failure, f"workflow `{call.workflow_id}`"))


async def check_output(engine: Engine, workflow_id: str, output: Any) -> ErrorInfo | None:
    """Validate the result of a workflow with its schema, and return the error or None."""
    outcome = await validate(engine, ValidationCall(workflow_id=workflow_id, input_data=output, kind="output"))
    return outcome.error


async def check_result(engine: Engine, scope: Scope, completion: Completion) -> Completion:
    """Return a failed completion if the result is too large or does not match the schema of the workflow."""
    if completion.status not in ("success", "bailed"):
        return completion
    whole = WorkflowResult[Any](status="success", result=completion.result, run_id=engine.run.run_id)
    error = size_error(whole, f"The result of workflow `{scope.workflow_id}`", engine.run.stored_from)
    if error is None and scope.plan.checks_output and scope.plan.validate_outputs:
        error = await check_output(engine, scope.workflow_id, completion.result)
    return completion if error is None else Completion("failed", error=error)


async def _call_here(engine: Engine, activity: str, call: CamelModel, result_type: type[T], summary: str) -> T:
    await engine.attempts.local_room()
    raw = await workflow.execute_local_activity(
        activity, call, result_type=RawValue, start_to_close_timeout=LIMIT, retry_policy=ONCE, summary=summary
    )
    return engine.attempts.received_locally(raw, result_type)


async def _call_anywhere(
    engine: Engine, name: str, activity: str, call: CamelModel, result_type: type[T], summary: str
) -> T:
    plan = ActivityPlan(
        activity_type=activity,
        summary=summary,
        start_to_close_timeout=LIMIT,
        heartbeat_timeout=timedelta(seconds=30),
        argument=f"What `{summary}` needs to know",
    )
    try:
        return await engine.attempts.perform(name, call, result_type, plan)
    except TooLargeError as error:
        raise ApplicationError(str(error), type=error.info["name"]) from None


def _error(failure: FailureError, owner: str) -> ErrorInfo:
    cause = failure.cause if isinstance(failure, ActivityError) else failure
    return {"name": type(cause).__name__, "message": f"{owner}: {cause}"}


async def run_callback(engine: Engine, call: CallbackCall) -> ErrorInfo | None:
    """Run ``on_start``, ``on_finish`` or ``on_error`` as a normal activity, which is retried after a crash.

    Returns:
        The error that the callback raised, or None.
    """
    plan = ActivityPlan(
        activity_type=ACTIVITY_CALLBACK,
        summary=f"{call.callback} of {call.workflow_id}",
        start_to_close_timeout=CALLBACK_LIMIT,
        heartbeat_timeout=timedelta(seconds=30),
        abortable=False,
    )
    outcome: FunctionOutcome = await engine.attempts.perform(
        f"{call.workflow_id}.{call.callback}", call, FunctionOutcome, plan
    )
    return outcome.error
