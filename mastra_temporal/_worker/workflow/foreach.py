"""Executes ``.foreach()``: the body runs for each item of a list, a bounded number at once.

Results are kept by index. Neither a restart nor a resume runs a finished item again.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from mastra_temporal._data.path import is_array, is_object
from mastra_temporal._protocol.graph import ForeachEntry
from mastra_temporal._protocol.results import ErrorInfo, StepResult
from mastra_temporal._worker.workflow.completion import META, Completion, completion_of, meta_of
from mastra_temporal._worker.workflow.engine import Engine, settle_bail, unfinished
from mastra_temporal._worker.workflow.events import StepEvents
from mastra_temporal._worker.workflow.function_calls import call_function
from mastra_temporal._worker.workflow.invocation import Invocation
from mastra_temporal._worker.workflow.scope import Progress, Scope, milliseconds_now
from mastra_temporal._worker.workflow.spans import here
from mastra_temporal._worker.workflow.suspension import resumed

__all__ = ["execute", "recorded_items"]

TOLD_AT_THE_END = {"status", "output", "error", "suspendPayload", "suspendedAt", "endedAt"}
"""The fields in the last event of a foreach: as in Mastra, only those that its first event does not have."""

COMPLETED = ("success", "failed", "bailed")


async def execute(engine: Engine, scope: Scope, progress: Progress, entry: ForeachEntry) -> Completion:
    """Run the body for every item. The first item that does not succeed stops the items that have not started."""
    step_id, items = entry.step.body_id, progress.input_data
    prior = scope.steps.get(step_id) if progress.results else None
    result = StepResult(status="running", payload=items, started_at=milliseconds_now())
    if prior is not None:
        result = resumed(prior, next(iter(progress.resuming.values()), None))
    if not is_array(items) and not isinstance(items, str):
        return Completion("failed", error=_not_a_list(scope, step_id, items))
    concurrency, error = await _concurrency(engine, scope, progress, entry)
    if error is not None:
        return Completion("failed", error=error)
    here().note(concurrency=concurrency)
    events = engine.reporter.events.started(scope, progress, step_id, result, called=False)
    await _work(engine, scope, progress, entry, items, concurrency, events)
    keys = [Invocation(index=index).key(step_id) for index in range(len(items))]
    results = [progress.results.get(key) for key in keys]
    progress.results = {key: item for key, item in zip(keys, results, strict=True) if item is not None}
    if engine.run.continuing_as_new and _goes_on(results):
        return Completion("continued_as_new")
    scope.steps[step_id] = summary = _summary(result, results)
    if not engine.run.aborted:
        deciding = next((item for item in results if item is not None and item.status == summary.status), summary)
        only = None if deciding.status == "bailed" else TOLD_AT_THE_END
        events.ended(summary if summary.status == "success" else deciding, only=only)
    settle_bail(engine, scope, step_id)
    return completion_of(step_id, summary)


def _goes_on(results: list[StepResult | None]) -> bool:
    """Return whether items are left to run, and no item has failed, bailed or suspended."""
    begun = [result for result in results if result is not None]
    left = len(begun) < len(results) or any(unfinished(result) for result in begun)
    return left and all(result.status == "success" or unfinished(result) for result in begun)


async def _work(
    engine: Engine,
    scope: Scope,
    progress: Progress,
    entry: ForeachEntry,
    items: list[Any] | str,
    concurrency: int,
    events: StepEvents,
) -> None:
    step_id = entry.step.body_id
    completed = 0
    # The workers share one iterator. Which worker takes which index depends only on the order of the results, which is
    # the same on replay.
    waiting = iter(range(len(items)))
    stopped = False

    async def worker() -> None:
        nonlocal stopped, completed
        for index in waiting:
            invocation = Invocation(index=index, total=len(items))
            key = invocation.key(step_id)
            prior = progress.results.get(key)
            if prior is not None and not unfinished(prior) and key not in progress.resuming:
                continue
            # Leave the item without a result, so that the next execution or a later resume runs it.
            if stopped or engine.run.aborted or engine.should_continue_as_new():
                return
            result = await engine.run_body(scope, progress, entry.step, items[index], invocation)
            stopped = stopped or result.status != "success"
            completed += result.status in COMPLETED
            _tell_progress(events, result, completed, index, len(items))

    await asyncio.gather(*(worker() for _ in range(min(concurrency, len(items)))))


def _tell_progress(events: StepEvents, result: StepResult, completed: int, index: int, total: int) -> None:
    if result.status not in (*COMPLETED, "suspended"):
        return
    progress: dict[str, Any] = {
        "completedCount": completed,
        "totalCount": total,
        "currentIndex": index,
        "iterationStatus": "failed" if result.status == "bailed" else result.status,  # as in Mastra
    }
    if result.status == "success" and result.output is not None:
        progress["iterationOutput"] = result.output
    events.publish("workflow-step-progress", progress)


async def _concurrency(
    engine: Engine, scope: Scope, progress: Progress, entry: ForeachEntry
) -> tuple[int, ErrorInfo | None]:
    wanted: Any = entry.opts.concurrency if progress.concurrency is None else progress.concurrency
    if entry.opts.function is not None and progress.concurrency is None:
        outcome = await call_function(engine, scope, entry.opts.function, progress.input_data)
        if outcome.error is not None:
            return 0, outcome.error
        wanted = outcome.value
    usable = isinstance(wanted, (int, float)) and math.isfinite(wanted) and wanted >= 1
    progress.concurrency = int(wanted) if usable else 1
    return progress.concurrency, None


def _summary(result: StepResult, results: list[StepResult | None]) -> StepResult:
    """Return the result of the whole foreach: the list of outputs, or the first item that did not succeed."""
    for status in ("failed", "bailed", "suspended", "canceled", "paused"):
        index = next((i for i, result in enumerate(results) if result is not None and result.status == status), None)
        if index is not None:
            broken_off = results[index]
            assert broken_off is not None
            return _broken_off(result, broken_off, index, results)
    outputs = [None if item is None else item.output for item in results]
    while results[len(outputs) - 1 :] and results[len(outputs) - 1] is None:
        outputs.pop()  # in a canceled foreach: items that never started
    status = "success" if None not in results else "canceled"
    return result.model_copy(update={"status": status, "output": outputs, "ended_at": milliseconds_now()})


def _broken_off(whole: StepResult, item: StepResult, index: int, results: list[StepResult | None]) -> StepResult:
    """Return the result of the item that ended the foreach, with the results of all items in its metadata."""
    if item.status not in ("failed", "suspended"):
        return item
    outputs = [None if other is None else other.model_dump(by_alias=True) for other in results]
    while outputs and outputs[-1] is None:
        outputs.pop()
    meta = {**meta_of(item), "foreachIndex": index, "foreachOutput": outputs}
    own = item.suspend_payload if is_object(item.suspend_payload) else {}
    payload = {"suspend_payload": {**own, META: meta}}
    if item.status == "suspended":
        suspended = {"suspend_output": item.suspend_output, "suspended_at": milliseconds_now()}
        return whole.model_copy(update={"status": "suspended", **payload, **suspended})
    if item.resumed_at is not None:  # as in Mastra, where a resumed item has the input of the foreach
        payload["payload"] = whole.payload
    return item.model_copy(update=payload)


def recorded_items(scope: Scope | None, step_id: str, items: list[Any]) -> dict[str, StepResult]:
    """Return the recorded results of the items of a foreach, by the keys of its progress."""
    result = None if scope is None else scope.steps.get(step_id)
    if result is None:
        return {}
    keys = [Invocation(index=index).key(step_id) for index in range(len(items))]
    if result.status == "success" and is_array(result.output):
        return {
            key: result.model_copy(update={"payload": item, "output": output})
            for key, item, output in zip(keys, items, result.output, strict=False)
        }
    recorded: list[Any] = meta_of(result).get("foreachOutput", [])
    return {key: StepResult.model_validate(item) for key, item in zip(keys, recorded, strict=False) if item is not None}


def _not_a_list(scope: Scope, step_id: str, items: Any) -> ErrorInfo:
    return {
        "name": "TypeError",
        "message": f"`.foreach({step_id})` of workflow `{scope.workflow_id}` needs a list, "
        f"but the entry before it gave {'nothing' if items is None else type(items).__name__}. "
        "Let that step return a list, or put a .map() between them.",
    }
