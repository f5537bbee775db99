"""How many attempts in a row were lost: their workers died, or did not answer. There is a limit.

Code that kills its worker would otherwise kill one after the other. Each attempt is counted when it begins, as if it
were going to be lost: then it need not say anything any more. One that fails by itself starts the count anew, and so
does a new checkpoint; one that is handed back takes itself out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity
from temporalio.api.enums.v1 import TimeoutType
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.service import RPCError

from mastra_temporal._protocol.step_calls import Checkpoint
from mastra_temporal._worker.activities.given_up import pending_activity
from mastra_temporal.errors import LostAttemptsError

__all__ = ["LostAttempts", "died_unrecorded", "effective_limit"]

NAMED_WORKERS = 3
"""The last ones, which the error names."""
ALIVE = timedelta(seconds=3.5)
"""Between the last beat of an attempt that reached its time limit alive, and the next attempt, at most. It beat every
second, and Temporal waits for one before it tries again."""


@dataclass(frozen=True)
class LostAttempts:
    """What became of the attempts before this one."""

    recorded: Checkpoint
    """What they recorded."""
    is_repeated: bool
    """Whether there were any."""
    limit: int | None
    """How many may be lost in a row; None for any number."""
    was_overdue: bool = False
    """Whether the last one was alive until the server ended it at its time limit: it could not say so itself, since its
    code blocked the event loop. That is no loss, but a failure of the step. This attempt is to report it."""

    @classmethod
    async def before_this_one(cls, carried: Checkpoint | None, *, limit: int | None) -> LostAttempts:
        """Of the activity that is running.

        Args:
            carried: What an attempt recorded that ``restart()`` gave up.
            limit: How many may be lost in a row; None for any number.
        """
        info = activity.info()
        recorded = carried or Checkpoint()
        if info.heartbeat_details:
            recorded = Checkpoint.model_validate(info.heartbeat_details[0])
        if info.attempt > 1 and (recorded.begun or recorded == Checkpoint()):
            last = await _timed_out(info)
            if last is not None and _was_alive_to_the_end(last):
                return cls(recorded, True, limit, was_overdue=True)
            if last is not None and not recorded.begun:
                recorded = Checkpoint(lost=1, begun=True)  # it was lost before it could record anything
        return cls(recorded, info.attempt > 1 or recorded != Checkpoint(), limit)

    @property
    def is_restart(self) -> bool:
        """Whether this attempt repeats one that did not come to its end."""
        return bool(self.recorded.begun)

    def with_this_one(self, identity: str) -> Checkpoint:
        """What the attempt says when it begins on the worker of that identity."""
        workers = [*(self.recorded.workers or []), identity][-NAMED_WORKERS:]
        return self.recorded.model_copy(update={"lost": self.recorded.lost + 1, "begun": True, "workers": workers})

    async def check(self, owner: str) -> None:
        """Refuse to begin when too many were lost.

        Raises:
            LostAttemptsError: They were.
        """
        if self.limit is None or self.recorded.lost < self.limit:
            return
        times = "once" if self.recorded.lost == 1 else f"{self.recorded.lost} times in a row"
        raise LostAttemptsError(
            f"{owner}: its worker died or did not answer {times}, and `max_lost_attempts` is {self.limit}. "
            f"The last time: {await _last_end(activity.info())} "
            f"Workers: {', '.join(self.recorded.workers or ['unknown'])}."
        )


def effective_limit(of_step: int | None, of_worker: int | None) -> int | None:
    """The limit of a step: what its call says (0 for none, None for nothing), or the worker's own."""
    return of_worker if of_step is None else of_step or None


def died_unrecorded(pending: PendingActivityInfo) -> Checkpoint:
    """What is assumed of an attempt that was lost before it could record anything."""
    return Checkpoint(lost=1, begun=True, workers=[pending.last_worker_identity])


async def _timed_out(info: activity.Info) -> PendingActivityInfo | None:
    """The activity, if the attempt before this one timed out; None if it ended otherwise, or was that of a restart."""
    try:
        pending = await pending_activity(activity.client(), info)
    except RPCError:
        return None
    return pending if pending is not None and pending.last_failure.HasField("timeout_failure_info") else None


def _was_alive_to_the_end(last: PendingActivityInfo) -> bool:
    """Whether an attempt reached its time limit with its worker alive.

    A dead worker is found out by the time limit, too, where that is shorter than the heartbeat timeout.
    """
    if _timeout_of(last) != TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE:
        return False
    return last.scheduled_time.ToDatetime() - last.last_heartbeat_time.ToDatetime() < ALIVE


def _timeout_of(last: PendingActivityInfo) -> TimeoutType.ValueType:
    return last.last_failure.timeout_failure_info.timeout_type


async def _last_end(info: activity.Info) -> str:
    last = await _timed_out(info)
    if last is None:
        return "given up by restart()."
    kind = "heartbeat" if _timeout_of(last) == TimeoutType.TIMEOUT_TYPE_HEARTBEAT else "start-to-close"
    return (
        f"{kind} timeout. The process ended (os._exit, a segmentation fault, out of memory), or the code held "
        "Python's lock (the GIL) for longer than the heartbeat timeout."
    )
