"""Opens the span of each kind of entry, with the names and attributes that Mastra uses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timezone
from typing import Any

from mastra_temporal._data.dates import parse_date
from mastra_temporal._protocol.graph import (
    ConditionalEntry,
    Display,
    Entry,
    ForeachEntry,
    LoopEntry,
    MappingEntry,
    ParallelEntry,
    SleepEntry,
    SleepUntilEntry,
)
from mastra_temporal._worker.workflow.completion import Completion
from mastra_temporal._worker.workflow.scope import Progress, Scope, milliseconds_now
from mastra_temporal._worker.workflow.spans import CONDITIONAL, LOOP, NO_SPAN, PARALLEL, SLEEP, RunSpan
from mastra_temporal._worker.workflow.trace import RunTrace

__all__ = ["conclude", "entry_span"]


def entry_span(trace: RunTrace, scope: Scope, progress: Progress, entry: Entry) -> RunSpan:
    """Return the span of an entry. Entries that are a single step or nested workflow get it when that runs."""
    open_span = OPENERS.get(entry.type)
    if open_span is None or not trace.records:
        return NO_SPAN
    return open_span(trace, scope, progress, entry)


def conclude(span: RunSpan, scope: Scope, entry: Entry, completion: Completion) -> None:
    """Record the completion of an entry on its span."""
    if completion.status == "continued_as_new":
        span.move()
    elif entry.type == "mapping":
        span.completion(completion)
    elif entry.type == "loop":
        if completion.status == "success":
            span.output(completion.result)
    elif entry.type in ("sleep", "sleepUntil"):
        span.fail(completion.error)
    else:
        span.block(completion, scope)


def _mapping(trace: RunTrace, scope: Scope, progress: Progress, entry: MappingEntry) -> RunSpan:
    return trace.step(scope, entry.id, progress.input_data, **_display(entry))


def _sleeping(trace: RunTrace, scope: Scope, progress: Progress, entry: SleepEntry | SleepUntilEntry) -> RunSpan:
    return trace.span(scope, SLEEP, _sleep_name(entry), **_sleep(entry))


def _loop(trace: RunTrace, scope: Scope, progress: Progress, entry: LoopEntry | ForeachEntry) -> RunSpan:
    kind = entry.loop_type if isinstance(entry, LoopEntry) else "foreach"
    name = f"loop: '{entry.id or kind}'"
    return trace.span(scope, LOOP, name, input_data=progress.input_data, loop_type=kind, **_identity(entry))


def _parallel(trace: RunTrace, scope: Scope, progress: Progress, entry: ParallelEntry) -> RunSpan:
    if progress.resuming:
        return NO_SPAN  # as in Mastra: the span of a resumed step is directly below that of the run
    count = len(entry.steps)
    return trace.span(
        scope,
        PARALLEL,
        f"parallel: '{entry.id or f'{count} branches'}'",
        input_data=progress.input_data,
        branch_count=count,
        parallel_steps=entry.result_ids,
        **_identity(entry),
    )


def _conditional(trace: RunTrace, scope: Scope, progress: Progress, entry: ConditionalEntry) -> RunSpan:
    if progress.resuming:
        return NO_SPAN
    count = len(entry.steps)
    name = f"conditional: '{entry.id or f'{count} conditions'}'"
    return trace.span(
        scope, CONDITIONAL, name, input_data=progress.input_data, condition_count=count, **_identity(entry)
    )


OPENERS: dict[str, Callable[[RunTrace, Scope, Progress, Any], RunSpan]] = {
    "mapping": _mapping,
    "sleep": _sleeping,
    "sleepUntil": _sleeping,
    "loop": _loop,
    "foreach": _loop,
    "parallel": _parallel,
    "conditional": _conditional,
}
"""The function that opens the span, for each type of entry."""


def _sleep_name(entry: SleepEntry | SleepUntilEntry) -> str:
    if isinstance(entry, SleepEntry):
        return f"sleep: {entry.duration}ms" if entry.duration else "sleep: dynamic"
    return f"sleepUntil: {_iso(entry.date)}" if entry.date else "sleepUntil: dynamic"


def _sleep(entry: SleepEntry | SleepUntilEntry) -> dict[str, Any]:
    kind = {"sleep_type": "fixed" if entry.fn is None else "dynamic", "entry_id": entry.id, **_display(entry)}
    if isinstance(entry, SleepEntry):
        return {"duration_ms": entry.duration, **kind}
    if entry.date is None:
        return kind
    left = round(parse_date(entry.date).timestamp() * 1000) - milliseconds_now()
    return {"until_date": _iso(entry.date), "duration_ms": max(0, left), **kind}


def _iso(date: str) -> str:
    utc = parse_date(date).astimezone(timezone.utc)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def _identity(entry: ParallelEntry | ConditionalEntry | LoopEntry | ForeachEntry) -> dict[str, Any]:
    return {"entry_id": entry.id, **_display(entry)}


def _display(entry: Display) -> dict[str, Any]:
    return {"entry_description": entry.description, "entry_metadata": entry.metadata or None}
