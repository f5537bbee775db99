"""The activities in flight of one run. A restart gives up lost attempts, a cancellation aborts all of them.

`Attempts.restart` cancels a lost attempt and schedules its activity again at once, in these steps:

1. It runs a local activity first. Within one activation, the SDK runs update handlers *before* it delivers activity
   results, whatever their order in the history. When the local activity has ended, every result that was recorded
   before the update has been delivered. Without it, a step that had just finished would run again.
2. The local activity asks the server whether the attempt is still the one that the caller saw. That one may have timed
   out since, and a new attempt may be running, which must not be given up. No new attempt can begin between the answer
   and our commands, because the server waits one second (`CRASH_RETRY`) before it retries.
3. An attempt that is still in flight, and still the same one, is given up.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeVar

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import CancelledError

from mastra_temporal._protocol.limits import bytes_error, sent_bytes
from mastra_temporal._protocol.messages import LostAttempt, RestartRequest
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.names import ACTIVITY_STILL_LOST
from mastra_temporal._protocol.results import ErrorInfo
from mastra_temporal._protocol.step_calls import Checkpoint
from mastra_temporal._tracing.carrier import Carrier
from mastra_temporal._tracing.headers import earlier_attempts, outbound
from mastra_temporal._worker.workflow.encoded import Encoded, decode, encode
from mastra_temporal._worker.workflow.history_size import ACTIVITY, LOCAL_ACTIVITY, HistorySize
from mastra_temporal._worker.workflow.room import Room
from mastra_temporal._worker.workflow.scope import RunState
from mastra_temporal._worker.workflow.task_budget import TaskBudget
from mastra_temporal._worker.workflow.trace import LostSpan

__all__ = ["CRASH_RETRY", "ActivityPlan", "Attempts", "TooLargeError"]

T = TypeVar("T")

CRASH_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=1,
    maximum_attempts=0,
    non_retryable_error_types=["PayloadsTooLarge", "PayloadSizeError"],
)
"""Retries crashes without limit. The step's own failures are counted in the activity, which knows their limit."""

TURNS_OF_A_RESULT = 5
"""Turns of the event loop: more than a delivered result needs to reach its step. If an activity handle is cancelled
after its result was delivered and before its task has run, the SDK raises CancelledError and drops the result."""


@dataclass(frozen=True)
class ActivityPlan:
    """The options with which an activity is scheduled."""

    activity_type: str
    summary: str | None
    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    schedule_to_close_timeout: timedelta | None = None
    task_queue: str | None = None
    abortable: bool = True
    """Whether cancelling the run cancels this activity. False for callbacks, which run at the end."""
    argument: str = "The argument"
    """What the argument of the activity is, for the error if it is too large."""


class TooLargeError(Exception):
    """The argument of an activity does not fit into one payload."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info["message"])
        self.info = info


@dataclass(eq=False)
class InFlight:
    """One scheduled activity. It is settled when the activity ends, or when a restart declares it lost."""

    handle: workflow.ActivityHandle[Any]
    settled: asyncio.Future[Literal["done", "lost"]]
    abortable: bool
    context: Carrier
    """The trace context in the activity's headers."""
    carried: Checkpoint | None = None
    """The checkpoint of a lost attempt, for the next one."""
    tried: int = 0
    """How many attempts of the activity the server has counted, once it is lost."""
    request_context: dict[str, Any] | None = None
    """Values of the restart that override those of the lost attempt."""

    def settle(self, how: Literal["done", "lost"]) -> None:
        if not self.settled.done():
            self.settled.set_result(how)


