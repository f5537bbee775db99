"""The Temporal workflow behind every definition: runs the interpreter, handles messages and ends the execution."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, NoReturn, Protocol

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from mastra_temporal._protocol.function_calls import ValidationCall
from mastra_temporal._protocol.graph import WorkflowGraph
from mastra_temporal._protocol.limits import ANSWER, compact, is_small, sent_size, size_error
from mastra_temporal._protocol.messages import (
    LookupQuery,
    LookupReply,
    OutcomeReply,
    RestartRequest,
    ResumeReply,
    ResumeRequest,
    RunStatusReply,
    StreamQuery,
    StreamReply,
)
from mastra_temporal._protocol.names import (
    ACTIVITY_REQUEST_CANCEL,
    MEMO_RESUME_COUNT,
    MEMO_STATUS,
    NOT_SUSPENDED,
    QUERY_LOOKUP,
    QUERY_STATUS,
    QUERY_STREAM,
    REFUSED_RUN,
    RUN_NOT_SUSPENDED,
    TIME_TRAVEL_REFUSED,
    UPDATE_OUTCOME,
    UPDATE_RESTART,
    UPDATE_RESUME,
    UPDATE_TIME_TRAVEL,
    resume_claimed,
)
from mastra_temporal._protocol.results import RunStatus, WorkflowResult
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._protocol.time_travel import TimeTravelUpdate
from mastra_temporal._worker.workflow import callbacks, nested, step, time_travel
from mastra_temporal._worker.workflow.attempts import Attempts
from mastra_temporal._worker.workflow.completion import Completion
from mastra_temporal._worker.workflow.engine import Engine
from mastra_temporal._worker.workflow.events import Events, RunStream
from mastra_temporal._worker.workflow.function_calls import check_result, validate
from mastra_temporal._worker.workflow.interpreter import walk
from mastra_temporal._worker.workflow.metrics import count_restart, count_run, measure_suspension
from mastra_temporal._worker.workflow.reporter import Reporter
from mastra_temporal._worker.workflow.result import assemble, failure_of, run_status
from mastra_temporal._worker.workflow.scope import Inspection, RunState, Scope, milliseconds_now, root_scope, run_state
from mastra_temporal._worker.workflow.snapshot import largest_parts, next_envelope, restore
from mastra_temporal._worker.workflow.suspension import SuspendedStep, answer, resumable, suspended_steps, take_up
from mastra_temporal._worker.workflow.takeover import Takeover
from mastra_temporal._worker.workflow.trace import RunTrace
from mastra_temporal._worker.workflow.ui_details import UiDetails

__all__ = ["MastraWorkflow", "ResumeCheck"]


class ResumeCheck(Protocol):
    """Validates resume data with the schema of a step, which is named by its workflow's ID and its own."""

    def __call__(self, workflow_id: str, step_id: str, data: Any, /) -> None:
        """Raise an ``ApplicationError`` if the data do not match."""


