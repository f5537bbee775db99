"""`Run`: the client's handle on one run of a workflow."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from datetime import datetime, timedelta, timezone
from typing import Any, Generic, Literal

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.exceptions import WorkflowAlreadyStartedError
from typing_extensions import TypeVar, Unpack

from mastra_temporal._client import arguments
from mastra_temporal._client.cancel import cancel
from mastra_temporal._client.handle import RunHandle
from mastra_temporal._client.outcome import present, status_of, wait_for_outcome
from mastra_temporal._client.recovery.queues import warning_when_unattended
from mastra_temporal._client.recovery.restart import restart
from mastra_temporal._client.resume import resume, resume_request
from mastra_temporal._client.rpc_errors import translate_rpc_errors
from mastra_temporal._client.session import Session
from mastra_temporal._client.start import require_same_input, start, start_and_wait, start_envelope
from mastra_temporal._client.step_path import StepPath
from mastra_temporal._client.streams.feed import Feed, from_next_execution, from_now, from_start
from mastra_temporal._client.streams.stream import Watch, WorkflowEvent, WorkflowRunOutput, observe
from mastra_temporal._client.time_travel.travel import time_travel, time_travel_request
from mastra_temporal._definition.options import OutputOptions
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.messages import ResumeRequest
from mastra_temporal._protocol.results import RunStatus, WorkflowResult
from mastra_temporal._tracing.client import call_headers, sending
from mastra_temporal._tracing.context import TracingContext
from mastra_temporal._tracing.options import TracingOptions
from mastra_temporal.context import RequestContext

__all__ = ["Run"]

OutT = TypeVar("OutT")
InT = TypeVar("InT", default=Any, contravariant=True)
"""Type of the workflow's input. ``Run[Receipt]`` accepts any input."""

Input = dict[str, Any] | list[Any] | None


