"""The short calls into user code and schemas: local activities that are over in the same workflow task."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from mastra_temporal.execution.attempts import ActivityPlan
from mastra_temporal.execution.engine import Engine
from mastra_temporal.execution.names import ACTIVITY_CALLBACK, ACTIVITY_ENTER, ACTIVITY_FUNCTION
from mastra_temporal.execution.scope import Scope
from mastra_temporal.wire import CallbackCall, EnterCall, EnterOutcome, ErrorInfo, FunctionCall, FunctionOutcome

__all__ = ["call_function", "call_functions", "check_output", "enter", "run_callback"]

LIMIT = timedelta(minutes=5)
ONCE = RetryPolicy(maximum_attempts=1)


async def call_functions(
    engine: Engine,
    scope: Scope,
    functions: list[str],
    input_data: Any,
    *,
    iteration_count: int | None = None,
    retry_count: int = 0,
) -> list[FunctionOutcome]:
    """Evaluate user functions concurrently, in one local activity. What they raise is an outcome, too."""
    call = FunctionCall(
        workflow_id=scope.workflow_id,
        functions=functions,
        run_id=scope.run_id,
        resource_id=engine.run.resource_id,
        input_data=input_data,
        init_data=scope.init_data,
        state=scope.state,
        request_context=engine.run.request_context,
        outputs=scope.outputs(),
        iteration_count=iteration_count,
        retry_count=retry_count,
    )
    try:
        outcomes = await workflow.execute_local_activity(
            ACTIVITY_FUNCTION,
            call,
            result_type=list[FunctionOutcome],
            start_to_close_timeout=LIMIT,
            retry_policy=ONCE,
            summary=", ".join(functions),
        )
    except ActivityError as error:
        message = f"function `{functions[0]}` of workflow `{scope.workflow_id}`: {error.cause}"
        return [FunctionOutcome(error={"name": type(error.cause).__name__, "message": message})] * len(functions)
    for outcome in outcomes:
        engine.run.change_request_context(outcome.request_context)
    return outcomes


async def call_function(
    engine: Engine, scope: Scope, function: str, input_data: Any, *, iteration_count: int | None = None
) -> FunctionOutcome:
    """Evaluate one user function."""
    [outcome] = await call_functions(engine, scope, [function], input_data, iteration_count=iteration_count)
    return outcome


async def enter(call: EnterCall) -> EnterOutcome:
    """Admit data into a workflow: validate it, fill in defaults; for a run without a graph also fetch that."""
    return await workflow.execute_local_activity(
        ACTIVITY_ENTER,
        call,
        result_type=EnterOutcome,
        start_to_close_timeout=LIMIT,
        retry_policy=ONCE,
        summary=f"validate {call.workflow_id} ({call.kind})",
    )


async def check_output(workflow_id: str, output: Any) -> ErrorInfo | None:
    """Check a workflow's result against its schema."""
    outcome = await enter(EnterCall(workflow_id=workflow_id, input_data=output, kind="output"))
    return outcome.error


async def run_callback(engine: Engine, call: CallbackCall) -> ErrorInfo | None:
    """Run ``on_start``, ``on_finish`` or ``on_error`` on a worker, as an activity that survives crashes.

    Returns:
        What the callback raised.
    """
    plan = ActivityPlan(
        activity_type=ACTIVITY_CALLBACK,
        summary=f"{call.callback} of {call.workflow_id}",
        start_to_close_timeout=timedelta(hours=1),
        heartbeat_timeout=timedelta(seconds=30),
        abortable=False,
    )
    outcome: FunctionOutcome = await engine.attempts.perform(
        f"{call.workflow_id}.{call.callback}", call, FunctionOutcome, plan
    )
    return outcome.error
