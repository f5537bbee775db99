"""Executes a nested workflow inline, in the history of its parent, with a scope of its own."""

from __future__ import annotations

import copy
from typing import Any

from temporalio import workflow

from mastra_temporal._protocol.function_calls import ValidationCall
from mastra_temporal._protocol.graph import NestedEntry
from mastra_temporal._protocol.results import ErrorInfo, StepResult
from mastra_temporal._worker.workflow.callbacks import notify, start
from mastra_temporal._worker.workflow.completion import Completion, with_suspended_paths
from mastra_temporal._worker.workflow.engine import Engine
from mastra_temporal._worker.workflow.function_calls import check_output, validate
from mastra_temporal._worker.workflow.invocation import Invocation, Resumption
from mastra_temporal._worker.workflow.scope import Progress, Scope, milliseconds_now
from mastra_temporal._worker.workflow.suspension import resumed

__all__ = ["execute"]


async def execute(
    engine: Engine,
    scope: Scope,
    progress: Progress,
    entry: NestedEntry,
    invocation: Invocation,
    input_data: Any,
    resume: Resumption | None,
) -> StepResult:
    """Run a nested workflow. If it fails and the parent has retries, run it again as a whole.

    A nested workflow that has begun already (it was suspended, or the run continued as new) goes on from the position
    of its scope, and is also retried from there. So answered suspensions are not asked again.
    """
    key = invocation.key(entry.id)
    result = StepResult(status="running", payload=input_data, started_at=milliseconds_now())
    begun = progress.children.get(key) if key in progress.results else None
    if resume is not None:
        result = resumed(resume.prior, resume.data)
    completion = Completion("canceled")
    for retry in range(scope.plan.retries + 1):
        if retry and not await engine.delay_retry(scope, entry.id):
            completion = Completion("canceled")
            break
        child, error = None, None
        if begun is None:
            child, error = await _enter(engine, scope, entry, invocation, input_data)
        elif retry < scope.plan.retries:
            # Run on a copy: the walk changes the scope, and a retry needs it as it was at the resume.
            child = copy.deepcopy(begun)
        else:
            child = begun
        if child is None:
            completion = Completion("failed", error=error)
        else:
            result = result.model_copy(update={"payload": child.init_data})
            progress.children[key] = child
            with engine.reporter.trace.nested(child, resumed=resume is not None) as span:
                completion = await _run(engine, child, entry, fresh=begun is None)
                span.completion(completion)
        if completion.status != "failed" or completion.non_retryable or engine.run.aborted:
            break
    return _result(scope, progress.children.get(key), result, completion)


async def _enter(
    engine: Engine, scope: Scope, entry: NestedEntry, invocation: Invocation, input_data: Any
) -> tuple[Scope | None, ErrorInfo | None]:
    state = scope.state
    if entry.plan.checks_entry and scope.validate_inputs:
        admitted = await validate(
            engine,
            ValidationCall(
                workflow_id=entry.workflow_id,
                input_data=input_data,
                state=scope.state,
                request_context=engine.run.request_context,
                kind="nested",
            ),
        )
        if admitted.error is not None:
            return None, admitted.error
        input_data, state = admitted.input_data, admitted.state or {}
    child = Scope(
        workflow_id=entry.workflow_id,
        # As in Mastra: a nested run shares the ID of its parent, and each item of a foreach has its own.
        run_id=scope.run_id if invocation.index is None else str(workflow.uuid4()),
        path=(*scope.path, invocation.path(entry.id)),
        plan=entry.plan,
        validate_inputs=scope.validate_inputs,
        init_data=input_data,
        state=state,
        input_data=input_data,
    )
    return child, None


async def _run(engine: Engine, child: Scope, entry: NestedEntry, *, fresh: bool) -> Completion:
    refused = await start(engine, child) if fresh else None
    if refused is not None:
        return Completion("failed", error=refused)
    completion = await engine.walk(engine, child, entry.serialized_step_flow)
    if completion.status in ("success", "bailed") and entry.plan.checks_output and entry.plan.validate_outputs:
        error = await check_output(engine, entry.workflow_id, completion.result)
        if error is not None:
            completion = Completion("failed", error=error)
    # The workflow has not ended. The next execution runs the callbacks, which must run only once.
    if completion.status != "continued_as_new":
        await notify(engine, child, completion)
    return completion


def _result(scope: Scope, child: Scope | None, result: StepResult, completion: Completion) -> StepResult:
    now = milliseconds_now()
    if child is not None and completion.status in ("success", "bailed", "suspended", "paused"):
        scope.merge_state(child.state)
    if completion.status in ("success", "bailed"):
        return result.model_copy(update={"status": "success", "output": completion.result, "ended_at": now})
    if completion.status == "suspended" and child is not None:
        first = child.steps[completion.suspended[0][0]]
        payload = with_suspended_paths(first.suspend_payload, completion.suspended, child.run_id)
        return result.model_copy(
            update={
                "status": "suspended",
                "suspend_payload": payload,
                "suspended_at": now,
            }
        )
    if completion.status == "continued_as_new":
        return result
    if completion.status == "paused":
        return result.model_copy(update={"status": "paused"})
    if completion.status == "canceled":
        return result.model_copy(update={"status": "canceled", "ended_at": now})
    error = completion.error
    if completion.non_retryable and error is not None:
        error = {**error, "cause": error}
    return result.model_copy(
        update={
            "status": "failed",
            "error": error,
            "tripwire": completion.tripwire,
            "non_retryable": completion.non_retryable or None,
            "ended_at": now,
        }
    )
