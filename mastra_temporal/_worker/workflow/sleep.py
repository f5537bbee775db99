"""Executes ``.sleep()`` and ``.sleep_until()`` with durable timers, which keep their deadline across crashes."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import Any

from temporalio import workflow

from mastra_temporal._data.dates import parse_date
from mastra_temporal._protocol.graph import SleepEntry, SleepUntilEntry
from mastra_temporal._protocol.results import ErrorInfo, StepResult
from mastra_temporal._worker.workflow.completion import Completion
from mastra_temporal._worker.workflow.engine import Engine
from mastra_temporal._worker.workflow.events import told
from mastra_temporal._worker.workflow.function_calls import call_function
from mastra_temporal._worker.workflow.history_size import TIMER
from mastra_temporal._worker.workflow.scope import Progress, Scope, milliseconds_now
from mastra_temporal._worker.workflow.spans import here

__all__ = ["execute"]

SHOWN_SLEEP = 60_000
"""Milliseconds. A shorter sleep does not set the search attribute to ``waiting``, which costs two history events."""

LONGEST = 100 * 365 * 24 * 3_600_000
"""The longest sleep in milliseconds: one hundred years."""


async def execute(engine: Engine, scope: Scope, progress: Progress, entry: SleepEntry | SleepUntilEntry) -> Completion:
    """Sleep until the deadline, or until the run is canceled or continues as new. The output is the input."""
    started_at = milliseconds_now()
    result = StepResult(status="waiting", payload=progress.input_data, started_at=started_at)
    if progress.deadline is not None:
        result = scope.steps[entry.id]
    scope.steps[entry.id] = result
    path = ".".join((*scope.path, entry.id))
    engine.reporter.shown.step(path, result)
    events = engine.reporter.events.of(scope, entry.id)
    if progress.deadline is None:
        events.publish("workflow-step-waiting", told(result))
        scope.step_execution_path.append(entry.id)
        progress.deadline, error = await _deadline(engine, scope, progress, entry, started_at)
        if error is not None:
            scope.steps[entry.id] = result = result.model_copy(
                update={"status": "failed", "error": error, "ended_at": milliseconds_now()}
            )
            events.ended(result)
            return Completion("failed", error=error)
    if entry.fn is not None:
        here().note(duration_ms=max(0, progress.deadline - started_at))
    await _sleep(engine, entry.id, progress.deadline - milliseconds_now())
    await engine.hold()
    if engine.run.aborted:
        return Completion("canceled")
    # The sleep ended before its deadline, so the run continues as new. The deadline is in the snapshot, and the next
    # execution sleeps only for the rest.
    if progress.deadline > milliseconds_now():
        return Completion("continued_as_new")
    ended: dict[str, Any] = {"status": "success", "output": progress.input_data, "ended_at": milliseconds_now()}
    scope.steps[entry.id] = result = result.model_copy(update=ended)
    engine.reporter.shown.step(path, result)
    events.publish("workflow-step-result", {"status": "success", "output": result.output, "endedAt": result.ended_at})
    return Completion("success", output=progress.input_data, result=progress.input_data)


async def _sleep(engine: Engine, entry_id: str, milliseconds: int) -> None:
    if milliseconds <= 0:
        return
    engine.run.sleeping += 1
    if milliseconds >= SHOWN_SLEEP and not engine.attempts.any_in_flight:
        engine.reporter.shown.status("waiting")
    engine.attempts.history.add(TIMER)
    try:
        await workflow.wait_condition(
            lambda: engine.run.aborted or engine.run.continuing_as_new,
            timeout=timedelta(milliseconds=milliseconds),
            timeout_summary=entry_id,
        )
    except asyncio.TimeoutError:
        pass
    finally:
        engine.run.sleeping -= 1
    if not engine.run.aborted:
        engine.reporter.shown.status("running")


async def _deadline(
    engine: Engine, scope: Scope, progress: Progress, entry: SleepEntry | SleepUntilEntry, now: int
) -> tuple[int, ErrorInfo | None]:
    """Return the deadline in milliseconds since the epoch, or an error."""
    value: Any = entry.duration if isinstance(entry, SleepEntry) else entry.date
    if entry.function is not None:
        outcome = await call_function(engine, scope, entry.function, progress.input_data)
        if outcome.error is not None:
            return now, outcome.error
        value = outcome.value
    if isinstance(entry, SleepEntry):
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        deadline = now + round(value) if number else now
    else:
        deadline = _milliseconds_of(value) if isinstance(value, str) else now
    if deadline is None or deadline - now > LONGEST:
        return now, _no_time(scope, entry.id, value)
    return deadline, None


def _milliseconds_of(date: str) -> int | None:
    try:
        return round(parse_date(date).timestamp() * 1000)
    except ValueError:
        return None


def _no_time(scope: Scope, entry_id: str, value: Any) -> ErrorInfo:
    return {
        "name": "Error",
        "message": f"`{entry_id}` of workflow `{scope.workflow_id}` cannot wait for {str(value)[:100]!r}: "
        "give milliseconds or a date, within the next hundred years.",
    }