class Attempts:
    """All activities in flight of one run."""

    def __init__(self, run: RunState) -> None:
        """Create the record of a run that has scheduled nothing yet."""
        self._run = run
        self._in_flight: dict[str, InFlight] = {}
        self._scheduled: dict[str, int] = {}
        self.history = HistorySize()
        self._room = Room()
        self.budget = TaskBudget(self.history)
        self.aborted = False

    @property
    def any_in_flight(self) -> bool:
        """Whether an activity is in flight."""
        return bool(self._in_flight)

    async def perform(self, name: str, call: Any, result_type: type[T], plan: ActivityPlan) -> T:
        """Run an activity and return its result. Schedule it again each time a restart declares it lost.

        Args:
            name: The name of the activity in the UI: the path of the step.
            call: The argument of the activity. The checkpoint of a lost attempt is put into ``call.carried``.
            result_type: The type of the result.
            plan: The options with which it is scheduled.

        Raises:
            ActivityError: The activity failed, or was cancelled because the run was.
            CancelledError: The run was canceled before the activity was scheduled, or after it was lost.
            TooLargeError: The argument does not fit into one payload.
        """
        tried, lost = 0, False
        while True:
            argument = self._fitting(encode(call), plan)
            await self._room.enter(again=lost)
            await self.budget.take(sent_bytes(argument.size, self._run.stored_from))
            if self.aborted and plan.abortable:
                self._room.leave()
                raise CancelledError("The run was canceled before the step began.")
            # Nothing may wait between the checks above and the command: the room, the budget and `aborted` would be
            # out of date. The ID is taken here as well, since its number is the order of the commands.
            activity_id = self._next_id(name)
            earlier_attempts.set(tried)
            handle = workflow.start_activity(
                plan.activity_type,
                argument.value,
                result_type=RawValue,
                activity_id=activity_id,
                summary=_again(plan.summary) if lost else plan.summary,
                task_queue=plan.task_queue,
                start_to_close_timeout=plan.start_to_close_timeout,
                schedule_to_close_timeout=plan.schedule_to_close_timeout,
                heartbeat_timeout=plan.heartbeat_timeout,
                retry_policy=CRASH_RETRY,
                # Wait for the activity to end: with TRY_CANCEL, a result that arrives after the cancellation is lost.
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
            attempt = InFlight(handle, asyncio.get_running_loop().create_future(), plan.abortable, _trace_context())
            self.history.add(ACTIVITY, sent_bytes(argument.size, self._run.stored_from))
            handle.add_done_callback(lambda _, attempt=attempt: attempt.settle("done"))
            # A lost activity keeps its place until its handle is done: the server counts it as pending until then.
            handle.add_done_callback(lambda _: self._room.leave())
            with self._tracked(activity_id, attempt):
                if await attempt.settled == "done":
                    return self._received(await handle, result_type)
            if self.aborted and plan.abortable:
                raise CancelledError("The worker of this attempt is gone, and the run was canceled.")
            tried, lost = tried + attempt.tried, True
            if attempt.carried is not None:
                call = call.model_copy(update={"carried": attempt.carried})
            if attempt.request_context:
                values: dict[str, Any] = {**(call.request_context or {}), **attempt.request_context}
                call = call.model_copy(update={"request_context": values})

    async def perform_locally(self, name: str, call: CamelModel, result_type: type[T], plan: ActivityPlan) -> T:
        """Run a local activity and return its result. If the worker dies, the next one runs it again.

        Raises:
            ApplicationError: The activity failed.
            CancelledError: The run was canceled.
        """
        # The argument has no limit, because it is not sent. It must not have one: parts of it differ in a replay.
        await self.local_room()
        if self.aborted:
            raise CancelledError("The run was canceled before the step began.")
        activity_id = self._next_id(name)
        handle = workflow.start_local_activity(
            plan.activity_type,
            call,
            result_type=RawValue,
            activity_id=activity_id,
            summary=plan.summary,
            start_to_close_timeout=plan.start_to_close_timeout,
            schedule_to_close_timeout=plan.schedule_to_close_timeout,
            retry_policy=CRASH_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        attempt = InFlight(handle, asyncio.get_running_loop().create_future(), plan.abortable, _trace_context())
        with self._tracked(activity_id, attempt):
            return self.received_locally(await handle, result_type)

    async def local_room(self) -> None:
        """Wait until the workflow task has room for the result of a local activity. Call this before it starts."""
        await self.budget.take(0)
        self.history.add(LOCAL_ACTIVITY)

    def received_locally(self, result: RawValue, result_type: type[T]) -> T:
        """Decode and count the result of a local activity, which the workflow task sends to the server."""
        self.budget.spend(sent_bytes(len(result.payload.data), self._run.stored_from))
        return self._received(result, result_type)

    @contextlib.contextmanager
    def _tracked(self, activity_id: str, attempt: InFlight) -> Generator[None]:
        """Keep an attempt in flight while the block waits for its end."""
        self._in_flight[activity_id] = attempt
        try:
            yield
        except asyncio.CancelledError:
            # asyncio's CancelledError would pass through the interpreter and end the run without its callbacks.
            # Temporal's becomes the result of the step.
            if not self.aborted:
                raise
            raise CancelledError("The step ended while it was canceled.") from None
        finally:
            del self._in_flight[activity_id]

    def count_update(self, size: int) -> None:
        """Count an accepted update, which the workflow task sends back to the server."""
        self.budget.spend(size)
        self.history.add_update(size)

    def _fitting(self, argument: Encoded, plan: ActivityPlan) -> Encoded:
        error = bytes_error(argument.size, plan.argument, self._run.stored_from)
        if error is not None:
            raise TooLargeError(error)
        return argument

    def _received(self, result: RawValue, result_type: type[T]) -> T:
        self.history.add(0, sent_bytes(len(result.payload.data), self._run.stored_from))
        return decode(result, result_type)

    def abort(self) -> None:
        """Cancel every abortable activity in flight, and let no other begin."""
        self.aborted = True
        self._room.let_all_in()
        self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        # Results that were delivered in this activation must reach their steps first. Without the delay, a step that
        # finished in the same workflow task as the cancellation would be recorded as canceled.
        for _ in range(TURNS_OF_A_RESULT):
            await asyncio.sleep(0)
        for attempt in self._in_flight.values():
            if attempt.abortable:
                attempt.handle.cancel()

    async def restart(self, request: RestartRequest) -> list[LostSpan]:
        """Give up the named attempts that are still in flight, so that their activities are scheduled again.

        Returns:
            The attempts that were given up.
        """
        same = await _same_attempts(request)
        # Read `_in_flight` only after the local activity, when all results that were recorded before this update have
        # been delivered. Before it, a finished step would still seem to be in flight, and would run again.
        lost = [item for item in request.attempts if item.activity_id in self._in_flight and item.activity_id in same]
        for attempt in lost:
            self._in_flight[attempt.activity_id].request_context = request.request_context
        return [self._lose(attempt) for attempt in lost]

    def _lose(self, lost: LostAttempt) -> LostSpan:
        attempt = self._in_flight[lost.activity_id]
        attempt.carried = lost.carried
        attempt.tried = lost.attempt
        # The lost attempt may still be alive and fail later. Retrieve its exception, which nothing else awaits: asyncio
        # would log "Task exception was never retrieved".
        attempt.handle.add_done_callback(lambda handle: handle.cancelled() or handle.exception())
        attempt.handle.cancel()
        attempt.settle("lost")
        return LostSpan(lost.activity_id, lost.attempt, attempt.context)

    def scheduled(self, name: str) -> int:
        """Return how many activities of that name have been scheduled."""
        return self._scheduled.get(name, 0)

    def _next_id(self, name: str) -> str:
        number = self._scheduled.get(name, 0) + 1
        self._scheduled[name] = number
        return name if number == 1 else f"{name}#{number}"


def _again(summary: str | None) -> str:
    """Return the summary of an activity that replaces a lost one, which the Temporal UI shows beside it."""
    return "again, after a restart" if summary is None else f"{summary} · again, after a restart"


def _trace_context() -> Carrier:
    carry = outbound.get()
    return {} if carry is None else carry()[1]


async def _same_attempts(request: RestartRequest) -> list[str]:
    """Return the IDs of the activities whose current attempt is still the one that the caller saw."""
    return await workflow.execute_local_activity(
        ACTIVITY_STILL_LOST, request, result_type=list[str], start_to_close_timeout=timedelta(seconds=10)
    )
