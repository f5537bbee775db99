"""Reports the execution of bodies to the Temporal UI, the stream of the run, its trace and the metrics."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any

from mastra_temporal._protocol.graph import NestedEntry, StepEntry
from mastra_temporal._protocol.results import StepResult
from mastra_temporal._worker.workflow.attempts import Attempts
from mastra_temporal._worker.workflow.events import Events, StepEvents
from mastra_temporal._worker.workflow.invocation import Invocation, Resumption
from mastra_temporal._worker.workflow.metrics import measure_step
from mastra_temporal._worker.workflow.scope import Progress, Scope, milliseconds_now
from mastra_temporal._worker.workflow.suspension import resumed
from mastra_temporal._worker.workflow.trace import RunTrace
from mastra_temporal._worker.workflow.ui_details import UiDetails

__all__ = ["Reporter"]


class Reporter:
    """Reports what the interpreter executes. The reports of bodies create no commands and change no decisions."""

    def __init__(self, attempts: Attempts, trace: RunTrace, shown: UiDetails, events: Events) -> None:
        """Create the reporter of one run."""
        self.trace = trace
        self.shown = shown
        self.events = events
        self._attempts = attempts

    @contextlib.contextmanager
    def body(
        self,
        scope: Scope,
        progress: Progress,
        body: StepEntry | NestedEntry,
        invocation: Invocation,
        input_data: Any,
        resume: Resumption | None,
    ) -> Generator[Callable[[StepResult], None]]:
        """Report a body while the block runs. The block calls the yielded function with the result of the body."""
        step_id = body.body_id
        path, name = (".".join((*scope.path, part(step_id))) for part in (invocation.path, invocation.key))
        before = self._attempts.scheduled(name)
        self.shown.step(path, scope.active[invocation.key(step_id)])
        events = self._started(scope, progress, step_id, invocation, input_data, resume)
        with self.trace.step(scope, step_id, input_data, execution=invocation.path(step_id)) as span:

            def ended(result: StepResult) -> None:
                span.result(result)
                measure_step(scope.workflow_id, step_id, result)
                self.shown.step(path, result, self._attempts.scheduled(name) - before)
                events.ended(result)

            yield ended

    def _started(
        self,
        scope: Scope,
        progress: Progress,
        step_id: str,
        invocation: Invocation,
        input_data: Any,
        resume: Resumption | None,
    ) -> StepEvents:
        if invocation.index is not None:
            return self.events.none()  # the progress events of the foreach report its items
        result = StepResult(status="running", payload=input_data, started_at=milliseconds_now())
        if resume is not None:
            result = resumed(resume.prior, resume.data)
        if invocation.iteration is not None:
            result = result.model_copy(update={"metadata": {"iterationCount": invocation.iteration}})
        return self.events.started(scope, progress, step_id, result)
