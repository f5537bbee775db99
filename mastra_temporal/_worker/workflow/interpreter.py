"""Walks the recorded graph of a workflow, entry by entry. Each kind of entry has its handler in a module of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from mastra_temporal._protocol.graph import (
    Entry,
    NestedEntry,
    StepEntry,
)
from mastra_temporal._worker.workflow import blocks, foreach, loop, mapping, sleep
from mastra_temporal._worker.workflow.completion import Completion, completion_of
from mastra_temporal._worker.workflow.engine import Engine, settle_bail
from mastra_temporal._worker.workflow.entry_spans import conclude, entry_span
from mastra_temporal._worker.workflow.scope import Progress, Scope

__all__ = ["walk"]


async def walk(engine: Engine, scope: Scope, entries: list[Entry]) -> Completion:
    """Execute a workflow from the position of its scope until it ends, suspends, pauses or continues as new."""
    engine.run.scopes[scope.path] = scope
    completion = Completion("success", output=scope.input_data, result=scope.input_data)
    while scope.position < len(entries):
        await engine.hold()
        if engine.run.aborted:
            return _stopped(engine, scope, "canceled")
        if engine.should_continue_as_new():
            return Completion("continued_as_new")
        if scope.progress is None:
            scope.progress = Progress(input_data=scope.input_data)
        entry = entries[scope.position]
        with entry_span(engine.reporter.trace, scope, scope.progress, entry) as span:
            completion = await HANDLERS[entry.type](engine, scope, scope.progress, entry)
            conclude(span, scope, entry, completion)
        # Check before the completion: a canceled run ends as canceled even if this entry failed or suspended meanwhile.
        if engine.run.aborted:
            return _stopped(engine, scope, "canceled")
        if completion.status != "success":
            return completion
        scope.position += 1
        scope.progress = None
        scope.input_data = completion.output
        if engine.run.per_step:
            return _stopped(engine, scope, "paused")
    return completion


def _stopped(engine: Engine, scope: Scope, status: Literal["canceled", "paused"]) -> Completion:
    engine.reporter.events.stopped(scope, status)
    return Completion(status)


async def _execute_single(
    engine: Engine, scope: Scope, progress: Progress, entry: StepEntry | NestedEntry
) -> Completion:
    step_id = entry.body_id
    # A step that is resumed, or that goes on after a continue-as-new, is in the path already.
    if step_id not in progress.results:
        scope.step_execution_path.append(step_id)
    result = await engine.run_body(scope, progress, entry, progress.input_data)
    settle_bail(engine, scope, step_id)
    return completion_of(step_id, result)


HANDLERS: dict[str, Callable[[Engine, Scope, Progress, Any], Awaitable[Completion]]] = {
    "step": _execute_single,
    "workflow": _execute_single,
    "parallel": blocks.execute_parallel,
    "conditional": blocks.execute_conditional,
    "loop": loop.execute,
    "foreach": foreach.execute,
    "mapping": mapping.execute,
    "sleep": sleep.execute,
    "sleepUntil": sleep.execute,
}
"""The handler of each type of entry."""
