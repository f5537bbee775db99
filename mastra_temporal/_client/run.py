"""`Run`: one run of a workflow, seen from a client. Its calls are inherited; here are those that give its events."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from temporalio.client import Client

from mastra_temporal._client.base import InT, OutT
from mastra_temporal._client.calls import RunCalls
from mastra_temporal._client.resume import StepPath
from mastra_temporal._client.rpc_errors import explained
from mastra_temporal._client.streams.feed import (
    Execution,
    Feed,
    current_execution,
    from_next_execution,
    from_now,
    from_start,
)
from mastra_temporal._client.streams.stream import Watch, WorkflowEvent, WorkflowRunOutput, observed
from mastra_temporal._definition.options import OutputOptions
from mastra_temporal._protocol.results import StepResult, WorkflowResult
from mastra_temporal._tracing.context import TracingContext
from mastra_temporal._tracing.options import TracingOptions
from mastra_temporal.context import RequestContext
from mastra_temporal.errors import RunError, RunNotFoundError

__all__ = ["Run"]


class Run(RunCalls[OutT, InT]):
    """One run. Made by `Workflow.create_run`; the run itself lives in Temporal.

    Mastra's ``Run``: https://mastra.ai/reference/workflows/run
    """

    _streamed: WorkflowRunOutput[OutT] | None = None

    def stream(
        self,
        *,
        input_data: InT | dict[str, Any] | list[Any] | None = None,
        initial_state: Any = None,
        request_context: RequestContext | dict[str, Any] | None = None,
        output_options: OutputOptions | dict[str, Any] | None = None,
        per_step: bool = False,
        close_on_suspend: bool = True,
        tracing_options: TracingOptions | dict[str, Any] | None = None,
        tracing_context: TracingContext | None = None,
    ) -> WorkflowRunOutput[OutT]:
        """Start the run and read what happens in it. Mastra's ``run.stream()``.

        Takes the arguments of `Run.start`; what that would raise, ``await output.result`` raises. A second call on the
        same object gives the same stream.

        Args:
            input_data: See `Run.start`, as for the other arguments.
            initial_state: The workflow's state at the beginning.
            request_context: Values that steps can read and change.
            output_options: Whether the result carries the state and the resume labels.
            per_step: Stop after the first entry, with status ``paused``.
            tracing_options: How the run is traced.
            tracing_context: The span that the run becomes a child of.
            close_on_suspend: Whether the stream ends when the run is suspended. Otherwise it goes on with the events of
                a later resume; ``output.result`` is the suspended one all the same, as in Mastra.
        """
        if self._streamed is None:
            start = functools.partial(
                self.start,
                input_data=input_data,
                initial_state=initial_state,
                request_context=request_context,
                output_options=output_options,
                per_step=per_step,
                tracing_options=tracing_options,
                tracing_context=tracing_context,
            )
            self._streamed = self._output(from_start, start, close_on_suspend=close_on_suspend)
        return self._streamed

    def resume_stream(
        self,
        *,
        step: StepPath | None = None,
        resume_data: Any = None,
        label: str | None = None,
        for_each_index: int | None = None,
        request_context: RequestContext | dict[str, Any] | None = None,
        output_options: OutputOptions | dict[str, Any] | None = None,
        per_step: bool = False,
        tracing_options: TracingOptions | dict[str, Any] | None = None,
        tracing_context: TracingContext | None = None,
    ) -> WorkflowRunOutput[OutT]:
        """Continue a suspended run and read what happens from there on. Mastra's ``run.resumeStream()``.

        Takes the arguments of `Run.resume`; what that would raise, ``await output.result`` raises.
        """
        resume = functools.partial(
            self.resume,
            step=step,
            resume_data=resume_data,
            label=label,
            for_each_index=for_each_index,
            request_context=request_context,
            output_options=output_options,
            per_step=per_step,
            tracing_options=tracing_options,
            tracing_context=tracing_context,
        )
        return self._output(from_now, resume)

    def time_travel_stream(
        self,
        *,
        step: StepPath,
        input_data: Any = None,
        context: dict[str, StepResult | dict[str, Any]] | None = None,
        nested_steps_context: dict[str, dict[str, StepResult | dict[str, Any]]] | None = None,
        resume_data: Any = None,
        initial_state: dict[str, Any] | None = None,
        request_context: RequestContext | dict[str, Any] | None = None,
        output_options: OutputOptions | dict[str, Any] | None = None,
        per_step: bool = False,
        tracing_options: TracingOptions | dict[str, Any] | None = None,
        tracing_context: TracingContext | None = None,
    ) -> WorkflowRunOutput[OutT]:
        """Run again from a step of your choice and read what happens. Mastra's ``run.timeTravelStream()``.

        Takes the arguments of `Run.time_travel`; what that would raise, ``await output.result`` raises. Streams of the
        execution before end with it.
        """
        time_travel = functools.partial(
            self.time_travel,
            step=step,
            input_data=input_data,
            context=context,
            nested_steps_context=nested_steps_context,
            resume_data=resume_data,
            initial_state=initial_state,
            request_context=request_context,
            output_options=output_options,
            per_step=per_step,
            tracing_options=tracing_options,
            tracing_context=tracing_context,
        )
        return self._output(from_next_execution, time_travel)

    async def observe_stream(self, *, from_offset: int = 0) -> AsyncGenerator[WorkflowEvent]:
        """The events of the run, from its first one on however late, to its end. Mastra's ``run.observeStream()``.

        A suspension is an event and not the end. Reading leaves no trace in the run. A reader that broke off continues
        behind the last event it has seen, with ``from_offset=event.offset + 1``. A run that has been started anew, or
        travelled in time, is another stream.

        Raises:
            RunNotFoundError: Temporal has no such run.
            RunError: ``from_offset`` is negative.
        """
        if from_offset < 0:
            raise RunError(f"{self.label}: from_offset counts from 0, got {from_offset}.")
        execution = await self._execution()
        if execution is None:
            raise RunNotFoundError(f"{self.label} was not found: there is nothing to observe.")
        # From one event before: it tells whether the last one has been seen.
        feed = Feed(self.client, self.run_id, execution.first, max(0, from_offset - 1))
        async for event in observed(self.run_id, feed, from_offset, self.fetch_status):
            yield event

    @explained
    async def watch(self, callback: Callable[[WorkflowEvent], object]) -> Watch:
        """Call back with every event of the engine from now on. Mastra's ``run.watch()``.

        What steps write is not among them; `stream` and `observe_stream` have it. The run may be started, resumed,
        restarted or travelled in time by anybody and at any time afterwards.

        Args:
            callback: A function or coroutine function. What it raises is logged.

        Returns:
            Call it to stop: ``await watch()`` returns when everything that has happened so far has been told.
        """
        return Watch(self.run_id, await from_now(self.client, self.run_id), callback)

    @explained
    async def _execution(self) -> Execution | None:
        return await current_execution(self.client, self.run_id)

    def _output(
        self,
        position: Callable[[Client, str], Awaitable[Feed]],
        action: Callable[[], Awaitable[WorkflowResult[OutT]]],
        *,
        close_on_suspend: bool = True,
    ) -> WorkflowRunOutput[OutT]:
        return WorkflowRunOutput(
            run_id=self.run_id,
            workflow_id=self.workflow_id,
            position=functools.partial(position, self.client, self.run_id),
            action=action,
            status=self.fetch_status,
            close_on_suspend=close_on_suspend,
        )
