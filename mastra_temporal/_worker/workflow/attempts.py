"""The activities in flight, and what happens to them from outside: a restart takes them for lost, a cancel aborts them.

A lost attempt is cancelled and forgotten, and its activity is scheduled again at once. In one activation Temporal
delivers updates *before* activity results, whatever the order in the history. So a restart first goes once around the
worker (a local activity): after that every result recorded before the restart has been delivered, and an attempt that
is still in flight really has no result. Without it a step that had just finished would run again. The local activity
also asks the server whether the attempt is still the one that the caller saw: it may have timed out meanwhile, and the
next one be at work. That one cannot begin between the question and our commands, because Temporal waits for a second
(`CRASH_RETRY`) before it tries again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import CancelledError

from mastra_temporal._protocol.limits import sent_size
from mastra_temporal._protocol.messages import LostAttempt, RestartRequest
from mastra_temporal._protocol.names import ACTIVITY_STILL_LOST
from mastra_temporal._protocol.step_calls import Checkpoint
from mastra_temporal._tracing.carrier import Carrier
from mastra_temporal._tracing.headers import earlier_attempts, outbound
from mastra_temporal._worker.workflow.arrivals import Arrivals
from mastra_temporal._worker.workflow.room import Room
from mastra_temporal._worker.workflow.scope import RunState
from mastra_temporal._worker.workflow.task_budget import TaskBudget
from mastra_temporal._worker.workflow.trace import LostSpan

__all__ = ["CRASH_RETRY", "ActivityPlan", "Attempts"]

CRASH_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=1,
    maximum_attempts=0,
    non_retryable_error_types=["PayloadsTooLarge", "PayloadSizeError"],
)
"""Crashes are retried without limit. A step's own failures are counted by the step's wrapper, which knows its limit."""

TURNS_OF_A_RESULT = 5
"""More turns of the event loop than a result needs to come to its step. The SDK would let go of a result that came with
the same workflow task as the cancellation, if the step were canceled before."""


@dataclass(frozen=True)
class ActivityPlan:
    """How an activity is to be scheduled."""

    activity_type: str
    summary: str | None
    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    schedule_to_close_timeout: timedelta | None = None
    task_queue: str | None = None
    abortable: bool = True
    """Whether a canceled run tells it so: not what the run does at its end."""


@dataclass(eq=False)
class InFlight:
    """One attempt: ends when the activity does, or when it is declared lost."""

    handle: workflow.ActivityHandle[Any]
    settled: asyncio.Future[Literal["done", "lost"]]
    abortable: bool
    context: Carrier
    """The trace context that it was given."""
    carried: Checkpoint | None = None
    tried: int = 0
    request_context: dict[str, Any] | None = None
    """Values that the next attempt gets over those of this one."""

    def settle(self, how: Literal["done", "lost"]) -> None:
        if not self.settled.done():
            self.settled.set_result(how)


class Attempts:
    """All activities in flight of one run."""

    def __init__(self, run: RunState) -> None:
        """Nothing is in flight yet."""
        self._run = run
        self._in_flight: dict[str, InFlight] = {}
        self._scheduled: dict[str, int] = {}
        self.arrivals = Arrivals()
        self._room = Room(self.arrivals)
        self.budget = TaskBudget(self.arrivals)
        self.aborted = False

    @property
    def any_in_flight(self) -> bool:
        """Whether an activity is under way."""
        return bool(self._in_flight)

    async def perform(self, name: str, call: Any, result_type: type[Any], plan: ActivityPlan) -> Any:
        """Run an activity to its result, through any number of lost attempts.

        Args:
            name: What the activity is called in the UI: the step's path.
            call: Its argument; a lost attempt's checkpoint is put into ``call.carried``.
            result_type: Its result.
            plan: How it is scheduled.

        Raises:
            ActivityError: The activity failed, or was cancelled because the run was.
            CancelledError: The attempt was lost, and the run canceled: it is not tried again.
        """
        tried, lost = 0, False
        while True:
            await self._room.enter(again=lost)
            await self.budget.take(sent_size(call, self._run.stored_from))
            if self.aborted and plan.abortable:
                self._room.leave()
                raise CancelledError("The run was canceled before the step began.")
            activity_id = self._next_id(name)
            earlier_attempts.set(tried)
            handle = workflow.start_activity(
                plan.activity_type,
                call,
                result_type=result_type,
                activity_id=activity_id,
                summary=plan.summary,
                task_queue=plan.task_queue,
                start_to_close_timeout=plan.start_to_close_timeout,
                schedule_to_close_timeout=plan.schedule_to_close_timeout,
                heartbeat_timeout=plan.heartbeat_timeout,
                retry_policy=CRASH_RETRY,
                # The step's real result counts also when the run is being canceled.
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
            attempt = InFlight(handle, asyncio.get_running_loop().create_future(), plan.abortable, _trace_context())
            handle.add_done_callback(lambda _: self.arrivals.note())
            handle.add_done_callback(lambda _, attempt=attempt: attempt.settle("done"))
            handle.add_done_callback(
                lambda _: self._room.leave()
            )  # of a lost one: when the server has given it up, too
            self._in_flight[activity_id] = attempt
            try:
                if await attempt.settled == "done":
                    return await handle
            except asyncio.CancelledError:
                if not self.aborted:
                    raise
                raise CancelledError("The step ended while it was canceled.") from None
            finally:
                del self._in_flight[activity_id]
            if self.aborted and plan.abortable:
                raise CancelledError("The worker of this attempt is gone, and the run was canceled.")
            tried, lost = tried + attempt.tried, True
            if attempt.carried is not None:
                call = call.model_copy(update={"carried": attempt.carried})
            if attempt.request_context:
                values: dict[str, Any] = {**(call.request_context or {}), **attempt.request_context}
                call = call.model_copy(update={"request_context": values})

    def abort(self) -> None:
        """Tell every step in flight that the run is canceled, and let none begin."""
        self.aborted = True
        self._room.let_all_in()
        self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        for _ in range(TURNS_OF_A_RESULT):
            await asyncio.sleep(0)
        for attempt in self._in_flight.values():
            if attempt.abortable:
                attempt.handle.cancel()

    async def restart(self, request: RestartRequest) -> list[LostSpan]:
        """Take the named attempts for lost, as far as they are still in flight.

        Returns:
            Those that were.
        """
        same = await _same_attempts(request)
        lost = [item for item in request.attempts if item.activity_id in self._in_flight and item.activity_id in same]
        for attempt in lost:
            self._in_flight[attempt.activity_id].request_context = request.request_context
        return [self._lose(attempt) for attempt in lost]

    def _lose(self, lost: LostAttempt) -> LostSpan:
        attempt = self._in_flight[lost.activity_id]
        attempt.carried = lost.carried
        attempt.tried = lost.attempt
        # It may be alive after all and end some day: its end is nobody's business any more.
        attempt.handle.add_done_callback(lambda handle: handle.cancelled() or handle.exception())
        attempt.handle.cancel()
        attempt.settle("lost")
        return LostSpan(lost.activity_id, lost.attempt, attempt.context)

    def scheduled(self, name: str) -> int:
        """How many activities of that name have been scheduled."""
        return self._scheduled.get(name, 0)

    def _next_id(self, name: str) -> str:
        number = self._scheduled.get(name, 0) + 1
        self._scheduled[name] = number
        return name if number == 1 else f"{name}#{number}"


def _trace_context() -> Carrier:
    carry = outbound.get()
    return {} if carry is None else carry()[1]


async def _same_attempts(request: RestartRequest) -> list[str]:
    """The activities of which the attempt to give up is still the one under way."""
    return await workflow.execute_local_activity(
        ACTIVITY_STILL_LOST, request, result_type=list[str], start_to_close_timeout=timedelta(seconds=10)
    )
