"""A workflow as a step: executed inline, in its parent's history, with a scope of its own."""

from __future__ import annotations

import copy
from typing import Any

from temporalio import workflow

from mastra_temporal._protocol.function_calls import EnterCall
from mastra_temporal._protocol.graph import NestedEntry
from mastra_temporal._protocol.results import ErrorInfo, StepResult
from mastra_temporal._worker.workflow.callbacks import notify, start
from mastra_temporal._worker.workflow.completion import Ending, with_suspended_paths
from mastra_temporal._worker.workflow.engine import Engine
from mastra_temporal._worker.workflow.function_calls import check_output, enter
from mastra_temporal._worker.workflow.invocation import Continuation, Occurrence
from mastra_temporal._worker.workflow.scope import Progress, Scope, milliseconds_now
from mastra_temporal._worker.workflow.suspension import resumed

__all__ = ["execute"]


async def execute(
    engine: Engine,
    scope: Scope,
    progress: Progress,
    entry: NestedEntry,
    occurrence: Occurrence,
    input_data: Any,
    resume: Continuation | None,
) -> StepResult:
    """Run a nested workflow, again as a whole when it fails and the parent has retries.

    One that had begun before (it was suspended, or its run goes on in a new execution) is entered where it stands, and
    tried again from there: nobody is asked twice.
    """
    key = occurrence.key(entry.id)
    result = StepResult(status="running", payload=input_data, started_at=milliseconds_now())
    begun = progress.children.get(key) if key in progress.results else None
    if resume is not None:
        result = resumed(resume.prior, resume.data)
    ending = Ending("canceled")
    for retry in range(scope.plan.retries + 1):
        if retry and not await engine.delay_retry(scope, entry.id):
            ending = Ending("canceled")
            break
        child, error = None, None
        if begun is None:
            child, error = await _enter(engine, scope, entry, occurrence, input_data)
        elif retry < scope.plan.retries:
            child = copy.deepcopy(begun)
        else:
            child = begun
        if child is None:
            ending = Ending("failed", error=error)
        else:
            result = result.model_copy(update={"payload": child.init_data})
            progress.children[key] = child
            with engine.told.trace.nested(child, resumed=resume is not None) as span:
                ending = await _run(engine, child, entry, fresh=begun is None)
                span.ending(ending)
        if ending.status != "failed" or ending.non_retryable or engine.run.aborted:
            break
    return _result(scope, progress.children.get(key), result, ending)


async def _enter(
    engine: Engine, scope: Scope, entry: NestedEntry, occurrence: Occurrence, input_data: Any
) -> tuple[Scope | None, ErrorInfo | None]:
    state = scope.state
    if entry.plan.checks_entry and scope.validate_inputs:
        admitted = await enter(
            engine,
            EnterCall(
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
        # As in Mastra: a nested run shares its parent's id, the items of a foreach have one each.
        run_id=scope.run_id if occurrence.index is None else str(workflow.uuid4()),
        path=(*scope.path, occurrence.path(entry.id)),
        plan=entry.plan,
        validate_inputs=scope.validate_inputs,
        init_data=input_data,
        state=state,
        input_data=input_data,
    )
    return child, None


async def _run(engine: Engine, child: Scope, entry: NestedEntry, *, fresh: bool) -> Ending:
    refused = await start(engine, child) if fresh else None
    if refused is not None:
        return Ending("failed", error=refused)
    ending = await engine.walk(engine, child, entry.serialized_step_flow)
    if ending.status in ("success", "bailed") and entry.plan.checks_output and entry.plan.validate_outputs:
        error = await check_output(engine, entry.workflow_id, ending.result)
        if error is not None:
            ending = Ending("failed", error=error)
    if ending.status != "moved":
        await notify(engine, child, ending)
    return ending


def _result(scope: Scope, child: Scope | None, result: StepResult, ending: Ending) -> StepResult:
    now = milliseconds_now()
    if child is not None and ending.status in ("success", "bailed", "suspended", "paused"):
        scope.merge_state(child.state)
    if ending.status in ("success", "bailed"):
        return result.model_copy(update={"status": "success", "output": ending.result, "ended_at": now})
    if ending.status == "suspended" and child is not None:
        first = child.steps[ending.suspended[0][0]]
        payload = with_suspended_paths(first.suspend_payload, ending.suspended, child.run_id)
        return result.model_copy(
            update={
                "status": "suspended",
                "suspend_payload": payload,
                "suspended_at": now,
            }
        )
    if ending.status == "moved":
        return result
    if ending.status == "paused":
        return result.model_copy(update={"status": "paused"})
    if ending.status == "canceled":
        return result.model_copy(update={"status": "canceled", "ended_at": now})
    error = ending.error
    if ending.non_retryable and error is not None:
        error = {**error, "cause": error}
    return result.model_copy(
        update={
            "status": "failed",
            "error": error,
            "tripwire": ending.tripwire,
            "non_retryable": ending.non_retryable or None,
            "ended_at": now,
        }
    )