class Run(Generic[OutT, InT]):
    """One run of a workflow. Created by `Workflow.create_run`; all of its state is in Temporal.

    Mastra's ``Run``: https://mastra.ai/reference/workflows/run
    """

    def __init__(self, session: Session, workflow: WorkflowDefinition, *, run_id: str, resource_id: str | None) -> None:
        """Use `Workflow.create_run` instead."""
        self._session, self._workflow = session, workflow
        self.run_id: str = run_id
        """Id of the run, which is Temporal's workflow id."""
        self.workflow_id: str = workflow.id
        self.resource_id: str | None = resource_id
        """Id of the resource (such as a user) that the run belongs to."""
        self.created_at: datetime = datetime.now(timezone.utc)
        """Creation time of this object. The start time of the run is in its record."""
        self.status: RunStatus = "pending"
        """Last status that this object knows. `fetch_status` asks Temporal."""
        self._canceled_before_start = False
        self._is_starting = False
        """Whether a start request is in flight."""
        self._streamed: WorkflowRunOutput[OutT] | None = None

    def __repr__(self) -> str:
        return f"Run(workflow_id={self.workflow_id!r}, run_id={self.run_id!r}, status={self.status!r})"

    @property
    def label(self) -> str:
        """Description of the run for error messages."""
        return self._handle.label

    @property
    def client(self) -> Client:
        """The Temporal client."""
        return self._session.client

    @property
    def serialized_step_graph(self) -> list[dict[str, Any]]:
        """The graph that the run is started with."""
        return self._workflow.serialized_step_graph

    @translate_rpc_errors
    async def start(
        self, *, input_data: InT | Input = None, **options: Unpack[arguments.StartAndWaitOptions]
    ) -> WorkflowResult[OutT]:
        """Start the run and wait until it has ended or is suspended. Mastra's ``run.start()``.

        If the run is open or has succeeded, and its input is equal, join it. If it failed or was canceled, start anew.

        Args:
            input_data: JSON-able data or an instance of the workflow's ``input_schema``.
            options: See `StartAndWaitOptions`.

        Raises:
            SchemaValidationError: An argument does not match its schema; nothing was started.
            SerializationError: An argument cannot be written as JSON; nothing was started.
            RunAlreadyStartedError: The run exists with a different input.
            RunRefusedError: ``on_start`` raised; no step ran.
        """
        call = arguments.accept(self.label, options, arguments.StartAndWaitOptions, "start", "input_data")
        envelope = start_envelope(self._handle, call.headers, input_data, options, canceled=self._canceled_before_start)
        with sending(call.headers), self._starting():
            try:
                result = await start_and_wait(self._handle, envelope, started=self._started)
            except WorkflowAlreadyStartedError:
                await require_same_input(self._handle, envelope)
                result = await self._handle.outcome()
        return self._result(result, call.output)

    @translate_rpc_errors
    async def start_async(self, *, input_data: InT | Input = None, **options: Unpack[arguments.StartOptions]) -> str:
        """Start the run and return its id without waiting for the outcome. Mastra's ``run.startAsync()``.

        Takes the arguments of `start` and raises the same errors, except those that occur only while the run executes.
        """
        call = arguments.accept(self.label, options, arguments.StartOptions, "start_async", "input_data")
        envelope = start_envelope(self._handle, call.headers, input_data, options, canceled=self._canceled_before_start)
        with sending(call.headers), self._starting():
            try:
                await start(self._handle, envelope)
            except WorkflowAlreadyStartedError:
                await require_same_input(self._handle, envelope)
        self.status = "running"
        return self.run_id

    def stream(
        self,
        *,
        input_data: InT | Input = None,
        close_on_suspend: bool = True,
        **options: Unpack[arguments.StartAndWaitOptions],
    ) -> WorkflowRunOutput[OutT]:
        """Start the run and return the stream of its events. Mastra's ``run.stream()``.

        Takes the arguments of `start`; ``await output.result`` raises its errors. Another call returns the same stream.

        Args:
            input_data: See `start`.
            close_on_suspend: Whether the stream ends when the run is suspended. If False, it continues with the events
                of a later resume. ``output.result`` is the suspended result in both cases, as in Mastra.
            options: See `StartAndWaitOptions`.
        """
        arguments.accept(self.label, options, arguments.StartAndWaitOptions, "stream", "input_data")
        if self._streamed is None:
            action = functools.partial(self.start, input_data=input_data, **options)
            self._streamed = self._output(from_start, action, close_on_suspend=close_on_suspend)
        return self._streamed

    @translate_rpc_errors
    async def cancel(self) -> Literal["accepted", "already_finished"]:
        """Cancel the run. Mastra's ``run.cancel()``.

        Sleeps end at once. Running steps get their abort signal, and their results are kept. No further step starts.
        The run ends as Cancelled. It does not wait for a step whose worker is gone. Returns ``already_finished``
        without any change if the run has ended.
        """
        description = await self._describe()
        # A start is in flight: cancel the run once it exists. Without this wait, it would start and not be canceled.
        if description is None and self._is_starting:
            description = await self._handle.describe_when_started()
        if description is None:
            self._canceled_before_start = True
            self.status = "canceled"
            return "accepted"
        if description.status != WorkflowExecutionStatus.RUNNING:
            return "already_finished"
        await cancel(self.client, self.run_id)
        self.status = "canceled"
        return "accepted"

    @translate_rpc_errors
    async def resume(
        self, *, resume_data: Any = None, **options: Unpack[arguments.ResumeAndWaitOptions]
    ) -> WorkflowResult[OutT]:
        """Continue a suspended run and wait until it has ended or is suspended again. Mastra's ``run.resume()``.

        Without ``step`` or ``label``, resume the only suspended step. In a foreach, all suspended items get the data
        unless an index is given. A resume that is refused changes nothing.

        Args:
            resume_data: JSON-able data for the step's ``ctx.resume_data``, checked against its ``resume_schema``.
            options: See `ResumeAndWaitOptions`.

        Raises:
            RunNotSuspendedError: Nothing is suspended, or several steps are; the message lists them.
            ResumeAlreadyClaimedError: Another caller has resumed this suspension.
            SchemaValidationError: The data do not match the step's ``resume_schema``.
            RunNotFoundError: Temporal has no such run.
        """
        call = arguments.accept(self.label, options, arguments.ResumeAndWaitOptions, "resume", "resume_data")
        request = resume_request(self._handle, resume_data, options)
        with sending(call.headers):
            async with warning_when_unattended(self.client, self.run_id, what="resume"):
                resume_count = await self._resume(request)
                result = await wait_for_outcome(self.client, self.run_id, resume_count)
        return self._result(result, call.output)

    @translate_rpc_errors
    async def resume_async(self, *, resume_data: Any = None, **options: Unpack[arguments.ResumeOptions]) -> str:
        """Continue a suspended run and return its id without waiting. Mastra's ``run.resumeAsync()``.

        Takes the arguments of `resume`, except ``output_options``, and raises the same errors.
        """
        call = arguments.accept(self.label, options, arguments.ResumeOptions, "resume_async", "resume_data")
        request = resume_request(self._handle, resume_data, options)
        with sending(call.headers):
            async with warning_when_unattended(self.client, self.run_id, what="resume"):
                await self._resume(request)
        return self.run_id

    def resume_stream(
        self, *, resume_data: Any = None, **options: Unpack[arguments.ResumeAndWaitOptions]
    ) -> WorkflowRunOutput[OutT]:
        """Continue a suspended run and return the stream of its further events. Mastra's ``run.resumeStream()``.

        Takes the arguments of `resume`. ``await output.result`` raises the errors of `resume`.
        """
        arguments.accept(self.label, options, arguments.ResumeAndWaitOptions, "resume_stream", "resume_data")
        return self._output(from_now, functools.partial(self.resume, resume_data=resume_data, **options))

    @translate_rpc_errors
    async def time_travel(
        self, *, step: StepPath, **options: Unpack[arguments.TimeTravelOptions]
    ) -> WorkflowResult[OutT]:
        """Run again from a given step, with the results recorded before it. Mastra's ``run.timeTravel()``.

        Starts a new execution with the same run id. The previous one stays readable in Temporal; if it is suspended or
        sleeping, a worker ends it, and it cannot be resumed any more. Also continues runs started with ``per_step``.

        Args:
            step: The step: its id, a step, or the path to one inside nested workflows. ``<id>[<index>]`` is one item
                of a foreach; only that item runs.
            options: See `TimeTravelOptions`.

        Raises:
            TimeTravelError: The step does not exist, a step before it was not recorded, nothing is suspended for the
                ``resume_data``, the run is running, or another caller was first (`TimeTravelConflictError`).
            SchemaValidationError: The data do not match the step's schema. Neither of these errors changes the run.
        """
        call = arguments.accept(self.label, options, arguments.TimeTravelOptions, "time_travel", "step")
        request = time_travel_request(self._handle, step, options)
        with sending(call.headers):
            resume_count = await time_travel(
                self._handle,
                await self._describe(),
                request,
                request_context=self._handle.request_context(options.get("request_context")),
                per_step=options.get("per_step", False),
            )
            self.status = "running"
            return self._result(await wait_for_outcome(self.client, self.run_id, resume_count), call.output)

    def time_travel_stream(
        self, *, step: StepPath, **options: Unpack[arguments.TimeTravelOptions]
    ) -> WorkflowRunOutput[OutT]:
        """Run again from a given step and return the stream of events. Mastra's ``run.timeTravelStream()``.

        Takes the arguments of `time_travel`. ``await output.result`` raises the errors of `time_travel`. Streams of
        the previous execution end with it.
        """
        arguments.accept(self.label, options, arguments.TimeTravelOptions, "time_travel_stream", "step")
        return self._output(from_next_execution, functools.partial(self.time_travel, step=step, **options))

    @translate_rpc_errors
    async def restart(
        self,
        *,
        request_context: RequestContext | dict[str, Any] | None = None,
        force: bool = False,
        timeout: timedelta | None = None,
        tracing_options: TracingOptions | dict[str, Any] | None = None,
        tracing_context: TracingContext | None = None,
    ) -> WorkflowResult[OutT]:
        """Continue a run that lost its worker from its recorded history. Mastra's ``run.restart()``.

        Finished steps never run again. Active steps are scheduled again if their workers are gone; otherwise the run
        is joined. If the run has ended, return its stored result.

        Args:
            request_context: Values that override the recorded ones in every step that is scheduled afterwards.
            force: Schedule the active steps again at once, without checking whether their workers are alive. A worker
                that is alive gets an abort signal.
            timeout: How long to wait for a worker and for the result. Without a worker a warning names the task queue.
            tracing_options: Tracing options for every step that is scheduled afterwards.
            tracing_context: A span to link the restarted part to; by default the current OpenTelemetry span.

        Raises:
            RunNotActiveError: The run was never started, or is suspended, canceled or paused.
            RunNotFoundError: Temporal has no such run.
            asyncio.TimeoutError: The run did not end in time. It continues.
        """
        result = await restart(
            self._handle,
            known=self._is_known,
            request_context=self._handle.request_context(request_context),
            headers=call_headers(tracing_options, tracing_context, owner=self.label),
            force=force,
            timeout=timeout,
        )
        return self._result(result, OutputOptions(include_state=True))

    @translate_rpc_errors
    async def join(self) -> WorkflowResult[OutT]:
        """Wait until the run has ended or is suspended, without changing it."""
        await self._describe()
        return self._result(await self._handle.outcome(), OutputOptions(include_state=True))

    @translate_rpc_errors
    async def fetch_status(self) -> RunStatus:
        """Return the run's status from Temporal, or ``pending`` if Temporal has no such run."""
        description = await self._describe()
        if description is None:
            self.status = "canceled" if self._canceled_before_start else "pending"
        else:
            self.status = await status_of(self.client, description)
        return self.status

    async def observe_stream(self, *, from_offset: int = 0, follow: bool = True) -> AsyncGenerator[WorkflowEvent]:
        """Yield all events of the run from its first to its last one. Mastra's ``run.observeStream()``.

        Can be called at any time. A suspension does not end the stream. To continue after the last event seen, pass
        ``from_offset=event.offset + 1``. A run that was started anew or has time travelled has a new stream.
        Without ``follow`` the stream ends after the events that exist.

        Raises:
            RunNotFoundError: Temporal has no such run.
            RunError: ``from_offset`` is negative.
        """
        async for event in observe(self._handle, from_offset, self.fetch_status, follow=follow):
            yield event

    @translate_rpc_errors
    async def watch(self, callback: Callable[[WorkflowEvent], object]) -> Watch:
        """Call a function for every engine event from now on. Mastra's ``run.watch()``.

        Data written by steps is not included. The run may be started, resumed, restarted or time travelled afterwards.

        Args:
            callback: A function or coroutine function. Its exceptions are logged.

        Returns:
            A watch: ``await watch()`` stops it, after the callback has received all events that happened so far.
        """
        return Watch(self.run_id, await from_now(self.client, self.run_id), callback)

    @property
    def _handle(self) -> RunHandle:
        return RunHandle(self._session, self._workflow, self.run_id, self.resource_id)

    @property
    def _is_known(self) -> bool:
        return self.status not in ("pending", "canceled")

    async def _describe(self) -> WorkflowExecutionDescription | None:
        return await self._handle.describe(known=self._is_known)

    @contextlib.contextmanager
    def _starting(self) -> Generator[None]:
        self._is_starting = True
        try:
            yield
        finally:
            self._is_starting = False

    def _started(self) -> None:
        self.status = "running"

    async def _resume(self, request: ResumeRequest) -> int:
        resuming = resume(self._handle, request, known=self._is_known, canceled=self._canceled_before_start)
        resume_count = await resuming
        self.status = "running"
        return resume_count

    def _result(self, result: WorkflowResult[Any], options: OutputOptions) -> WorkflowResult[OutT]:
        self.status = result.status
        return present(result, self._workflow.output_schema, options)

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
