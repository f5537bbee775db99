"""What can be done with a run: start, cancel, resume, time travel, restart."""

# pyright: reportUnknownMemberType=false
# Some of the SDK's overloads are not fully typed.

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from temporalio.client import (
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.base import FIRST_START, BaseRun, InT, OutT
from mastra_temporal._client.busy import is_busy, unhurried
from mastra_temporal._client.outcome import closed_result, outcome_of_start, wait_for_outcome
from mastra_temporal._client.records.description import is_no_such_run
from mastra_temporal._client.records.open_status import open_status
from mastra_temporal._client.recovery.queues import warning_when_unattended
from mastra_temporal._client.recovery.reopen import is_closed_by_temporal, reopen
from mastra_temporal._client.recovery.reschedule import release, reviving
from mastra_temporal._client.replay import RecordedRun, recorded_run
from mastra_temporal._client.resume import StepPath, path_of, resume
from mastra_temporal._client.rpc_errors import explained
from mastra_temporal._client.time_travel.next_execution import depart
from mastra_temporal._client.time_travel.plan import Journey, step_contexts, travel
from mastra_temporal._client.waiting import waiting
from mastra_temporal._data.gate import to_json
from mastra_temporal._data.options import parse_options
from mastra_temporal._definition.options import OutputOptions
from mastra_temporal._definition.validation import admit_resume_data, admit_step_input
from mastra_temporal._protocol.messages import OutcomeReply, ResumeRequest
from mastra_temporal._protocol.names import NOT_SUSPENDED, UPDATE_OUTCOME, outcome_update_id
from mastra_temporal._protocol.results import RunStatus, StepResult, WorkflowResult
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._protocol.time_travel import TravelRequest
from mastra_temporal._tracing.client import traced
from mastra_temporal._tracing.context import TracingContext
from mastra_temporal._tracing.options import TracingOptions
from mastra_temporal.context import RequestContext
from mastra_temporal.errors import (
    RunAlreadyStartedError,
    RunError,
    RunNotActiveError,
    RunNotFoundError,
    RunNotSuspendedError,
    TimeTravelError,
)

if TYPE_CHECKING:
    pass

__all__ = ["RunCalls"]


NOT_ACTIVE = "This workflow run was not active"
START_POLL_SECONDS = 0.02
PATIENCE_SECONDS = 5
"""How long `Run.cancel` waits for what it does not depend on."""


@contextlib.contextmanager
def _ended_meanwhile() -> Generator[None, None, None]:
    """What follows is for open runs; one that has ended in the meantime needs nothing."""
    try:
        yield
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise


class RunCalls(BaseRun[OutT, InT]):
    """The part of `Run` that changes what the run does."""

    @explained
    @traced
    async def start(
        self,
        *,
        input_data: InT | dict[str, Any] | list[Any] | None = None,
        initial_state: Any = None,
        request_context: RequestContext | dict[str, Any] | None = None,
        output_options: OutputOptions | dict[str, Any] | None = None,
        per_step: bool = False,
        tracing_options: TracingOptions | dict[str, Any] | None = None,
        tracing_context: TracingContext | None = None,
    ) -> WorkflowResult[OutT]:
        """Start the run and wait until it has ended or is suspended. Mastra's ``run.start()``.

        A run that is live or has succeeded with an equal input is joined, never run twice. One that failed or was
        canceled is started anew.

        Args:
            input_data: JSON-able data or an instance of the workflow's ``input_schema``.
            initial_state: The workflow's state at the beginning.
            request_context: Values that steps can read and change.
            output_options: Whether the result carries the state and the resume labels.
            per_step: Stop after the first entry, with status ``paused``.
            tracing_options: How the run is traced. They travel as a Temporal header.
            tracing_context: The span that the run becomes a child of; by default the current OpenTelemetry span.

        Raises:
            SchemaValidationError: Something does not match its schema; nothing was started.
            SerializationError: The tracing options' metadata cannot be written as JSON; nothing was started.
            RunAlreadyStartedError: The run exists with another input.
            RunRefusedError: ``on_start`` raised; no step ran.
        """
        options = parse_options(OutputOptions, output_options, owner=f"workflow `{self.workflow_id}`")
        envelope = self._envelope(input_data, initial_state, request_context, per_step)
        try:
            places, result = waiting(self.client).outcomes, None
            if places.any_free and await places.take():
                try:
                    result = await self._start_and_wait(envelope)
                finally:
                    places.give_back()
            else:
                await self._start(envelope)
            return self._shown(result or await wait_for_outcome(self.client, self.run_id, 0), options)
        except WorkflowAlreadyStartedError:
            await self._require_same_input(envelope)
            return self._shown(await self._outcome(), options)

    @explained
    @traced
    async def start_async(
        self,
        *,
        input_data: InT | dict[str, Any] | list[Any] | None = None,
        initial_state: Any = None,
        request_context: RequestContext | dict[str, Any] | None = None,
        per_step: bool = False,
        tracing_options: TracingOptions | dict[str, Any] | None = None,
        tracing_context: TracingContext | None = None,
    ) -> str:
        """Start the run and return its id at once. Mastra's ``run.startAsync()``.

        Takes the arguments of `start` and raises the same errors, as far as they are known at once.
        """
        envelope = self._envelope(input_data, initial_state, request_context, per_step)
        try:
            await self._start(envelope)
        except WorkflowAlreadyStartedError:
            await self._require_same_input(envelope)
            self.status = "running"
        return self.run_id

    @explained
    async def cancel(self) -> Literal["accepted", "already_finished"]:
        """Cancel the run. Mastra's ``run.cancel()``.

        Sleeps wake at once, steps under way get their abort signal and keep their results, nothing further is started.
        The run ends as Cancelled. A step whose worker is gone does not hold it up.

        Returns:
            ``already_finished`` when the run had ended before; then nothing changes.
        """
        description = await self._describe()
        if description is None and self._starting:
            description = await self._describe_when_started()
        if description is None:
            self._canceled_before_start, self.status = True, "canceled"
            return "accepted"
        if description.status != WorkflowExecutionStatus.RUNNING:
            return "already_finished"
        with _ended_meanwhile():
            await self.client.get_workflow_handle(self.run_id).cancel()
        self.status = "canceled"
        # With no worker at all nobody can answer now; the next worker ends the run.
        with _ended_meanwhile(), contextlib.suppress(asyncio.TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            await asyncio.wait_for(release(self.client, self.run_id), PATIENCE_SECONDS)
        return "accepted"

    @explained
    @traced
    async def resume(
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
    ) -> WorkflowResult[OutT]:
        """Continue a suspended run and wait until it has ended or is suspended again. Mastra's ``run.resume()``.

        Without ``step`` or ``label`` the one suspended step is meant; all suspended items of one foreach get the data,
        unless an index is given. A resume that is refused leaves the run exactly as it was.

        Args:
            step: The suspended step: its id, a step, or the path to one inside nested workflows, as a list or dotted.
                An item of a foreach is ``<id>[<index>]``.
            resume_data: JSON-able data for the step's ``ctx.resume_data``, checked against its ``resume_schema``.
            label: A label that the step gave to its suspension, instead of ``step``.
            for_each_index: The item of a foreach, counting from 0.
            request_context: Values that win over the recorded ones.
            output_options: Whether the result carries the state and the resume labels.
            per_step: Stop after the entry that is resumed, with status ``paused``.
            tracing_options: How the run is traced from here on.
            tracing_context: A span to link the run's new span to; by default the current OpenTelemetry span.

        Raises:
            RunNotSuspendedError: There is nothing to resume, or it is not clear what: the message lists it.
            ResumeAlreadyClaimedError: Somebody else has resumed this suspension.
            SchemaValidationError: The data do not match the step's ``resume_schema``.
            RunNotFoundError: Temporal has no such run.
        """
        options = parse_options(OutputOptions, output_options, owner=f"workflow `{self.workflow_id}`")
        request = self._resume_request(step, resume_data, label, for_each_index, request_context, per_step)
        async with warning_when_unattended(self.client, self.run_id, what="resume"):
            generation = await self._resume(request)
            result = await wait_for_outcome(self.client, self.run_id, generation)
        return self._shown(result, options)

    @explained
    @traced
    async def resume_async(
        self,
        *,
        step: StepPath | None = None,
        resume_data: Any = None,
        label: str | None = None,
        for_each_index: int | None = None,
        request_context: RequestContext | dict[str, Any] | None = None,
        per_step: bool = False,
        tracing_options: TracingOptions | dict[str, Any] | None = None,
        tracing_context: TracingContext | None = None,
    ) -> str:
        """Continue a suspended run and return its id at once. Mastra's ``run.resumeAsync()``.

        Takes the arguments of `resume` and raises the same errors.
        """
        request = self._resume_request(step, resume_data, label, for_each_index, request_context, per_step)
        async with warning_when_unattended(self.client, self.run_id, what="resume"):
            await self._resume(request)
        return self.run_id

    @explained
    @traced
    async def time_travel(
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
    ) -> WorkflowResult[OutT]:
        """Run again from a step of your choice, with what was recorded before it. Mastra's ``run.timeTravel()``.

        A new execution under the same run id; the one before stays readable in Temporal. A run that is suspended or
        sleeping is ended there, by a worker, and goes on from the step; it cannot be resumed any more. Also continues
        runs that were started with ``per_step``.

        Args:
            step: The step: its id, a step, or the path to one inside nested workflows. ``<id>[<index>]`` is one item
                of a foreach, and only that item runs.
            input_data: The step's input instead of the recorded one; for an item of a foreach, that item.
            context: Results that stand in for recorded ones, by step id: ``{"payload": ..., "output": ...}``.
            nested_steps_context: The same for nested workflows, by their ids.
            resume_data: For a suspended step: the target, or one that is reached after it.
            initial_state: The workflow's state instead of the recorded one.
            request_context: Values that win over the recorded ones.
            output_options: Whether the result carries the state and the resume labels.
            per_step: Stop after the first entry, with status ``paused``.
            tracing_options: How the new execution is traced.
            tracing_context: The span that it becomes a child of; by default the current OpenTelemetry span.

        Raises:
            TimeTravelError: The step does not exist, what precedes it was not recorded, there is nothing suspended for
                the ``resume_data``, the run is running, or somebody else resumed it or sent it back in time first.
            SchemaValidationError: The data do not match the step's schema. In each of these cases nothing has changed.
        """
        options = parse_options(OutputOptions, output_options, owner=f"workflow `{self.workflow_id}`")
        path = path_of(step) if step else []
        if not path or not all(path):
            raise TimeTravelError("Step is required and must be a valid step or array of steps")
        description = await self._describe()
        recorded = None
        if description is not None:
            is_open = description.status == WorkflowExecutionStatus.RUNNING
            if is_open and await open_status(description) == "running":
                raise TimeTravelError("This workflow run is still running, cannot time travel")
            recorded = await recorded_run(self.client, self.run_id, description.run_id)
        journey = Journey(
            target=path,
            now=round(time.time() * 1000),
            run_id=self.run_id,
            input_data=admit_step_input(self._workflow, path, input_data),
            resume_data=admit_resume_data(self._workflow, path, resume_data),
            initial_state=to_json(initial_state, what=f"The initial state of {self.label}"),
            context=step_contexts(to_json(context, what=f"`context` of {self.label}")),
            nested_contexts={
                name: step_contexts(to_json(steps, what=f"`nested_steps_context` of {self.label}"))
                for name, steps in (nested_steps_context or {}).items()
            },
        )
        seed = travel(journey, self._workflow.graph.entries, {} if recorded is None else recorded.run.scopes)
        envelope = self._continuation(seed, description, recorded, request_context)
        await self._depart(description, envelope.model_copy(update={"per_step": per_step or None}), recorded)
        generation = 0 if envelope.seed is None else envelope.seed.generation
        return self._shown(await wait_for_outcome(self.client, self.run_id, generation), options)

    @explained
    @traced
    async def restart(
        self,
        *,
        request_context: RequestContext | dict[str, Any] | None = None,
        force: bool = False,
        timeout: timedelta | None = None,
        tracing_options: TracingOptions | dict[str, Any] | None = None,
        tracing_context: TracingContext | None = None,
    ) -> WorkflowResult[OutT]:
        """Resume a run that lost its worker from its recorded history. Mastra's ``run.restart()``.

        Finished steps are never run again. The last active steps are scheduled again if their workers are gone; if they
        are alive, the run is joined. A run that has ended gives its stored result.

        Args:
            request_context: Values that win over the recorded ones, in every step that is scheduled afterwards.
            force: Do not ask whether the workers are alive: schedule the active steps again at once. A worker that is
                alive after all gets an abort signal.
            timeout: How long to wait, for a worker and for the result. Without a worker a warning is logged that names
                the task queue.
            tracing_options: How the run is traced from here on. They reach every step that is scheduled afterwards.
            tracing_context: A span to link the restarted part to; by default the current OpenTelemetry span.

        Raises:
            RunNotActiveError: The run was never started, is suspended, canceled or paused.
            RunNotFoundError: Temporal has no such run.
            asyncio.TimeoutError: The run goes on, but was not over in time.
        """
        restarting = self._restart(self._request_context(request_context), force=force)
        try:
            result = await asyncio.wait_for(restarting, None if timeout is None else timeout.total_seconds())
        except asyncio.TimeoutError:
            raise asyncio.TimeoutError(
                f"{self.label} goes on, but was not over within {timeout}: call `restart()` again to wait on."
            ) from None
        return self._shown(result, OutputOptions(include_state=True))

    async def _restart(self, request_context: dict[str, Any], *, force: bool) -> WorkflowResult[Any]:
        description = await self._describe()
        if description is None:
            raise RunNotActiveError(NOT_ACTIVE)
        if is_closed_by_temporal(description):
            if not await reopen(self.client, description, request_context, self._start_options):
                raise RunNotActiveError(NOT_ACTIVE)
            return await self._outcome()
        if description.status != WorkflowExecutionStatus.RUNNING:
            result = await self._outcome()
            self._require_active(result.status)
            return result
        self._require_active(await open_status(description))
        async with (
            warning_when_unattended(self.client, self.run_id),
            reviving(self.client, self.run_id, request_context=request_context, force=force),
        ):
            return await self._outcome()

    @explained
    async def join(self) -> WorkflowResult[OutT]:
        """Wait until the run has ended or is suspended, and leave it alone. What `RestartReport.wait` does."""
        return self._shown(await self._outcome(), OutputOptions(include_state=True))

    @explained
    async def fetch_status(self) -> RunStatus:
        """Ask Temporal for the run's status; ``pending`` when it knows no such run."""
        description = await self._describe()
        if description is None:
            self.status = "canceled" if self._canceled_before_start else "pending"
        elif description.status == WorkflowExecutionStatus.RUNNING:
            self.status = await open_status(description)
        else:
            handle = self.client.get_workflow_handle(self.run_id, result_type=WorkflowResult[Any])
            self.status = (await closed_result(self.client, handle)).status
        return self.status

    # Helpers

    async def _start(self, envelope: StartEnvelope) -> None:
        options = {**self._start_options(envelope), **FIRST_START}
        async with waiting(self.client).calls:
            self._starting = True
            try:
                await unhurried(lambda: self.client.start_workflow(self._workflow.id, envelope, **options))
            finally:
                self._starting = False
        self.status = "running"

    async def _start_and_wait(self, envelope: StartEnvelope) -> WorkflowResult[Any] | None:
        """Start the run and wait for its outcome in one message; None when it has to be waited for further.

        The SDK answers twice. Of what fails before the message is sent, as the encoding of the input, its second answer
        alone tells. That must also come before we leave when we are canceled, or it would find nobody to answer to.
        """
        client, operation = self.client, self._start_operation(envelope)
        update = client.execute_update_with_start_workflow(
            UPDATE_OUTCOME,
            0,
            start_workflow_operation=operation,
            # Not the id that later waiters share: of a run that failed before, the server would give the old answer.
            id=f"{outcome_update_id(0)}-{uuid.uuid4()}",
            result_type=OutcomeReply,
        )
        self._starting = True
        first, started = asyncio.ensure_future(update), asyncio.ensure_future(operation.workflow_handle())
        try:
            await asyncio.wait((started, first), return_when=asyncio.FIRST_COMPLETED)
            self._starting = False
            if started.done() and started.exception() is None:
                self.status = "running"
                return await outcome_of_start(client, self.run_id, first)
            await asyncio.wait((first,))
            error = first.exception()
        finally:
            self._starting = False
            first.cancel()
            await asyncio.wait((first,))
            started.cancel()
            await asyncio.gather(first, started, return_exceptions=True)
        if isinstance(error, RPCError) and is_busy(error):
            await self._start(envelope)
        elif error is not None and not is_no_such_run(error):
            raise error
        return None  # of a run that was closed under the update the server says that there is none

    async def _depart(
        self,
        seen: WorkflowExecutionDescription | None,
        envelope: StartEnvelope,
        recorded: RecordedRun | None,
    ) -> None:
        """Start the execution that a time travel makes: by the run itself, where it is open."""
        if seen is not None and recorded is not None and seen.status == WorkflowExecutionStatus.RUNNING:
            request = TravelRequest(
                generation=recorded.generation,
                workflow_id=self.workflow_id,
                task_queue=self._mastra.task_queue,
                envelope=envelope,
            )
            async with warning_when_unattended(self.client, self.run_id, what="time travel"):
                await depart(self.client, seen, request)
        else:
            options: dict[str, Any] = {
                **self._start_options(envelope),
                "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                "id_conflict_policy": WorkflowIDConflictPolicy.FAIL,
            }
            try:
                await unhurried(lambda: self.client.start_workflow(self._workflow.id, envelope, **options))
            except WorkflowAlreadyStartedError:
                raise TimeTravelError(
                    f"Another caller has started {self.label} before this time travel. Look at it again."
                ) from None
        self.status = "running"

    def _resume_request(
        self,
        step: StepPath | None,
        resume_data: Any,
        label: str | None,
        for_each_index: int | None,
        request_context: RequestContext | dict[str, Any] | None,
        per_step: bool,
    ) -> ResumeRequest:
        if label is not None and not isinstance(label, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check types
            raise RunError(f"{self.label}: `label` is text, got {label!r}.")
        if for_each_index is not None and not isinstance(for_each_index, int):  # pyright: ignore[reportUnnecessaryIsInstance] - likewise
            raise RunError(f"{self.label}: `for_each_index` is a whole number from 0, got {for_each_index!r}.")
        return ResumeRequest(
            step=None if step is None else path_of(step),
            label=label,
            for_each_index=for_each_index,
            resume_data=to_json(resume_data, what=f"The resume data of {self.label}"),
            request_context=self._request_context(request_context) or None,
            per_step=per_step or None,
        )

    async def _resume(self, request: ResumeRequest) -> int:
        """Resume the run.

        Returns:
            How often it has been resumed now.
        """
        description = await self._describe()
        if description is None and self._canceled_before_start:
            raise RunNotSuspendedError(NOT_SUSPENDED)
        if description is None:
            raise RunNotFoundError(f"No snapshot found for this workflow run: {self.workflow_id} {self.run_id}")
        generation = await resume(self.client, description, request)
        self.status = "running"
        return generation

    async def _require_same_input(self, envelope: StartEnvelope) -> None:
        await self._describe()
        handle = self.client.get_workflow_handle(self.run_id)
        async for event in handle.fetch_history_events(page_size=1):
            payloads = event.workflow_execution_started_event_attributes.input.payloads
            [recorded] = await self.client.data_converter.decode(payloads, [StartEnvelope])
            if recorded.input_data != envelope.input_data:
                raise RunAlreadyStartedError(
                    f"Run `{self.run_id}` of workflow `{self.workflow_id}` exists and was started with another input. "
                    "Use another run id, or start it with the same input to join it."
                )
            return

    async def _describe_when_started(self) -> WorkflowExecutionDescription | None:
        """A start is on its way: wait until the server has it."""
        for _ in range(round(PATIENCE_SECONDS / START_POLL_SECONDS)):
            description = await self._describe()
            if description is not None:
                return description
            await asyncio.sleep(START_POLL_SECONDS)
        return None

    def _require_active(self, status: RunStatus) -> None:
        if status == "suspended":
            raise RunNotActiveError(f"{NOT_ACTIVE}: it is suspended. Continue it with `resume()`.")
        if status in ("pending", "canceled", "paused"):
            raise RunNotActiveError(NOT_ACTIVE)