class MastraWorkflow:
    """Base of the generated workflow classes (see ``compiler.py``)."""

    workflow_id: str
    """The ID of the definition that this class was generated for."""
    check_resume_data: ResumeCheck
    """Validates resume data. A worker that does not have the step accepts all data."""

    def __init__(self, envelope: StartEnvelope) -> None:
        """Create all state here, not in the run method: an update handler can run before the run method starts."""
        self._envelope = envelope
        self._run = run_state(envelope)
        self._trace = RunTrace(self._run)
        self._shown = UiDetails(search_attributes=bool(envelope.search_attributes))
        attempts = Attempts(self._run)
        self.stream = RunStream(envelope.stream, attempts.history)
        self._events = Events(self.stream, self._run)
        reporter = Reporter(attempts, self._trace, self._shown, self._events)
        self._engine = Engine(self._run, attempts, Takeover(), reporter, walk, step.execute, nested.execute)
        self._graph: WorkflowGraph | None = envelope.graph
        self._scope: Scope | None = None
        self._suspended: WorkflowResult[Any] | None = None
        self._resume_count = self._first_resume_count = 0
        if (before := envelope.snapshot) is not None:
            self._resume_count, self._first_resume_count = before.resume_count, before.first_resume_count
            self._run.claims = list(before.claims)
            attempts.history.begin_with(before.size)
        self._result: WorkflowResult[Any] | None = None
        self._ended = False
        self._continued_as_new = False
        self._cancel_requested = False

    async def execute(self) -> WorkflowResult[Any]:
        """Execute the run to its end. This is the run method of the generated classes."""
        self._trace.begin(self.workflow_id, self._envelope.tracing_options)
        interpretation = asyncio.create_task(self._interpret())
        while not interpretation.done():
            try:
                await workflow.wait_condition(interpretation.done)
            except asyncio.CancelledError:
                # Do not let this pass: it would end the execution at once, without the results of the steps in flight.
                self._cancel_requested = True
                if self._run.traveling:
                    continue  # the activity that starts the next execution passes the cancellation on
                self._trace.canceled = True
                self._engine.abort()
        try:
            self._result = interpretation.result()
        finally:
            # Let the handlers answer before the execution closes, also by continue-as-new: the server fails an update
            # that is still open then, so callers would get an error in place of the result.
            self._ended = True
            self.stream.detach_pollers()
            await self._let_handlers_finish()
        return await self._close(self._result) if self._result is not None else self._go_on_in_new_execution()

    async def _interpret(self) -> WorkflowResult[Any] | None:
        """Walk the graph until the run has a result, through any suspensions. Return None to continue as new."""
        if self._envelope.stream is None:
            self._events.begin(self.workflow_id)
        graph, scope = await self._open()
        while True:
            resumed = self._resume_count > self._first_resume_count
            with self._trace.segment(scope, resumed=resumed, goes_on=self._envelope.snapshot is not None) as span:
                completion = await self._run_segment(graph, scope, begins=not resumed)
                span.completion(completion)
                if completion.status == "continued_as_new":
                    self._continued_as_new = True
                    return None
                count_run(self.workflow_id, run_status(completion))
                result = assemble(self._run, scope, completion).model_copy(update=self._trace.ids)
            self._events.finish(result)
            if completion.status != "suspended":
                return result
            await self._stay_suspended(scope, result)
            self._events.begin(self.workflow_id)

    async def _run_segment(self, graph: WorkflowGraph, scope: Scope, *, begins: bool) -> Completion:
        """Walk the graph until the run ends or is suspended, and run the callbacks before and after."""
        refused = None
        if begins and self._envelope.snapshot is None:
            refused = await callbacks.start(self._engine, scope)
        if refused is not None:
            raise ApplicationError(
                f"on_start of workflow `{self.workflow_id}` raised: {refused.get('message')}",
                refused,
                type=REFUSED_RUN,
                non_retryable=True,
            )
        completion = await walk(self._engine, scope, graph.entries)
        while completion.status == "continued_as_new":
            too_large = size_error(self._next_envelope(), "its state", self._run.stored_from)
            if too_large is None:
                return completion
            # The server would refuse a snapshot of this size. Go on in this execution.
            self._run.continuing_as_new = False
            self._run.too_large_to_continue = f"{too_large['message']} The largest parts: {largest_parts(scope)}"
            completion = await walk(self._engine, scope, graph.entries)
        completion = await check_result(self._engine, scope, completion)
        await callbacks.notify(self._engine, scope, completion)
        return completion

    async def _stay_suspended(self, scope: Scope, result: WorkflowResult[Any]) -> None:
        """Wait until the run is resumed or canceled. No timer runs and no activity polls meanwhile."""
        since = milliseconds_now()
        if not self._run.answers:
            self._suspended = result
            workflow.upsert_memo({MEMO_STATUS: "suspended", MEMO_RESUME_COUNT: self._resume_count})
            self._shown.suspended(self._run.run_id, suspended_steps(scope))
            await workflow.wait_condition(lambda: self._run.aborted or bool(self._run.answers))
        self._suspended = None
        if self._run.answers:
            take_up(self._run, scope)
            measure_suspension(self.workflow_id, milliseconds_now() - since)
            workflow.upsert_memo({MEMO_STATUS: "running", MEMO_RESUME_COUNT: self._resume_count})
            self._shown.status("running")

    async def _open(self) -> tuple[WorkflowGraph, Scope]:
        """Return the recorded graph and the root scope. If a foreign client started the run, fetch the graph first."""
        envelope, graph = self._envelope, self._envelope.graph
        input_data, state = envelope.input_data, envelope.initial_state
        if graph is None:
            admitted = await validate(
                self._engine,
                ValidationCall(
                    workflow_id=self.workflow_id,
                    input_data=input_data,
                    state=state,
                    request_context=envelope.request_context,
                    kind="start",
                ),
            )
            if admitted.error is not None or admitted.graph is None:
                error = admitted.error or {}
                raise ApplicationError(str(error.get("message")), error, type=REFUSED_RUN, non_retryable=True)
            graph, input_data, state = admitted.graph, admitted.input_data, admitted.state
            self._graph, self._run.stored_from = graph, admitted.stored_from
        if envelope.snapshot is not None:
            self._scope = restore(envelope.snapshot, self.workflow_id, graph, self._run)
            return graph, self._scope
        self._scope = root_scope(self.workflow_id, self._run.run_id, graph.plan, input_data, dict(state or {}))
        return graph, self._scope

    async def _close(self, result: WorkflowResult[Any]) -> WorkflowResult[Any]:
        """End the execution with the status that Temporal shows: completed, failed or cancelled."""
        self._shown.closing(result.status)
        if result.status == "canceled":
            await self._cancel_myself()
        if result.status in ("failed", "tripwire"):
            raise failure_of(self._run, self._scope, result)
        return compact(result, self._run.stored_from)

    def _go_on_in_new_execution(self) -> NoReturn:
        """Continue as new from the current position, because the history is long. Nothing is in flight."""
        workflow.continue_as_new(self._next_envelope())

    def _next_envelope(self) -> StartEnvelope:
        assert self._scope is not None
        # The snapshot has no list of accepted resumes. Without `take_up`, those not yet in the scopes would be lost.
        take_up(self._run, self._scope)
        going_on = next_envelope(self._envelope, self._run, self._scope, self._resume_count, self._first_resume_count)
        return going_on.model_copy(
            update={
                "graph": self._graph,
                "canceled": self._cancel_requested or None,
                "stream": self.stream.carried(),
            }
        )

    async def _cancel_myself(self) -> None:
        """End as Cancelled. Temporal allows that only after a cancel request, so send one if a step called abort()."""
        if not self._cancel_requested:
            await workflow.execute_local_activity(ACTIVITY_REQUEST_CANCEL, start_to_close_timeout=timedelta(minutes=1))
            await asyncio.sleep(3600)  # the cancel request is delivered here, as a CancelledError
        raise asyncio.CancelledError

    async def _let_handlers_finish(self) -> None:
        while not workflow.all_handlers_finished():
            try:
                await workflow.wait_condition(workflow.all_handlers_finished)
            except asyncio.CancelledError:
                self._cancel_requested = True  # a new execution gets it in its argument; an ended run keeps its result

    @property
    def run_state(self) -> RunState:
        """The state that all scopes of the run share."""
        return self._run

    @property
    def envelope(self) -> StartEnvelope:
        """The argument with which this execution was started."""
        return self._envelope

    @property
    def graph(self) -> WorkflowGraph | None:
        """The graph that the run follows, or None before it is known."""
        return self._graph

    @property
    def root(self) -> Scope | None:
        """The root scope, or None before the graph is known."""
        return self._scope

    @property
    def resume_count(self) -> int:
        """How often the run has been resumed."""
        return self._resume_count

    def snapshot(self) -> WorkflowResult[Any]:
        """Return the results so far. The status is ``running`` unless the run is suspended."""
        if self._suspended is not None:
            return self._suspended
        if self._scope is None:
            return WorkflowResult(status="running", run_id=self._run.run_id)
        return assemble(self._run, self._scope, Completion("canceled")).model_copy(update={"status": "running"})

    def inspect(self) -> Inspection:
        """Return the state of the run from which its records are made."""
        labels = None if self._suspended is None else self._suspended.resume_labels
        return Inspection(self.status().status, self._run, self._graph, self._scope, self._result, labels or {})

    # Messages

    @workflow.update(name=UPDATE_OUTCOME)
    async def outcome(self, resume_count: int) -> OutcomeReply:
        """Answer when the run has ended, or is suspended after its ``resume_count``-th resume. All waiters share it."""
        self._engine.attempts.count_update(0)
        await workflow.wait_condition(
            lambda: (
                self._ended
                or self._continued_as_new
                or self._resume_count > resume_count
                or (self._resume_count == resume_count and self._suspended is not None)
            )
        )
        if self._continued_as_new:
            return OutcomeReply(continued_as_new=True)
        if self._result is not None:
            return OutcomeReply(ended=True, result=self._result if is_small(self._result) else None)
        if self._resume_count > resume_count:
            return OutcomeReply(resume_count=self._resume_count)
        suspended = None if self._suspended is None else compact(self._suspended, self._run.stored_from, ANSWER)
        return OutcomeReply(ended=self._ended, result=suspended)

    @workflow.update(name=UPDATE_RESUME)
    async def resume(self, request: ResumeRequest) -> ResumeReply:
        """Accept resume data for suspended steps. The answer does not wait until they run."""
        if request.stored_from is not None:
            self._run.stored_from = request.stored_from
        self._engine.attempts.count_update(sent_size(request, request.stored_from))
        self._resume_count += 1
        answer(self._run, self._resumable(request), request, self._resume_count)
        self._trace.adopt(request.resume_data)
        self._run.request_context.update(request.request_context or {})
        if self._suspended is None:
            workflow.upsert_memo({MEMO_STATUS: "running", MEMO_RESUME_COUNT: self._resume_count})
        self._suspended = None  # now, not when the interpreter wakes up: `outcome` must not answer with it any more
        return ResumeReply(resume_count=self._resume_count)

    @resume.validator
    def validate_resume(self, request: ResumeRequest) -> None:
        """Refuse a resume that cannot be accepted. A refused update leaves no event in the history."""
        for suspended in self._resumable(request):
            if suspended.scope.validate_inputs:
                self.check_resume_data(suspended.scope.workflow_id, suspended.path[-1], request.resume_data)

    def _resumable(self, request: ResumeRequest) -> list[SuspendedStep]:
        if self._scope is None or self._run.aborted or self._ended:
            raise ApplicationError(NOT_SUSPENDED, type=RUN_NOT_SUSPENDED)
        now = "running" if self._run.traveling else self.status().status
        claimed = resume_claimed(self.workflow_id, self._run.run_id, now)
        return resumable(self._run, self._scope, request, suspended=self._suspended is not None, claimed=claimed)

    @workflow.update(name=UPDATE_TIME_TRAVEL)
    async def time_travel(self, request: TimeTravelUpdate) -> None:
        """Travel in time: start nothing more here, and start the next execution, which terminates this one."""
        self._engine.attempts.count_update(sent_size(request, request.envelope.stored_from))
        self._run.traveling = True
        next_execution = time_travel.next_execution(request)
        self._starting_next = asyncio.create_task(time_travel.start_next_execution(self._engine, next_execution))

    @time_travel.validator
    def validate_time_travel(self, request: TimeTravelUpdate) -> None:
        """Refuse a time travel that another call has preceded. A refused update leaves no event in the history."""
        refusal = time_travel.refusal(
            request,
            leaving=self._run.traveling,
            over=self._run.aborted or self._ended,
            resume_count=self._resume_count,
            status=self.status().status,
        )
        if refusal is not None:
            raise ApplicationError(refusal, type=TIME_TRAVEL_REFUSED)

    @workflow.update(name=UPDATE_RESTART)
    async def restart(self, request: RestartRequest) -> int:
        """Schedule steps again whose workers are gone, and return how many of them were still in flight."""
        self._engine.attempts.count_update(sent_size(request, None))
        self._run.request_context.update(request.request_context or {})
        self._trace.adopt()
        lost = await self._engine.attempts.restart(request)
        if self._scope is not None:
            self._trace.restart(self._scope, lost)
        count_restart(self.workflow_id, len(lost))
        return len(lost)

    @workflow.query(name=QUERY_STATUS)
    def status(self) -> RunStatusReply:
        """Return the current status of the run."""
        status: RunStatus = "running"
        if self._run.aborted:
            status = "canceled"
        elif self._suspended is not None:
            status = "suspended"
        elif self._run.sleeping and not self._engine.attempts.any_in_flight:
            status = "waiting"
        return RunStatusReply(status=status)

    @workflow.query(name=QUERY_STREAM)
    def events(self, query: StreamQuery) -> StreamReply:
        """Return events of the run for the readers of its stream."""
        return self.stream.read(query)

    @workflow.query(name=QUERY_LOOKUP)
    def lookup(self, query: LookupQuery) -> LookupReply:
        """Return the data that a running step asks for."""
        return self._run.look_up(query)
