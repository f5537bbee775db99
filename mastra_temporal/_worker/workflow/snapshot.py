"""Converts the scopes of a run to snapshots and back. A new execution of a run begins from a snapshot."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic_core import to_json
from temporalio import workflow

from mastra_temporal._protocol.graph import (
    Entry,
    NestedEntry,
    WorkflowGraph,
    WorkflowPlan,
)
from mastra_temporal._protocol.keys import step_id_of
from mastra_temporal._protocol.results import StepResult
from mastra_temporal._protocol.snapshot import ProgressSnapshot, RunSnapshot, ScopeSnapshot
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._worker.workflow.completion import META, meta_of
from mastra_temporal._worker.workflow.scope import Progress, RunState, Scope

__all__ = ["largest_parts", "nested_entry", "next_envelope", "restore", "take_snapshot"]


def nested_entry(entries: list[Entry], key: str) -> NestedEntry | None:
    """Return the nested workflow to which a key of a `Progress`, or a part of a scope's path, belongs."""
    wanted = step_id_of(key)
    found = (body for entry in entries for body in entry.bodies if isinstance(body, NestedEntry) and body.id == wanted)
    return next(found, None)


def take_snapshot(scope: Scope) -> ScopeSnapshot:
    """Return a scope as data."""
    progress = scope.progress
    return ScopeSnapshot(
        run_id=scope.run_id,
        path=list(scope.path),
        init_data=scope.init_data,
        state=scope.state,
        steps={step_id: _without_items(result) for step_id, result in scope.steps.items()},
        step_execution_path=scope.step_execution_path,
        position=scope.position,
        input_data=scope.input_data,
        answers=scope.answers,
        # Sorted, because the order of a set differs between processes: a replay would create another argument.
        interrupted=sorted(scope.interrupted) or None,
        progress=None
        if progress is None
        else ProgressSnapshot(
            input_data=progress.input_data,
            results=progress.results,
            outputs=progress.outputs,
            children={key: take_snapshot(child) for key, child in progress.children.items()},
            resuming=progress.resuming,
            calls=progress.calls,
            selected=progress.selected,
            started_at=progress.started_at,
            iteration=progress.iteration,
            concurrency=progress.concurrency,
            deadline=progress.deadline,
        ),
    )


def next_envelope(
    envelope: StartEnvelope, run: RunState, scope: Scope, resume_count: int, first_resume_count: int
) -> StartEnvelope:
    """Return the argument with which the next execution of a run that continues as new starts.

    Args:
        envelope: The argument of this execution.
        run: The state of the run.
        scope: The root scope.
        resume_count: How often the run has been resumed.
        first_resume_count: The resume count with which the run began after a time travel.
    """
    snapshot = RunSnapshot(
        scope=take_snapshot(scope),
        continued_from=workflow.info().run_id,
        resume_count=resume_count,
        first_resume_count=first_resume_count,
        claims=run.claims,
    )
    return envelope.model_copy(
        update={
            "input_data": scope.init_data,
            "initial_state": None,
            "request_context": run.request_context or None,
            "run_id": run.run_id,
            "per_step": run.per_step or None,
            "stored_from": run.stored_from,
            "snapshot": snapshot,
        }
    )


def _without_items(result: StepResult) -> StepResult:
    """Return the result of a suspended foreach without those of its items, which are in the progress already."""
    meta = meta_of(result)
    if result.status != "suspended" or "foreachOutput" not in meta:
        return result
    kept = {key: value for key, value in meta.items() if key != "foreachOutput"}
    return result.model_copy(update={"suspend_payload": {**result.suspend_payload, META: kept}})


def largest_parts(scope: Scope) -> str:
    """Return which parts of a run's data are the largest, with their sizes, for an error message."""
    parts = {"the state": scope.state, "the input": scope.init_data}
    parts |= {f"the output of `{step_id}`": result.output for step_id, result in scope.steps.items()}
    if scope.progress is not None:
        entry = f"the entry after {scope.position} others"
        parts |= {f"the input of {entry}": scope.progress.input_data}
        parts |= {f"the outputs of the items of {entry}": list(scope.progress.outputs.values())}
        for child in scope.progress.children.values():
            parts |= {f"nested workflow `{child.workflow_id}`": [child.state, child.init_data, child.outputs()]}
    sizes = sorted(((len(to_json(value)), name) for name, value in parts.items()), reverse=True)
    return ", ".join(f"{name} ({size:,} bytes)" for size, name in sizes[:3])


def restore(snapshot: RunSnapshot, workflow_id: str, graph: WorkflowGraph, run: RunState) -> Scope:
    """Return the root scope of a run that begins from a snapshot, and register the scopes of ended workflows."""
    root = _scope(snapshot.scope, workflow_id, graph.plan, graph.entries, graph.plan.validate_inputs)
    for left in snapshot.left:
        entry = _at(graph.entries, left.path)
        if entry is not None:
            run.scopes[tuple(left.path)] = _scope(
                left, entry.workflow_id, entry.plan, entry.serialized_step_flow, root.validate_inputs
            )
    return root


def _scope(
    snapshot: ScopeSnapshot, workflow_id: str, plan: WorkflowPlan, entries: list[Entry], validate: bool
) -> Scope:
    return Scope(
        workflow_id=workflow_id,
        run_id=snapshot.run_id,
        path=tuple(snapshot.path),
        plan=plan,
        validate_inputs=validate,
        init_data=snapshot.init_data,
        state=snapshot.state,
        steps=dict(snapshot.steps),
        step_execution_path=list(snapshot.step_execution_path),
        position=snapshot.position,
        input_data=snapshot.input_data,
        progress=None if snapshot.progress is None else _progress(snapshot.progress, entries, validate),
        answers=dict(snapshot.answers),
        interrupted=set(snapshot.interrupted or ()),
    )


def _progress(snapshot: ProgressSnapshot, entries: list[Entry], validate: bool) -> Progress:
    children: dict[str, Scope] = {}
    for key, child in snapshot.children.items():
        entry = nested_entry(entries, key)
        if entry is not None:
            children[key] = _scope(child, entry.workflow_id, entry.plan, entry.serialized_step_flow, validate)
    return Progress(
        input_data=snapshot.input_data,
        results=dict(snapshot.results),
        outputs=dict(snapshot.outputs),
        children=children,
        resuming=dict(snapshot.resuming),
        calls=dict(snapshot.calls),
        selected=snapshot.selected,
        started_at=snapshot.started_at,
        iteration=snapshot.iteration,
        concurrency=snapshot.concurrency,
        deadline=snapshot.deadline,
    )


def _at(entries: list[Entry], path: Iterable[str]) -> NestedEntry | None:
    """Return the nested workflow at a path, or None."""
    entry = None
    for key in path:
        entry = nested_entry(entries, key)
        if entry is None:
            return None
        entries = entry.serialized_step_flow
    return entry
