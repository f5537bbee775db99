"""Continue runs that were closed from outside: terminated, or past their execution timeout.

Such a run continues in a new execution with the same run id, which begins with a snapshot of everything recorded.
A reset of the closed execution does not work: it drops the results recorded last, and their steps would run again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from mastra_temporal._client.recovery.lock import locked
from mastra_temporal._client.replay import RecordedRun, recorded_run
from mastra_temporal._protocol.limits import stored_from
from mastra_temporal._protocol.results import StepResult
from mastra_temporal._protocol.snapshot import RunSnapshot, ScopeSnapshot
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._tracing.client import CallHeaders, sending
from mastra_temporal._worker.workflow.scope import Scope
from mastra_temporal._worker.workflow.snapshot import take_snapshot

__all__ = ["is_closed_by_temporal", "reopen"]

POLL_SECONDS = 0.05
"""Seconds between two attempts to take the lock."""
HEARD_SECONDS = 2.0
"""Seconds after which every running step knows that its run is closed: the reply to its heartbeat, sent once a second,
tells it."""


def is_closed_by_temporal(description: WorkflowExecutionDescription) -> bool:
    """Return whether a run was terminated or timed out."""
    return description.status in (WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT)


async def reopen(
    client: Client,
    closed: WorkflowExecutionDescription,
    request_context: dict[str, Any],
    headers: CallHeaders,
    start_options: Callable[[StartEnvelope], dict[str, Any]],
) -> bool:
    """Start the next execution of a closed run. If several callers do this at once, one starts it and all return.

    Args:
        client: The client.
        closed: The execution that was closed.
        request_context: Values that override the recorded ones.
        headers: The caller's tracing headers.
        start_options: Returns the further start arguments for an envelope.

    Returns:
        True when the next execution exists. False if the run had been canceled before it was closed.
    """
    recorded = await recorded_run(client, closed.id, closed.run_id)
    if recorded.run.aborted:
        return False
    await _let_steps_hear(closed, recorded)
    envelope = _next_envelope(recorded, closed.run_id, request_context)
    storage = stored_from(client.data_converter)
    if storage is not None:
        envelope = envelope.model_copy(update={"stored_from": storage})
    while True:
        # Without the lock, two callers could both start an execution: ALLOW_DUPLICATE would accept the second one as
        # soon as the first one has ended, and its steps would run twice.
        async with locked(client, closed.id) as mine:
            # Another caller may have reopened the run before we had the lock.
            latest = await client.get_workflow_handle(closed.id).describe()
            if latest.run_id != closed.run_id:
                return True
            if mine:
                with sending(headers.after(recorded.trace)):
                    await client.start_workflow(
                        closed.workflow_type,
                        envelope,
                        **start_options(envelope),
                        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                    )
                return True
        await asyncio.sleep(POLL_SECONDS)


async def _let_steps_hear(closed: WorkflowExecutionDescription, recorded: RecordedRun) -> None:
    """Wait until the steps that were running have received their abort signal.

    These steps run again in the next execution. Without this wait, two attempts of a step could run at the same time.
    """
    if closed.close_time is None or not any(scope.active for scope in recorded.run.scopes.values()):
        return
    since = (datetime.now(timezone.utc) - closed.close_time).total_seconds()
    await asyncio.sleep(min(max(HEARD_SECONDS - since, 0), HEARD_SECONDS))


def _next_envelope(recorded: RecordedRun, execution: str, request_context: dict[str, Any]) -> StartEnvelope:
    """Return the envelope that starts the next execution."""
    run, envelope = recorded.run, recorded.envelope
    context = {"request_context": {**run.request_context, **request_context} or None}
    scope = run.scopes.get(())
    if scope is None or recorded.graph is None:  # no step has begun: the run was closed before or during `on_start`
        return envelope.model_copy(update=context)
    snapshot = RunSnapshot(
        scope=_under_way(scope),
        continued_from=execution,
        resume_count=recorded.resume_count,
        first_resume_count=0 if envelope.snapshot is None else envelope.snapshot.first_resume_count,
        claims=run.claims,
    )
    update = {
        "input_data": scope.init_data,
        "initial_state": None,
        "run_id": run.run_id,
        "per_step": run.per_step or None,
        "graph": recorded.graph,
        "snapshot": snapshot,
    }
    return envelope.model_copy(update=context | update)


def _under_way(scope: Scope) -> ScopeSnapshot:
    """Return the snapshot of a scope, with the steps marked that had begun.

    Nested workflows that had begun continue from their own snapshot instead of starting again.
    """
    snapshot = take_snapshot(scope)
    _mark(snapshot, scope)
    return snapshot


def _mark(snapshot: ScopeSnapshot, scope: Scope) -> None:
    """Mark the steps of a scope and of its nested workflows that had begun and not finished."""
    snapshot.interrupted = sorted(scope.interrupted.union(scope.active)) or None
    if snapshot.progress is None or scope.progress is None:
        return
    for key, child in snapshot.progress.children.items():
        first = min((step.started_at for step in child.steps.values()), default=0)
        snapshot.progress.results.setdefault(
            key, StepResult(status="running", payload=child.init_data, started_at=first)
        )
        _mark(child, scope.progress.children[key])
