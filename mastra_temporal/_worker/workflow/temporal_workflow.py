"""The Temporal workflow behind every definition: starts the interpreter, listens to messages, ends the execution."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, NoReturn, Protocol

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from mastra_temporal._data.path import MISSING
from mastra_temporal._protocol.function_calls import EnterCall
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
    ACTIVITY_DEPART,
    ACTIVITY_REQUEST_CANCEL,
    MEMO_GENERATION,
    MEMO_STATUS,
    NOT_SUSPENDED,
    QUERY_LOOKUP,
    QUERY_STATUS,
    QUERY_STREAM,
    REFUSED_RUN,
    RESUME_CLAIMED,
    RUN_NOT_SUSPENDED,
    TRAVEL_REFUSED,
    UPDATE_OUTCOME,
    UPDATE_RESTART,
    UPDATE_RESUME,
    UPDATE_TRAVEL,
    resume_claimed,
)
from mastra_temporal._protocol.results import RunStatus, WorkflowResult
from mastra_temporal._protocol.snapshot import RunSeed
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._protocol.time_travel import Departure, TravelRequest
from mastra_temporal._tracing.headers import received
from mastra_temporal._worker.workflow import callbacks, nested, step
from mastra_temporal._worker.workflow.attempts import CRASH_RETRY, Attempts
from mastra_temporal._worker.workflow.completion import Ending
from mastra_temporal._worker.workflow.engine import Engine
from mastra_temporal._worker.workflow.events import Events, RunStream
from mastra_temporal._worker.workflow.function_calls import check_output, enter
from mastra_temporal._worker.workflow.interpreter import walk
from mastra_temporal._worker.workflow.metrics import count_restart, count_run, measure_suspension
from mastra_temporal._worker.workflow.reporter import Observation
from mastra_temporal._worker.workflow.result import assemble, failure_of, run_status
from mastra_temporal._worker.workflow.scope import Inspection, RunState, Scope, milliseconds_now
from mastra_temporal._worker.workflow.snapshot import restore, seed_of
from mastra_temporal._worker.workflow.suspension import (
    ClaimedError,
    NoSuspendedStepError,
    SuspendedStep,
    answer,
    take_up,
    targets,
)
from mastra_temporal._worker.workflow.takeover import Takeover
from mastra_temporal._worker.workflow.trace import RunTrace
from mastra_temporal._worker.workflow.ui_details import Shown

__all__ = ["MastraWorkflow", "ResumeCheck"]


class ResumeCheck(Protocol):
    """Checks resume data against the schema of a step, given by the ids of its workflow and its own."""

    def __call__(self, workflow_id: str, step_id: str, data: Any, /) -> None:
        """Raise an ``ApplicationError`` when the data do not fit."""


class MastraWorkflow:
    """Base of the generated workflow classes (see ``compiler.py``)."""

    workflow_id: str
    """The id of the definition that this class was generated for."""
    check_resume_data: ResumeCheck
    """Refuses resume data that do not fit the schema of a step, on a worker that has the step."""

    def __init__(self, envelope: StartEnvelope) -> None:
        """Set the state up before the first message is handled: an update can come before the run method."""
        self._envelope = envelope
        self.stream = RunStream(envelope.stream)
        run_id = envelope.run_id or workflow.info().workflow_id
        self._run = RunState(
            run_id=run_id,
            resource_id=envelope.resource_id,
            request_context=dict(envelope.request_context or {}),
            per_step=bool(envelope.per_step),
            stored_from=envelope.stored_from,
            aborted=bool(envelope.canceled),
        )
        self._trace = RunTrace(self._run)
        self._shown = Shown(search_attributes=bool(envelope.search_attributes))
        self._events = Events(self.stream, self._run)
        attempts = Attempts(self._run)
        told = Observation(attempts, self._trace, self._shown, self._events)
        self._engine = Engine(self._run, attempts, Takeover(), told, walk, step.execute, nested.execute)
        self._graph: WorkflowGraph | None = envelope.graph
        self._scope: Scope | None = None
        self._suspended: WorkflowResult[Any] | None = None
        self._generation = self._first_generation = 0
        if envelope.seed is not None:
            self._generation, self._first_generation = envelope.seed.generation, envelope.seed.first_generation
            self._run.claims = list(envelope.seed.claims)
        self._result: WorkflowResult[Any] | None = None
        self._ended = False
        self._moved = False
        self._cancel_requested = False

    async def execute(self) -> WorkflowResult[Any]:
        """Run to the end. The generated class's run method."""
        self._trace.begin(self.workflow_id, self._envelope.tracing_options)
        self._engine.attempts.arrivals.note()
        interpretation = asyncio.create_task(self._interpret())
        while not interpretation.done():
            try:
                await workflow.wait_condition(interpretation.done)
            except asyncio.CancelledError:
                # A cancelled run ends by itself: steps in flight keep their results.
                self._cancel_requested = True
                if self._run.leaving:
                    continue  # the next execution is told
                self._trace.canceled = True
                self._engine.abort()
        try:
            self._result = interpretation.result()
        finally:
            self._ended = True
            self.stream.detach_pollers()
            await self._let_handlers_finish()
        return await self._close(self._result) if self._result is not None else self._go_on_in_new_execution()

    async def _interpret(self) -> WorkflowResult[Any] | None:
        """Run to the end.

        Returns:
            The result; None when the run is to go on in a new execution.
        """
        if self._envelope.stream is None:
            self._events.begin(self.workflow_id)
        graph, scope = await self._open()
        while True:
            resumed = self._generation > self._first_generation
            with self._trace.leg(scope, resumed=resumed, goes_on=self._envelope.seed is not None) as span:
                ending = await self._run_leg(graph, scope, begins=not resumed)
                span.ending(ending)
                if ending.status == "moved":
                    self._moved = True
                    return None
                count_run(self.workflow_id, run_status(ending))
                result = assemble(self._run, scope, ending).model_copy(update=self._trace.ids)
            self._events.finish(result)
            if ending.status != "suspended":
                return result
            await self._stay_suspended(scope, result)
            self._events.begin(self.workflow_id)

    async def _run_leg(self, graph: WorkflowGraph, scope: Scope, *, begins: bool) -> Ending:
        """Walk the graph until the run ends or is suspended, with the callbacks around it."""
        refused = None
        if begins and self._envelope.seed is None:
            refused = await callbacks.start(self._engine, scope)
        if refused is not None:
            raise ApplicationError(
                f"on_start of workflow `{self.workflow_id}` raised: {refused.get('message')}",
                refused,
                type=REFUSED_RUN,
                non_retryable=True,
            )
        ending = await walk(self._engine, scope, graph.entries)
        while ending.status == "moved":
            if size_error(self._continuation(), "state", self._run.stored_from) is None:
                return ending
            # What it holds is too large to be handed over: it goes on in this execution.
            self._run.moving, self._run.stays = False, True
            ending = await walk(self._engine, scope, graph.entries)
        ending = await self._checked(scope, ending)
        await callbacks.notify(self._engine, scope, ending)
        return ending

    async def _stay_suspended(self, scope: Scope, result: WorkflowResult[Any]) -> None:
        """Wait until the run is resumed or canceled. It costs nothing, however long."""
        since = milliseconds_now()
        if not self._run.answers:
            self._suspended = result
            workflow.upsert_memo({MEMO_STATUS: "suspended", MEMO_GENERATION: self._generation})
            self._shown.status("suspended")
            await workflow.wait_condition(lambda: self._run.aborted or bool(self._run.answers))
        self._suspended = None
        if self._run.answers:
            take_up(self._run, scope)
            measure_suspension(self.workflow_id, milliseconds_now() - since)
            workflow.upsert_memo({MEMO_STATUS: "running", MEMO_GENERATION: self._generation})
            self._shown.status("running")

    async def _open(self) -> tuple[WorkflowGraph, Scope]:
        """The recorded graph and the scope of the run. A foreign client leaves both to us."""
        envelope, graph = self._envelope, self._envelope.graph
        input_data, state = envelope.input_data, envelope.initial_state
        if graph is None:
            admitted = await enter(
                self._engine,
                EnterCall(
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
        if envelope.seed is not None:
            self._scope = restore(envelope.seed, self.workflow_id, graph, self._run)
            return graph, self._scope
        self._scope = Scope(
            workflow_id=self.workflow_id,
            run_id=self._run.run_id,
            path=(),
            plan=graph.plan,
            validate_inputs=graph.plan.validate_inputs,
            init_data=input_data,
            state=dict(state or {}),
            input_data=input_data,
        )
        return graph, self._scope

    async def _checked(self, scope: Scope, ending: Ending) -> Ending:
        plan = scope.plan
        if ending.status not in ("success", "bailed"):
            return ending
        whole = WorkflowResult[Any](status="success", result=ending.result, run_id=self._run.run_id)
        error = size_error(whole, f"The result of workflow `{self.workflow_id}`", self._run.stored_from)
        if error is None and plan.checks_output and plan.validate_outputs:
            error = await check_output(self._engine, self.workflow_id, ending.result)
        return ending if error is None else Ending("failed", error=error)

    async def _close(self, result: WorkflowResult[Any]) -> WorkflowResult[Any]:
        """End the execution as Temporal shows it: completed, failed or cancelled."""
        self._shown.closing(result.status)
        if result.status == "canceled":
            await self._cancel_myself()
        if result.status in ("failed", "tripwire"):
            raise failure_of(self._run, self._scope, result)
        return compact(result, self._run.stored_from)

    def _go_on_in_new_execution(self) -> NoReturn:
        """Continue as new, where the run stands: its history has become long. Nothing is in flight."""
        workflow.continue_as_new(self._continuation())

    def _continuation(self) -> StartEnvelope:
        assert self._scope is not None
        take_up(self._run, self._scope)
        seed = RunSeed(
            scope=seed_of(self._scope),
            continued_from=workflow.info().run_id,
            generation=self._generation,
            first_generation=self._first_generation,
            claims=self._run.claims,
        )
        return self._envelope.model_copy(
            update={
                "input_data": self._scope.init_data,
                "initial_state": None,
                "request_context": self._run.request_context or None,
                "run_id": self._run.run_id,
                "per_step": self._run.per_step or None,
                "stored_from": self._run.stored_from,
                "graph": self._graph,
                "canceled": self._cancel_requested or None,
                "seed": seed,
                "stream": self.stream.carried(),
            }
        )

    async def _cancel_myself(self) -> None:
        """End as Cancelled, which Temporal allows only after a request: make it when a step called ``abort()``."""
        if not self._cancel_requested:
            await workflow.execute_local_activity(ACTIVITY_REQUEST_CANCEL, start_to_close_timeout=timedelta(minutes=1))
            await asyncio.sleep(3600)
        raise asyncio.CancelledError

    async def _let_handlers_finish(self) -> None:
        while not workflow.all_handlers_finished():
            try:
                await workflow.wait_condition(workflow.all_handlers_finished)
            except asyncio.CancelledError:
                self._cancel_requested = True

    @property
    def run_state(self) -> RunState:
        """What all scopes of the run share."""
        return self._run

    @property
    def envelope(self) -> StartEnvelope:
        """What the run was started with."""
        return self._envelope

    @property
    def graph(self) -> WorkflowGraph | None:
        """The graph that the run follows, once it is known."""
        return self._graph

    @property
    def root(self) -> Scope | None:
        """The scope of the run's own workflow, once it has been entered."""
        return self._scope

    @property
    def generation(self) -> int:
        """How often the run has been resumed."""
        return self._generation

    def snapshot(self) -> WorkflowResult[Any]:
        """The results as far as the run has come."""
        if self._suspended is not None:
            return self._suspended
        if self._scope is None:
            return WorkflowResult(status="running", run_id=self._run.run_id)
        return assemble(self._run, self._scope, Ending("canceled")).model_copy(update={"status": "running"})

    def inspect(self) -> Inspection:
        """Everything that a record of the run is made of."""
        labels = None if self._suspended is None else self._suspended.resume_labels
        return Inspection(self.status().status, self._run, self._graph, self._scope, self._result, labels or {})

    # Messages

    @workflow.update(name=UPDATE_OUTCOME)
    async def outcome(self, generation: int) -> OutcomeReply:
        """Answered when the run has ended, or is suspended for the ``generation``-th time. All waiters share one."""
        await workflow.wait_condition(
            lambda: (
                self._ended
                or self._moved
                or self._generation > generation
                or (self._generation == generation and self._suspended is not None)
            )
        )
        if self._moved:
            return OutcomeReply(moved=True)
        if self._result is not None:
            return OutcomeReply(ended=True, result=self._result if is_small(self._result) else None)
        if self._generation > generation:
            return OutcomeReply(generation=self._generation)
        suspended = None if self._suspended is None else compact(self._suspended, self._run.stored_from, ANSWER)
        return OutcomeReply(ended=self._ended, result=suspended)

    @workflow.update(name=UPDATE_RESUME)
    async def resume(self, request: ResumeRequest) -> ResumeReply:
        """Let suspended steps run again. Answered at once."""
        self._engine.attempts.arrivals.note()
        if request.stored_from is not None:
            self._run.stored_from = request.stored_from
        self._engine.attempts.budget.spend(sent_size(request, request.stored_from))
        self._generation += 1
        answer(self._run, self._resumable(request), request, self._generation)
        self._trace.adopt(request.resume_data)
        self._run.request_context.update(request.request_context or {})
        if self._suspended is None:
            workflow.upsert_memo({MEMO_STATUS: "running", MEMO_GENERATION: self._generation})
        self._suspended = None
        return ResumeReply(generation=self._generation)

    @resume.validator
    def validate_resume(self, request: ResumeRequest) -> None:
        """Refuse what cannot be resumed; nothing of it enters the history."""
        for suspended in self._resumable(request):
            if suspended.scope.validate_inputs:
                self.check_resume_data(suspended.scope.workflow_id, suspended.path[-1], request.resume_data)

    def _resumable(self, request: ResumeRequest) -> list[SuspendedStep]:
        if self._scope is None or self._run.aborted or self._ended:
            raise ApplicationError(NOT_SUSPENDED, type=RUN_NOT_SUSPENDED)
        if self._run.leaving:
            raise ApplicationError(resume_claimed(self.workflow_id, self._run.run_id, "running"), type=RESUME_CLAIMED)
        try:
            return targets(self._run, self._scope, request)
        except ClaimedError:
            claimed = resume_claimed(self.workflow_id, self._run.run_id, self.status().status)
            raise ApplicationError(claimed, type=RESUME_CLAIMED) from None
        except NoSuspendedStepError as error:
            said = str(error) if self._suspended is not None else NOT_SUSPENDED
            raise ApplicationError(said, type=RUN_NOT_SUSPENDED) from None

    @workflow.update(name=UPDATE_TRAVEL)
    async def travel(self, request: TravelRequest) -> None:
        """Travel in time: do nothing here any more, and start the next execution, which ends this one."""
        self._engine.attempts.arrivals.note()
        self._engine.attempts.budget.spend(sent_size(request, request.envelope.stored_from))
        self._run.leaving = True
        told = received.get()
        header = told.header.model_dump(mode="json", by_alias=True, exclude_none=True)
        departure = Departure(request=request, header=header, context=told.context)
        self._departing = asyncio.create_task(self._depart(departure))

    @travel.validator
    def validate_travel(self, request: TravelRequest) -> None:
        """Refuse what another act has forestalled; nothing of it enters the history."""
        if self._run.leaving:
            refusal = "Another caller has sent this run back in time before this time travel"
        elif self._run.aborted or self._ended:
            refusal = "This workflow run has ended before this time travel"
        elif request.generation != self._generation:
            refusal = "This workflow run was resumed by another caller before this time travel"
        elif self.status().status not in ("suspended", "waiting"):
            refusal = "This workflow run is still running, cannot time travel"
        else:
            return
        raise ApplicationError(refusal, type=TRAVEL_REFUSED)

    async def _depart(self, departure: Departure) -> None:
        await self._engine.attempts.budget.take(sent_size(departure, departure.request.envelope.stored_from))
        await workflow.execute_activity(
            ACTIVITY_DEPART,
            departure,
            summary="time travel",
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=CRASH_RETRY,
        )

    @workflow.update(name=UPDATE_RESTART)
    async def restart(self, request: RestartRequest) -> int:
        """Schedule steps again whose workers are gone. Returns how many of them were still in flight."""
        self._engine.attempts.arrivals.note()
        self._run.request_context.update(request.request_context or {})
        self._trace.adopt()
        lost = await self._engine.attempts.restart(request)
        if self._scope is not None:
            self._trace.restart(self._scope, lost)
        count_restart(self.workflow_id, len(lost))
        return len(lost)

    @workflow.query(name=QUERY_STATUS)
    def status(self) -> RunStatusReply:
        """The run's status at this moment."""
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
        """What has happened in the run, for those who read its stream."""
        return self.stream.read(query)

    @workflow.query(name=QUERY_LOOKUP)
    def lookup(self, query: LookupQuery) -> LookupReply:
        """What a step asks for while it runs."""
        scope = self._run.scopes.get(tuple(query.scope or ()))
        if scope is None:
            return LookupReply()
        if query.step_id is None:
            return LookupReply(value=scope.init_data)
        output = scope.output_of(query.step_id)
        return LookupReply(value=None if output is MISSING else output)
