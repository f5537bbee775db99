"""Count how many attempts in a row were lost, because their workers died or did not answer, and enforce a limit.

Without a limit, code that kills its worker would kill one worker after the other. Each attempt is counted as lost when
it begins, because a killed worker cannot report anything later. A failure of the step or a new checkpoint resets the
count. An attempt that is handed back restores it.
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
"""Number of latest workers that the error names."""
ALIVE = timedelta(seconds=3.5)
"""Maximum time from the last heartbeat of a living attempt to the next attempt, if the first exceeded its time limit.

A living attempt sends a heartbeat every second, and Temporal waits one second before it retries.
"""


@dataclass(frozen=True)
class LostAttempts:
    """What is known of the attempts before this one."""

    recorded: Checkpoint
    """The heartbeat details that they recorded."""
    is_repeated: bool
    """Whether there were earlier attempts."""
    limit: int | None
    """How many attempts may be lost in a row; None for no limit."""
    was_overdue: bool = False
    """Whether the last attempt was alive until the server ended it at its time limit.

    Its code blocked the event loop, so it could not report the timeout itself. That is not a lost attempt but a failure
    of the step, which this attempt reports.
    """

    @classmethod
    async def before_this_one(cls, carried: Checkpoint | None, *, limit: int | None) -> LostAttempts:
        """Return what is known of the attempts before the running one.

        Args:
            carried: What the attempt that ``restart()`` gave up had recorded.
            limit: How many attempts may be lost in a row; None for no limit.
        """
        info = activity.info()
        recorded = carried or Checkpoint()
        if info.heartbeat_details:
            recorded = Checkpoint.model_validate(info.heartbeat_details[0])
        # `begun` or an empty record means that the last attempt did not end by itself. Only the server knows how it
        # ended.
        if info.attempt > 1 and (recorded.begun or recorded == Checkpoint()):
            last = await _timed_out(info)
            if last is not None and _was_alive_to_the_end(last):
                return cls(recorded, True, limit, was_overdue=True)
            if last is not None and not recorded.begun:
                recorded = Checkpoint(lost=1, begun=True)  # the attempt was lost before its first heartbeat
        return cls(recorded, info.attempt > 1 or recorded != Checkpoint(), limit)

    @property
    def is_restart(self) -> bool:
        """Whether this attempt repeats one that did not finish."""
        return bool(self.recorded.begun)

    def with_this_one(self, identity: str) -> Checkpoint:
        """Return the heartbeat details of this attempt when it begins on the worker with this identity."""
        workers = [*(self.recorded.workers or []), identity][-NAMED_WORKERS:]
        return self.recorded.model_copy(update={"lost": self.recorded.lost + 1, "begun": True, "workers": workers})

    async def check(self, owner: str) -> None:
        """Raise an error if too many attempts were lost.

        Args:
            owner: Whose attempts they are, for the message.

        Raises:
            LostAttemptsError: The limit is reached.
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
    """Return the limit of a step: the one of its call (0 for no limit, None if not set), or else the worker's."""
    return of_worker if of_step is None else of_step or None


def died_unrecorded(pending: PendingActivityInfo) -> Checkpoint:
    """Return the heartbeat details to assume for an attempt that was lost before its first heartbeat."""
    return Checkpoint(lost=1, begun=True, workers=[pending.last_worker_identity])


async def _timed_out(info: activity.Info) -> PendingActivityInfo | None:
    """Return the pending activity if the attempt before this one timed out, and None otherwise."""
    last = await _last_failed(info)
    return last if last is not None and last.last_failure.HasField("timeout_failure_info") else None


async def _last_failed(info: activity.Info) -> PendingActivityInfo | None:
    """Return the pending activity if the server recorded how the attempt before this one ended, and None otherwise."""
    try:
        pending = await pending_activity(activity.client(), info)
    except RPCError:
        return None
    return pending if pending is not None and pending.HasField("last_failure") else None


def _was_alive_to_the_end(last: PendingActivityInfo) -> bool:
    """Return whether the worker of an attempt was alive when the attempt reached its time limit.

    If the time limit is shorter than the heartbeat timeout, a dead worker also shows as a start-to-close timeout. Then
    the last heartbeat is older.
    """
    if _timeout_of(last) != TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE:
        return False
    return last.scheduled_time.ToDatetime() - last.last_heartbeat_time.ToDatetime() < ALIVE


def _timeout_of(last: PendingActivityInfo) -> TimeoutType.ValueType:
    return last.last_failure.timeout_failure_info.timeout_type


async def _last_end(info: activity.Info) -> str:
    """Describe how the last attempt ended, for the message."""
    last = await _last_failed(info)
    if last is None:
        return "given up by restart()."
    if not last.last_failure.HasField("timeout_failure_info"):
        return (
            "its task was canceled by code of the worker's process. Cancel only tasks that your own code has started, "
            "not those of `asyncio.all_tasks()`."
        )
    kind = "heartbeat" if _timeout_of(last) == TimeoutType.TIMEOUT_TYPE_HEARTBEAT else "start-to-close"
    return (
        f"{kind} timeout. The process ended (os._exit, a segmentation fault, out of memory), or the code held "
        "Python's lock (the GIL) for longer than the heartbeat timeout."
    )
