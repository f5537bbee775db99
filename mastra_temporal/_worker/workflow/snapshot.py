"""A run's state as data: from scopes to seeds and back. A new execution of the run begins where a seed says."""

from __future__ import annotations

from collections.abc import Iterable

from mastra_temporal._protocol.graph import (
    ConditionalEntry,
    Entry,
    ForeachEntry,
    LoopEntry,
    NestedEntry,
    ParallelEntry,
    StepEntry,
    WorkflowGraph,
    WorkflowPlan,
)
from mastra_temporal._protocol.keys import step_id_of
from mastra_temporal._protocol.results import StepResult
from mastra_temporal._protocol.snapshot import ProgressSeed, RunSeed, ScopeSeed
from mastra_temporal._worker.workflow.scope import Progress, RunState, Scope

__all__ = ["bodies", "nested_entry", "restore", "seed_of"]


def bodies(entry: Entry) -> list[StepEntry | NestedEntry]:
    """The steps and nested workflows that an entry runs."""
    if isinstance(entry, (StepEntry, NestedEntry)):
        return [entry]
    if isinstance(entry, (ParallelEntry, ConditionalEntry)):
        return list(entry.steps)
    if isinstance(entry, (LoopEntry, ForeachEntry)):
        return [entry.step]
    return []


def nested_entry(entries: list[Entry], key: str) -> NestedEntry | None:
    """The nested workflow of a graph that a key of a progress, or a part of a scope's path, belongs to."""
    wanted = step_id_of(key)
    found = (body for entry in entries for body in bodies(entry) if isinstance(body, NestedEntry) and body.id == wanted)
    return next(found, None)


def seed_of(scope: Scope) -> ScopeSeed:
    """A scope as data."""
    progress = scope.progress
    return ScopeSeed(
        run_id=scope.run_id,
        path=list(scope.path),
        init_data=scope.init_data,
        state=scope.state,
        steps=scope.steps,
        step_execution_path=scope.step_execution_path,
        position=scope.position,
        input_data=scope.input_data,
        answers=scope.answers,
        interrupted=sorted(scope.interrupted) or None,
        progress=None
        if progress is None
        else ProgressSeed(
            input_data=progress.input_data,
            results={key: _without_input(key, result) for key, result in progress.results.items()},
            children={key: seed_of(child) for key, child in progress.children.items()},
            resuming=progress.resuming,
            calls=progress.calls,
            selected=progress.selected,
            iteration=progress.iteration,
            concurrency=progress.concurrency,
            deadline=progress.deadline,
        ),
    )


def _without_input(key: str, result: StepResult) -> StepResult:
    """A finished item of a foreach without its input, which the list has: there may be very many."""
    return result.model_copy(update={"payload": None}) if key.endswith("]") and result.status == "success" else result


def restore(seed: RunSeed, workflow_id: str, graph: WorkflowGraph, run: RunState) -> Scope:
    """The scope of a run that begins where an earlier execution stood."""
    root = _scope(seed.scope, workflow_id, graph.plan, graph.entries, graph.plan.validate_inputs)
    for left in seed.left:
        entry = _at(graph.entries, left.path)
        if entry is not None:
            run.scopes[tuple(left.path)] = _scope(
                left, entry.workflow_id, entry.plan, entry.serialized_step_flow, root.validate_inputs
            )
    return root


def _scope(seed: ScopeSeed, workflow_id: str, plan: WorkflowPlan, entries: list[Entry], validate: bool) -> Scope:
    return Scope(
        workflow_id=workflow_id,
        run_id=seed.run_id,
        path=tuple(seed.path),
        plan=plan,
        validate_inputs=validate,
        init_data=seed.init_data,
        state=seed.state,
        steps=dict(seed.steps),
        step_execution_path=list(seed.step_execution_path),
        position=seed.position,
        input_data=seed.input_data,
        progress=None if seed.progress is None else _progress(seed.progress, entries, validate),
        answers=dict(seed.answers),
        interrupted=set(seed.interrupted or ()),
    )


def _progress(seed: ProgressSeed, entries: list[Entry], validate: bool) -> Progress:
    children: dict[str, Scope] = {}
    for key, child in seed.children.items():
        entry = nested_entry(entries, key)
        if entry is not None:
            children[key] = _scope(child, entry.workflow_id, entry.plan, entry.serialized_step_flow, validate)
    return Progress(
        input_data=seed.input_data,
        results=dict(seed.results),
        children=children,
        resuming=dict(seed.resuming),
        calls=dict(seed.calls),
        selected=seed.selected,
        iteration=seed.iteration,
        concurrency=seed.concurrency,
        deadline=seed.deadline,
    )


def _at(entries: list[Entry], path: Iterable[str]) -> NestedEntry | None:
    """The nested workflow at a path."""
    entry = None
    for key in path:
        entry = nested_entry(entries, key)
        if entry is None:
            return None
        entries = entry.serialized_step_flow
    return entry
