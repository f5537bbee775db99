"""``.foreach()``: a body for each item of a list, a bounded number at once.

What has finished is kept by index: neither a restart nor a resume runs a finished item again.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from mastra_temporal.definition.graph import ForeachEntry, body_id
from mastra_temporal.definition.path import is_array, is_object
from mastra_temporal.execution.calls import call_function
from mastra_temporal.execution.ending import META, Ending, ending_of, meta_of
from mastra_temporal.execution.engine import Engine, Occurrence, settle_bail, unfinished
from mastra_temporal.execution.scope import Progress, Scope, milliseconds_now
from mastra_temporal.wire import ErrorInfo, StepResult

__all__ = ["execute"]


async def execute(engine: Engine, scope: Scope, progress: Progress, entry: ForeachEntry) -> Ending:
    """Run the body for every item. The first item that does not succeed stops the items not yet started."""
    step_id, items, started_at = body_id(entry.step), progress.input_data, milliseconds_now()
    if not is_array(items) and not isinstance(items, str):
        return Ending("failed", error=_not_a_list(scope, step_id, items))
    concurrency, error = await _concurrency(engine, scope, progress, entry, step_id)
    if error is not None:
        return Ending("failed", error=error)
    await _work(engine, scope, progress, entry, items, concurrency)
    keys = [Occurrence(index=index).key(step_id) for index in range(len(items))]
    results = [progress.results.get(key) for key in keys]
    scope.steps[step_id] = summary = _summary(items, results, started_at)
    settle_bail(scope, step_id)
    return ending_of(step_id, summary)


async def _work(
    engine: Engine, scope: Scope, progress: Progress, entry: ForeachEntry, items: list[Any] | str, concurrency: int
) -> None:
    step_id = body_id(entry.step)
    waiting = iter(range(len(items)))
    stopped = False

    async def worker() -> None:
        nonlocal stopped
        for index in waiting:
            occurrence = Occurrence(index=index, total=len(items))
            prior = progress.results.get(occurrence.key(step_id))
            if prior is not None and not unfinished(prior):
                continue
            if stopped or engine.run.aborted:
                return
            result = await engine.run_body(scope, progress, entry.step, items[index], occurrence)
            stopped = stopped or result.status != "success"

    await asyncio.gather(*(worker() for _ in range(min(concurrency, len(items)))))


async def _concurrency(
    engine: Engine, scope: Scope, progress: Progress, entry: ForeachEntry, step_id: str
) -> tuple[int, ErrorInfo | None]:
    wanted: Any = entry.opts.concurrency
    if entry.opts.fn is not None:
        outcome = await call_function(engine, scope, f"{step_id}-concurrency", progress.input_data)
        if outcome.error is not None:
            return 0, outcome.error
        wanted = outcome.value
    usable = isinstance(wanted, (int, float)) and math.isfinite(wanted) and wanted >= 1
    return int(wanted) if usable else 1, None


def _summary(items: list[Any] | str, results: list[StepResult | None], started_at: int) -> StepResult:
    """The result of the whole foreach: the list of outputs, or the first item that did not succeed."""
    for status in ("failed", "bailed", "suspended", "canceled", "paused"):
        index = next((i for i, result in enumerate(results) if result is not None and result.status == status), None)
        if index is not None:
            broken_off = results[index]
            assert broken_off is not None
            return _broken_off(broken_off, index, results)
    outputs = [None if result is None else result.output for result in results]
    return StepResult(
        status="success" if None not in results else "canceled",
        payload=items,
        output=outputs,
        started_at=started_at,
        ended_at=milliseconds_now(),
    )


def _broken_off(result: StepResult, index: int, results: list[StepResult | None]) -> StepResult:
    """The deciding item's result, with those of all items: nothing that finished is lost."""
    if result.status not in ("failed", "suspended"):
        return result
    outputs = [None if item is None else item.model_dump(by_alias=True) for item in results]
    while outputs and outputs[-1] is None:
        outputs.pop()
    meta = {**meta_of(result), "foreachIndex": index, "foreachOutput": outputs}
    own = result.suspend_payload if is_object(result.suspend_payload) else {}
    return result.model_copy(update={"suspend_payload": {**own, META: meta}})


def _not_a_list(scope: Scope, step_id: str, items: Any) -> ErrorInfo:
    return {
        "name": "TypeError",
        "message": f"`.foreach({step_id})` of workflow `{scope.workflow_id}` needs a list, "
        f"but the entry before it gave {'nothing' if items is None else type(items).__name__}. "
        "Let that step return a list, or put a .map() between them.",
    }
