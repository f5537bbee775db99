"""Executes ``.parallel()`` and ``.branch()``: several bodies run concurrently on the same input."""

from __future__ import annotations

import asyncio

from temporalio import workflow

from mastra_temporal._definition.predicate import evaluate_predicate
from mastra_temporal._protocol.graph import Body, ConditionalEntry, ParallelEntry
from mastra_temporal._protocol.results import StepResult
from mastra_temporal._worker.workflow.completion import Completion, completion_of, suspended_paths
from mastra_temporal._worker.workflow.engine import Engine, unfinished
from mastra_temporal._worker.workflow.function_calls import call_functions
from mastra_temporal._worker.workflow.scope import EntryData, Progress, Scope
from mastra_temporal._worker.workflow.spans import CONDITION, here

__all__ = ["execute_conditional", "execute_parallel"]


async def execute_parallel(engine: Engine, scope: Scope, progress: Progress, entry: ParallelEntry) -> Completion:
    """Run all bodies concurrently. A failure does not stop the others."""
    return await _run_together(engine, scope, progress, entry.steps)


async def execute_conditional(engine: Engine, scope: Scope, progress: Progress, entry: ConditionalEntry) -> Completion:
    """Run every body whose condition is true. A suspension or a restart does not evaluate the conditions again."""
    if progress.selected is None:
        progress.selected = await _select(engine, scope, progress, entry)
        here().note(
            truthy_indexes=progress.selected,
            selected_steps=[entry.steps[index].body_id for index in progress.selected],
        )
    return await _run_together(engine, scope, progress, [entry.steps[index] for index in progress.selected])


async def _select(engine: Engine, scope: Scope, progress: Progress, entry: ConditionalEntry) -> list[int]:
    conditions = [info.function for info in entry.serialized_conditions]
    predicates = entry.predicates or [None] * len(entry.steps)
    spans = [
        engine.reporter.trace.span(
            scope, CONDITION, f"condition '{index}'", input_data=progress.input_data, condition_index=index
        )
        for index in range(len(predicates))
    ]
    data = EntryData(scope, engine.run, progress.input_data)
    truths = [predicate is not None and evaluate_predicate(predicate, data) for predicate in predicates]
    failed: set[int] = set()
    functions = {index: function for index, function in enumerate(conditions) if function is not None}
    if functions:
        outcomes = await call_functions(engine, scope, list(functions.values()), progress.input_data)
        for (index, function), outcome in zip(functions.items(), outcomes, strict=True):
            truths[index] = bool(outcome.value)
            if outcome.error is not None:
                failed.add(index)
                spans[index].fail(outcome.error)
                workflow.logger.warning(
                    "`%s` of workflow `%s` raised and counts as false: %s",
                    function.id, scope.workflow_id, outcome.error.get("message"),
                )  # fmt: skip
    for index, (span, true) in enumerate(zip(spans, truths, strict=True)):
        if index not in failed:
            span.note(result=true)
            span.output(true)
        span.end()
    return [index for index, true in enumerate(truths) if true]


async def _run_together(engine: Engine, scope: Scope, progress: Progress, bodies: list[Body]) -> Completion:
    if engine.run.per_step:
        finished = [body for body in bodies if _has_result(progress, body)]
        bodies = finished + [body for body in bodies if body not in finished][:1]
    # `gather` starts the bodies in the order of the list, which fixes the order of their commands for every replay.
    results = await asyncio.gather(*(engine.run_body(scope, progress, body, progress.input_data) for body in bodies))
    by_id = {body.body_id: result for body, result in zip(bodies, results, strict=True)}
    progress.results = {**by_id, **progress.results}  # in the order of definition instead of completion
    return _ending(by_id)


def _has_result(progress: Progress, body: Body) -> bool:
    result = progress.results.get(body.body_id)
    return result is not None and not unfinished(result) and body.body_id not in progress.resuming


def _ending(results: dict[str, StepResult]) -> Completion:
    for step_id, result in results.items():
        if result.status == "failed":
            return completion_of(step_id, result)
    if any(result.status == "running" for result in results.values()):
        return Completion("continued_as_new")
    suspended = [
        path
        for step_id, result in results.items()
        if result.status == "suspended"
        for path in suspended_paths(step_id, result)
    ]
    if suspended:
        return Completion("suspended", suspended=suspended)
    for status in ("canceled", "paused"):
        if any(result.status == status for result in results.values()):
            return Completion(status)
    # A branch that was not taken has no key: it is undefined in JavaScript, so a default of the next schema applies.
    return Completion(
        "success",
        output={step_id: result.output for step_id, result in results.items()},
        result={step_id: result.output for step_id, result in results.items() if result.status == "success"},
    )
