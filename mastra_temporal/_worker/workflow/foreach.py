"""Executes ``.foreach()``: the body runs for each item of a list, a bounded number at once.

Results are kept by index. Neither a restart nor a resume runs a finished item again. Of an item that succeeded only the
output is kept: a list may have 100,000 items, and what a new execution begins with must fit into one payload.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from mastra_temporal._data.path import is_array, is_object
from mastra_temporal._protocol.graph import ForeachEntry
from mastra_temporal._protocol.keys import index_of
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
    if progress.started_at is None:
        progress.started_at = milliseconds_now()
    prior = scope.steps.get(step_id) if progress.results else None
    result = StepResult(status="running", payload=items, started_at=progress.started_at)
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
    results = Results(progress, items, result.started_at)
    if engine.run.continuing_as_new and results.only_to_go_on:
        return Completion("continued_as_new")
    scope.steps[step_id] = summary = _summary(result, results)
    if not engine.run.aborted:
        deciding = results.first(summary.status) or summary
        only = None if deciding.status == "bailed" else TOLD_AT_THE_END
        events.ended(summary if summary.status == "success" else deciding, only=only)
    settle_bail(engine, scope, step_id)
    return completion_of(step_id, summary)


class Results:
    """The results of the items of a foreach: outputs of those that succeeded, and whole results of the others."""

    def __init__(self, progress: Progress, items: list[Any] | str, started_at: int) -> None:
        """Read the results from the progress of the entry."""
        self._items = items
        self._started_at = started_at
        self.outputs = progress.outputs
        by_index = {index_of(key): result for key, result in progress.results.items()}
        self.others = {index: by_index[index] for index in sorted(by_index)}
        """By index, in the order of the items."""

    @property
    def only_to_go_on(self) -> bool:
        """Whether items are left to run, and no item has failed, bailed or suspended."""
        finished = len(self.outputs) + sum(not unfinished(result) for result in self.others.values())
        return finished < len(self._items) and all(
            result.status == "success" or unfinished(result) for result in self.others.values()
        )

    @property
    def all_begun(self) -> bool:
        """Whether every item has a result."""
        return len(self.outputs) + len(self.others) == len(self._items)

    @property
    def end(self) -> int:
        """The index after the last item that has begun."""
        return max((*self.outputs, *self.others), default=-1) + 1

    def first(self, status: str) -> StepResult | None:
        """Return the first of the whole results with a status, or None."""
        return next((result for result in self.others.values() if result.status == status), None)

    def up_to_the_last(self) -> list[StepResult | None]:
        """Return the results of all items up to the last one that has begun."""
        return [self._result(index) for index in range(self.end)]

    def output(self, index: int) -> Any:
        """Return the output of an item, or None if it has not begun: in a canceled foreach."""
        if index in self.outputs:
            return self.outputs[index]
        return self.others[index].output if index in self.others else None

    def _result(self, index: int) -> StepResult | None:
        if index not in self.outputs:
            return self.others.get(index)
        return StepResult(
            status="success",
            payload=self._items[index],
            output=self.outputs[index],
            started_at=self._started_at,
            ended_at=milliseconds_now(),
        )


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
    completed = len(progress.outputs)
    # The workers share one iterator. Which worker takes which index depends only on the order of the results, which is
    # the same on replay.
    waiting = iter(range(len(items)))
    stopped = False

    async def worker() -> None:
        nonlocal stopped, completed
        for index in waiting:
            if index in progress.outputs:
                continue
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
            if result.status == "success" and result.resumed_at is None:
                progress.outputs[index] = result.output
                progress.results.pop(key)
                progress.children.pop(key, None)
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


def _summary(result: StepResult, results: Results) -> StepResult:
    """Return the result of the whole foreach: the list of outputs, or the first item that did not succeed."""
    for status in ("failed", "bailed", "suspended", "canceled", "paused"):
        for index, item in results.others.items():
            if item.status == status:
                return _broken_off(result, item, index, results)
    status = "success" if results.all_begun else "canceled"
    outputs = [results.output(index) for index in range(results.end)]
    return result.model_copy(update={"status": status, "output": outputs, "ended_at": milliseconds_now()})


def _broken_off(whole: StepResult, item: StepResult, index: int, results: Results) -> StepResult:
    """Return the result of the item that ended the foreach, with the results of all items in its metadata."""
    if item.status not in ("failed", "suspended"):
        return item
    outputs = [None if other is None else other.model_dump(by_alias=True) for other in results.up_to_the_last()]
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
