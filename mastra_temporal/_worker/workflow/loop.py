"""Executes ``.dowhile()`` and ``.dountil()``: the body runs repeatedly, each time on its own output."""

from __future__ import annotations

from mastra_temporal._definition.predicate import evaluate_predicate
from mastra_temporal._protocol.graph import LoopEntry
from mastra_temporal._protocol.results import ErrorInfo
from mastra_temporal._worker.workflow.completion import Completion, completion_of
from mastra_temporal._worker.workflow.engine import Engine, settle_bail
from mastra_temporal._worker.workflow.function_calls import call_function
from mastra_temporal._worker.workflow.invocation import Invocation
from mastra_temporal._worker.workflow.scope import EntryData, Progress, Scope
from mastra_temporal._worker.workflow.spans import CONDITION, here

__all__ = ["execute"]


async def execute(engine: Engine, scope: Scope, progress: Progress, entry: LoopEntry) -> Completion:
    """Run the body at least once, until the condition ends the loop. The results have only the last iteration."""
    step_id = entry.step.body_id
    while True:
        invocation = Invocation(iteration=progress.iteration + 1)
        result = await engine.run_body(scope, progress, entry.step, progress.input_data, invocation)
        if result.status != "success" or engine.run.aborted:
            settle_bail(engine, scope, step_id)
            here().note(total_iterations=progress.iteration)
            return completion_of(step_id, result)
        name = f"condition: '{entry.loop_type}'"
        with engine.reporter.trace.span(scope, CONDITION, name, condition_index=progress.iteration) as span:
            true, error = await _condition(engine, scope, entry, result.output, progress.iteration + 1)
            if error is None:
                span.output(true)
            span.fail(error)
        here().note(total_iterations=progress.iteration + 1)
        if error is not None:
            return Completion("failed", error=error)
        if true == (entry.loop_type == "dountil"):
            return completion_of(step_id, result)
        progress.iteration += 1
        progress.input_data = result.output
        progress.results.clear()
        progress.children.clear()
        _forget(engine, scope, step_id, progress.iteration)
        # Check only here, between two iterations: the progress is complete, so the next execution repeats nothing.
        if engine.should_continue_as_new():
            return Completion("continued_as_new")


def _forget(engine: Engine, scope: Scope, step_id: str, iteration: int) -> None:
    """Remove the nested scopes of the previous iteration. Without this, a long loop keeps one for each iteration."""
    past = (*scope.path, Invocation(iteration=iteration).path(step_id))
    for path in [path for path in engine.run.scopes if path[: len(past)] == past]:
        del engine.run.scopes[path]


async def _condition(
    engine: Engine, scope: Scope, entry: LoopEntry, output: object, iteration: int
) -> tuple[bool, ErrorInfo | None]:
    if entry.predicate is not None:
        return evaluate_predicate(entry.predicate, EntryData(scope, engine.run, output)), None
    function = entry.serialized_condition.function
    assert function is not None
    outcome = await call_function(engine, scope, function, output, iteration_count=iteration)
    return bool(outcome.value), outcome.error
