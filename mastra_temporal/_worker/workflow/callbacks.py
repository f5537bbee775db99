"""Runs ``on_start``, ``on_finish`` and ``on_error`` of a workflow."""

from __future__ import annotations

from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError, CancelledError

from mastra_temporal._protocol.function_calls import CallbackCall
from mastra_temporal._protocol.limits import size_error
from mastra_temporal._protocol.results import ErrorInfo
from mastra_temporal._worker.workflow.completion import Completion
from mastra_temporal._worker.workflow.engine import Engine
from mastra_temporal._worker.workflow.function_calls import run_callback
from mastra_temporal._worker.workflow.result import run_status, visible_steps
from mastra_temporal._worker.workflow.scope import Scope

__all__ = ["notify", "start"]


async def start(engine: Engine, scope: Scope) -> ErrorInfo | None:
    """Run ``on_start``, if the workflow has it.

    Returns:
        The error that it raised, or None. After an error no step may run.
    """
    if "on_start" not in scope.plan.callbacks:
        return None
    return await _call(engine, _about(engine, scope, "on_start"))


async def notify(engine: Engine, scope: Scope, completion: Completion) -> None:
    """Run ``on_finish``, and after a failure ``on_error``. Errors that they raise are logged and ignored."""
    if completion.status == "paused":
        return
    for callback in ("on_finish", "on_error"):
        if callback not in scope.plan.callbacks:
            continue
        if callback == "on_error" and completion.status not in ("failed", "tripwire"):
            continue
        call = _about(engine, scope, callback).model_copy(
            update={
                "status": run_status(completion),
                "result": completion.result if completion.status in ("success", "bailed") else None,
                "error": completion.error,
                "tripwire": completion.tripwire,
                "steps": visible_steps(scope),
                "step_execution_path": scope.step_execution_path,
            }
        )
        error = await _call(engine, _fitting(call, engine.run.stored_from))
        if error is not None:
            workflow.logger.warning(
                "%s of workflow `%s` raised, which changes nothing for the run: %s",
                callback, scope.workflow_id, error.get("message"),
            )  # fmt: skip


def _about(engine: Engine, scope: Scope, callback: Literal["on_start", "on_finish", "on_error"]) -> CallbackCall:
    return CallbackCall(
        workflow_id=scope.workflow_id,
        callback=callback,
        run_id=scope.run_id,
        resource_id=engine.run.resource_id,
        state=scope.state,
        init_data=scope.init_data,
        request_context=engine.run.request_context,
        validate_inputs=scope.validate_inputs,
        max_lost_attempts=scope.plan.max_lost_attempts,
    )


def _fitting(call: CallbackCall, stored_from: int | None) -> CallbackCall:
    """Return a call that fits into one payload. If necessary, leave out the steps and result, then input and state."""
    for left_out in ({"steps": None, "result": None}, {"init_data": None, "state": None}):
        if size_error(call, call.callback, stored_from) is None:
            break
        call = call.model_copy(update=left_out)
    return call


async def _call(engine: Engine, call: CallbackCall) -> ErrorInfo | None:
    try:
        return await run_callback(engine, call)
    except (ActivityError, CancelledError) as error:
        return {"name": type(error).__name__, "message": f"{call.callback} did not finish: {error}"}
