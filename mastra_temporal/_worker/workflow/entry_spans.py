"""The span of each kind of entry: names and attributes as in Mastra."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from mastra_temporal._protocol.graph import (
    ConditionalEntry,
    Display,
    Entry,
    ForeachEntry,
    LoopEntry,
    MappingEntry,
    NestedEntry,
    ParallelEntry,
    SleepEntry,
    SleepUntilEntry,
    StepEntry,
    body_id,
)
from mastra_temporal._worker.workflow.completion import Ending
from mastra_temporal._worker.workflow.scope import Progress, Scope, milliseconds_now
from mastra_temporal._worker.workflow.spans import CONDITIONAL, LOOP, NO_SPAN, PARALLEL, SLEEP, RunSpan
from mastra_temporal._worker.workflow.trace import RunTrace

__all__ = ["conclude", "entry_span"]


def entry_span(trace: RunTrace, scope: Scope, progress: Progress, entry: Entry) -> RunSpan:
    """The span of an entry that is more than one step; steps have theirs wherever they are."""
    if not trace.records or isinstance(entry, (StepEntry, NestedEntry)):
        return NO_SPAN
    if isinstance(entry, MappingEntry):
        return trace.step(scope, entry.id, progress.input_data, **_display(entry))
    if isinstance(entry, (SleepEntry, SleepUntilEntry)):
        return trace.span(scope, SLEEP, _sleep_name(entry), **_sleep(entry))
    if isinstance(entry, LoopEntry):
        name = entry.id or entry.loop_type
        return trace.span(
            scope,
            LOOP,
            f"loop: '{name}'",
            input_data=progress.input_data,
            loop_type=entry.loop_type,
            **_identity(entry),
        )
    if isinstance(entry, ForeachEntry):
        name = entry.id or "foreach"
        return trace.span(
            scope, LOOP, f"loop: '{name}'", input_data=progress.input_data, loop_type="foreach", **_identity(entry)
        )
    if progress.resuming:
        return NO_SPAN  # as in Mastra, where the resumed step is directly below the run
    return _together(trace, scope, progress, entry)


def conclude(span: RunSpan, scope: Scope, entry: Entry, ending: Ending) -> None:
    """Record how an entry ended."""
    if ending.status == "moved":
        span.move()
    elif isinstance(entry, MappingEntry):
        span.ending(ending)
    elif isinstance(entry, LoopEntry):
        if ending.status == "success":
            span.output(ending.result)
    elif isinstance(entry, (SleepEntry, SleepUntilEntry)):
        span.fail(ending.error)
    else:
        span.block(ending, scope)


def _together(trace: RunTrace, scope: Scope, progress: Progress, entry: ParallelEntry | ConditionalEntry) -> RunSpan:
    count = len(entry.steps)
    if isinstance(entry, ParallelEntry):
        return trace.span(
            scope,
            PARALLEL,
            f"parallel: '{entry.id or f'{count} branches'}'",
            input_data=progress.input_data,
            branch_count=count,
            parallel_steps=[body_id(body) for body in entry.steps],
            **_identity(entry),
        )
    return trace.span(
        scope,
        CONDITIONAL,
        f"conditional: '{entry.id or f'{count} conditions'}'",
        input_data=progress.input_data,
        condition_count=count,
        **_identity(entry),
    )


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
    left = round(_parsed(entry.date).timestamp() * 1000) - milliseconds_now()
    return {"until_date": _iso(entry.date), "duration_ms": max(0, left), **kind}


def _iso(date: str) -> str:
    utc = _parsed(date).astimezone(timezone.utc)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def _parsed(date: str) -> datetime:
    parsed = datetime.fromisoformat(date.replace("Z", "+00:00"))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


def _identity(entry: ParallelEntry | ConditionalEntry | LoopEntry | ForeachEntry) -> dict[str, Any]:
    return {"entry_id": entry.id, **_display(entry)}


def _display(entry: Display) -> dict[str, Any]:
    return {"entry_description": entry.description, "entry_metadata": entry.metadata or None}
