"""Executes ``.map()``. Data are evaluated in workflow code, and only functions need an activity."""

from __future__ import annotations

from typing import Any

from mastra_temporal._data.gate import MAX_DEPTH, is_too_deep
from mastra_temporal._data.path import MISSING, resolve_path
from mastra_temporal._definition.template import render_template
from mastra_temporal._protocol.function_calls import FunctionOutcome
from mastra_temporal._protocol.graph import MappingEntry, MapSource
from mastra_temporal._protocol.results import StepResult
from mastra_temporal._worker.workflow.completion import Completion, completion_of
from mastra_temporal._worker.workflow.engine import Engine
from mastra_temporal._worker.workflow.function_calls import call_functions
from mastra_temporal._worker.workflow.scope import EntryData, Progress, Scope, milliseconds_now
from mastra_temporal.errors import MastraError, SerializationError

__all__ = ["execute"]


async def execute(engine: Engine, scope: Scope, progress: Progress, entry: MappingEntry) -> Completion:
    """Evaluate a mapping. It has a step result of its own, and is retried as often as the workflow says."""
    result = StepResult(status="running", payload=progress.input_data, started_at=milliseconds_now())
    scope.step_execution_path.append(entry.id)
    events = engine.reporter.events.started(scope, progress, entry.id, result)
    outcome = FunctionOutcome()
    for retry in range(scope.plan.retries + 1):
        if retry and not await engine.delay_retry(scope, entry.id):
            break
        outcome = await _evaluate(engine, scope, progress, entry, retry)
        if is_too_deep(outcome.value):
            outcome = _too_deep(scope, entry)
        if outcome.error is None or outcome.non_retryable or engine.run.aborted:
            break
    ended: dict[str, Any] = {"status": "success", "output": outcome.value}
    if outcome.error is not None:
        ended = {"status": "failed", "error": outcome.error, "non_retryable": outcome.non_retryable}
    scope.steps[entry.id] = result = result.model_copy(update={**ended, "ended_at": milliseconds_now()})
    events.ended(result)
    return completion_of(entry.id, result)


def _too_deep(scope: Scope, entry: MappingEntry) -> FunctionOutcome:
    """Return the error for a result that is nested too deeply, as by a mapping in a loop that nests its own input."""
    owner = f"mapping `{entry.id}` of workflow `{scope.workflow_id}`"
    message = f"The result of {owner} is nested deeper than {MAX_DEPTH} levels, which nobody could read."
    return FunctionOutcome(error={"name": SerializationError.wire_name, "message": message}, non_retryable=True)


async def _evaluate(
    engine: Engine, scope: Scope, progress: Progress, entry: MappingEntry, retry: int
) -> FunctionOutcome:
    sources = entry.plan.sources
    functions = [source.fn for source in sources.values() if source.fn is not None]
    if entry.plan.function is not None:
        functions = [entry.plan.function]
    values: dict[str, Any] = {}
    if functions:
        outcomes = await call_functions(engine, scope, functions, progress.input_data, retry_count=retry)
        for function, outcome in zip(functions, outcomes, strict=True):
            if outcome.error is not None:
                return outcome
            values[function.id] = outcome.value
    if entry.plan.function is not None:
        return FunctionOutcome(value=values[entry.plan.function.id])
    data = EntryData(scope, engine.run, progress.input_data)
    try:
        value = {key: _value(source, data, values) for key, source in sources.items()}
    except MastraError as error:
        return FunctionOutcome(error={"name": error.wire_name, "message": str(error)})
    return FunctionOutcome(value=value)


def _value(source: MapSource, data: EntryData, values: dict[str, Any]) -> Any:
    if source.fn is not None:
        return values[source.fn.id]
    if source.template is not None:
        return render_template(source.template, data)
    if source.request_context_path is not None:
        return data.request_context.get(source.request_context_path)
    if source.init_data:
        return resolve_path(data.init_data, source.path or "", source="initData")
    if source.step is None:
        return source.value
    found = [output for step_id in source.step if (output := data.step_output(step_id)) not in (MISSING, None)]
    return resolve_path(found[0] if found else None, source.path or "", source=f"step {'|'.join(source.step)}")
