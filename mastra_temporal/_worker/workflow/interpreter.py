"""Walks the recorded graph of a workflow, entry by entry. What an entry does is in the module of its kind."""

from __future__ import annotations

from typing import Literal

from mastra_temporal._protocol.graph import (
    ConditionalEntry,
    Entry,
    ForeachEntry,
    LoopEntry,
    MappingEntry,
    NestedEntry,
    ParallelEntry,
    StepEntry,
    body_id,
)
from mastra_temporal._worker.workflow import blocks, foreach, loop, mapping, sleep
from mastra_temporal._worker.workflow.completion import Ending, ending_of
from mastra_temporal._worker.workflow.engine import Engine, settle_bail
from mastra_temporal._worker.workflow.entry_spans import conclude, entry_span
from mastra_temporal._worker.workflow.scope import Progress, Scope

__all__ = ["walk"]


async def walk(engine: Engine, scope: Scope, entries: list[Entry]) -> Ending:
    """Execute a workflow from where its scope stands to its end, a suspension, a pause or a move."""
    engine.run.scopes[scope.path] = scope
    ending = Ending("success", output=scope.input_data, result=scope.input_data)
    while scope.position < len(entries):
        await engine.hold()
        if engine.run.aborted:
            return _stopped(engine, scope, "canceled")
        if engine.must_move():
            return Ending("moved")
        if scope.progress is None:
            scope.progress = Progress(input_data=scope.input_data)
        entry = entries[scope.position]
        with entry_span(engine.told.trace, scope, scope.progress, entry) as span:
            ending = await _execute(engine, scope, scope.progress, entry)
            conclude(span, scope, entry, ending)
        if engine.run.aborted:
            return _stopped(engine, scope, "canceled")
        if ending.status != "success":
            return ending
        scope.position += 1
        scope.progress = None
        scope.input_data = ending.output
        if engine.run.per_step:
            return _stopped(engine, scope, "paused")
    return ending


def _stopped(engine: Engine, scope: Scope, status: Literal["canceled", "paused"]) -> Ending:
    engine.told.events.stopped(scope, status)
    return Ending(status)


async def _execute(engine: Engine, scope: Scope, progress: Progress, entry: Entry) -> Ending:
    if isinstance(entry, (StepEntry, NestedEntry)):
        return await _execute_single(engine, scope, progress, entry)
    if isinstance(entry, ParallelEntry):
        return await blocks.execute_parallel(engine, scope, progress, entry)
    if isinstance(entry, ConditionalEntry):
        return await blocks.execute_conditional(engine, scope, progress, entry)
    if isinstance(entry, LoopEntry):
        return await loop.execute(engine, scope, progress, entry)
    if isinstance(entry, ForeachEntry):
        return await foreach.execute(engine, scope, progress, entry)
    if isinstance(entry, MappingEntry):
        return await mapping.execute(engine, scope, progress, entry)
    return await sleep.execute(engine, scope, progress, entry)


async def _execute_single(engine: Engine, scope: Scope, progress: Progress, entry: StepEntry | NestedEntry) -> Ending:
    step_id = body_id(entry)
    if step_id not in progress.results:
        scope.step_execution_path.append(step_id)
    result = await engine.run_body(scope, progress, entry, progress.input_data)
    settle_bail(engine, scope, step_id)
    return ending_of(step_id, result)
