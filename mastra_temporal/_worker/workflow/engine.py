"""The engine that every entry handler uses: it runs bodies, cancels the run and decides when to continue as new."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow

from mastra_temporal._protocol.graph import Entry, NestedEntry, StepEntry
from mastra_temporal._protocol.results import ErrorInfo, StepResult
from mastra_temporal._worker.workflow.attempts import Attempts
from mastra_temporal._worker.workflow.completion import Completion
from mastra_temporal._worker.workflow.invocation import Invocation, Resumption
from mastra_temporal._worker.workflow.reporter import Reporter
from mastra_temporal._worker.workflow.scope import Progress, RunState, Scope, milliseconds_now
from mastra_temporal._worker.workflow.takeover import Takeover
from mastra_temporal.errors import HistoryTooLargeError

__all__ = ["Engine", "settle_bail", "unfinished"]

ONLY_ONCE = Invocation()
"""The invocation of a body that is neither in a loop nor in a foreach."""


@dataclass
class Engine:
    """One run while it is executed, with the functions that execute each kind of body."""

    run: RunState
    attempts: Attempts
    takeover: Takeover
    reporter: Reporter
    walk: Callable[[Engine, Scope, list[Entry]], Awaitable[Completion]]
    """Executes a workflow from the position of its scope. Nested workflows call it again."""
    step: Callable[[Engine, Scope, StepEntry, Invocation, Any, Resumption | None], Awaitable[StepResult]]
    nested: Callable[[Engine, Scope, Progress, NestedEntry, Invocation, Any, Resumption | None], Awaitable[StepResult]]

    def abort(self) -> None:
        """Cancel the run: nothing further starts, and steps in flight get their abort signal."""
        self.run.aborted = True
        self.attempts.abort()

    def should_continue_as_new(self) -> bool:
        """Return whether nothing further may start in this execution, because the run is about to continue as new."""
        # The decision is kept: steps in flight end over several workflow tasks, and all branches must stop in the same
        # execution. It depends on our own count of the history only, which is the same on every replay.
        if self.attempts.history.is_long and not self.run.aborted and self.run.too_large_to_continue is None:
            self.run.continuing_as_new = True
        return self.run.continuing_as_new

    def exhausted(self) -> ErrorInfo | None:
        """Return an error if nothing further may start, because the server would terminate the run for its size."""
        history = self.attempts.history
        if not history.is_full:
            return None
        return {
            "name": HistoryTooLargeError.wire_name,
            "message": f"The history of run `{self.run.run_id}` has about {history.events:,} events and "
            f"{history.bytes:,} bytes. Temporal terminates a run with 51,200 events or 50 MB. It could not go on in a "
            f"new execution: {self.run.too_large_to_continue or 'too much was started at once'}.",
        }

    async def delay_retry(self, scope: Scope, body: str) -> bool:
        """Wait before a nested workflow or a mapping is tried again.

        Returns:
            Whether to try again. False if the run was canceled meanwhile.
        """
        if scope.plan.retry_delay:
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda: self.run.aborted,
                    timeout=timedelta(milliseconds=scope.plan.retry_delay),
                    timeout_summary=f"retry {body}",
                )
        await self.hold()
        return not self.run.aborted

    async def hold(self) -> None:
        """Block for good if the run is traveling in time. The start of its next execution terminates this one."""
        # Without this, steps could start between the accepted update and the termination, and run in both executions.
        if self.run.traveling:
            await workflow.wait_condition(lambda: not self.run.traveling)

    async def run_body(
        self,
        scope: Scope,
        progress: Progress,
        body: StepEntry | NestedEntry,
        input_data: object,
        invocation: Invocation = ONLY_ONCE,
    ) -> StepResult:
        """Run the step or nested workflow of an entry, unless the entry already has its result."""
        key = invocation.key(body.body_id)
        result = progress.results.get(key)
        if result is None or unfinished(result) or key in progress.resuming:
            resume = _resumption(scope, progress, key, result, input_data)
            scope.active[key] = _running(result, input_data)
            with self.reporter.body(scope, progress, body, invocation, input_data, resume) as ended:
                exhausted = self.exhausted()
                if exhausted is not None:
                    result = _failed(scope.active[key], exhausted)
                elif isinstance(body, StepEntry):
                    result = await self.step(self, scope, body, invocation, input_data, resume)
                else:
                    result = await self.nested(self, scope, progress, body, invocation, input_data, resume)
                if invocation.iteration is not None:
                    result = _of_iteration(result, invocation.iteration, scope.steps.get(body.body_id))
                ended(result)
            del scope.active[key]
            progress.results[key] = result
            # Remove the resume data only now: if Temporal closes the execution while the step runs, the next execution
            # needs it. Removed earlier, the step would run without its data and suspend a second time.
            progress.resuming.pop(key, None)
            scope.answers.pop(key, None)
        if invocation.index is None:
            scope.steps[body.body_id] = result
        return result


def _resumption(
    scope: Scope, progress: Progress, key: str, result: StepResult | None, input_data: Any
) -> Resumption | None:
    if result is not None and key in progress.resuming:
        return Resumption(result, progress.resuming[key])
    if key in scope.answers:
        return Resumption(scope.steps[key].model_copy(update={"payload": input_data}), scope.answers[key])
    return None


def _of_iteration(result: StepResult, iteration: int, before: StepResult | None) -> StepResult:
    """Return the result of one iteration. Resume data stays visible in the iterations that follow, as in Mastra."""
    update: dict[str, Any] = {"metadata": {"iterationCount": iteration}}
    if result.resumed_at is None and before is not None and before.resumed_at is not None:
        update |= {"resume_payload": before.resume_payload, "resumed_at": before.resumed_at}
    return result.model_copy(update=update)


def settle_bail(engine: Engine, scope: Scope, step_id: str) -> None:
    """Set the result of a step that ended its workflow with ``bail()`` to ``success``.

    In parallel and branch, and in a canceled run, it stays ``bailed``, because it did not end the workflow.
    """
    result = scope.steps[step_id]
    if result.status == "bailed" and not engine.run.aborted:
        scope.steps[step_id] = result.model_copy(update={"status": "success"})


def _running(before: StepResult | None, input_data: object) -> StepResult:
    if before is not None:  # it is resumed
        return before.model_copy(update={"status": "running"})
    return StepResult(status="running", payload=input_data, started_at=milliseconds_now())


def _failed(running: StepResult, error: ErrorInfo) -> StepResult:
    ended = {"status": "failed", "error": error, "ended_at": milliseconds_now(), "non_retryable": True}
    return running.model_copy(update=ended)


def unfinished(result: StepResult) -> bool:
    """Return whether a body with this result has not finished yet."""
    return result.status in ("running", "paused")
