"""Call user code on the event loop or in a thread, with a time limit, and handle its cancellation."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any, Literal

from temporalio import activity
from temporalio.exceptions import CancelledError

from mastra_temporal._definition.function import UserFunction
from mastra_temporal._worker.activities import boundary
from mastra_temporal._worker.activities.heartbeat import AttemptLost, Heartbeat
from mastra_temporal._worker.activities.heartbeat_thread import HEARTBEATS
from mastra_temporal.context import AbortSignal
from mastra_temporal.errors import StepTimeoutError

__all__ = ["AttemptGivenUp", "call", "overdue", "supervise"]

_logger = logging.getLogger("mastra_temporal.worker")

FORGOTTEN_GRACE_MS = 1000
"""Grace period in milliseconds if the result is no longer used: timed out, replaced, or the run has closed."""
STOP_SECONDS = 2.0
"""Seconds that a cancelled coroutine gets to end."""
SDK_HEARS_MS = 2500
"""Milliseconds to wait until the SDK knows of a cancellation. It may hold back a heartbeat for one second."""
SHUTDOWN_RETRY = timedelta(milliseconds=10)
"""Delay before Temporal retries an attempt that ended because its worker shut down."""


class AttemptGivenUp(CancelledError):
    """The attempt is no longer wanted, and its body did not end within the grace period."""


async def call(
    function: UserFunction,
    input_data: Any,
    context: Any,
    *,
    owner: str,
    executor: Executor,
    heartbeat: Heartbeat | None = None,
) -> Any:
    """Call a user function and return its result.

    An ``async def`` runs on the event loop, a ``def`` in a thread. An awaitable result is awaited.

    Args:
        function: The function.
        input_data: Its input.
        context: Its context.
        owner: Whose function it is, for messages.
        executor: The threads for ``def`` functions.
        heartbeat: The heartbeat to begin when the function begins.
    """
    bound = function.bind(input_data, context)
    with HEARTBEATS.watching():
        if function.in_thread:
            return await _call_in_thread(bound, owner, executor, heartbeat)
        if heartbeat is not None:
            await heartbeat.begin()
        return await boundary.call(bound, owner=owner, executor=None)


async def _call_in_thread(
    function: Callable[[], Any], owner: str, executor: Executor, heartbeat: Heartbeat | None
) -> Any:
    running = threading.Event()

    def call() -> Any:
        if heartbeat is not None:
            heartbeat.begin_in_thread()
        running.set()
        try:
            return function()
        finally:
            running.clear()

    try:
        return await boundary.call(call, owner=owner, executor=executor)
    except asyncio.CancelledError:
        if running.is_set():
            _count_left(owner)
        raise


def _count_left(owner: str) -> None:
    """Count and log user code that still runs after its attempt ended."""
    meter = activity.metric_meter()
    meter.create_counter("mastra_calls_left_running", "User code that ran on after its attempt was over").add(1)
    _logger.warning(
        "%s runs on although its attempt is over: it cannot be interrupted. Nothing waits for it, but it keeps its "
        "thread or task until it ends. Look at `ctx.abort_signal.aborted` in the step, and give what it calls a "
        "timeout of its own.",
        owner,
    )


async def supervise(
    body: asyncio.Task[Any], heartbeat: Heartbeat, *, owner: str, timeout_ms: int, grace_ms: int
) -> Any:
    """Wait for the body of an activity and return its result.

    Cancelling the run does not interrupt the body: it sets the abort signal, and a result that the body returns within
    the grace period counts. A worker shutdown interrupts the body, and Temporal repeats the attempt on another worker.

    Args:
        body: The task that runs the user code.
        heartbeat: The heartbeat of the attempt.
        owner: Whose body it is, for messages.
        timeout_ms: The time limit of the body in milliseconds.
        grace_ms: Milliseconds that the body gets to end after its run was cancelled.

    Raises:
        StepTimeoutError: The body exceeded its time limit.
        AttemptGivenUp: The grace period ended before the body did.
        AttemptLost: The worker shuts down. Temporal retries.
    """
    given_up = asyncio.wrap_future(heartbeat.given_up)
    listener = _Listener()
    reason: Literal["canceled", "timed_out", "worker_shutdown"] = "timed_out"
    try:
        await listener.wait({body, given_up}, timeout_ms)
        # The result counts only if the run was cancelled. In all other cases nothing reads it, so a short grace is
        # enough.
        if given_up.done() and not listener.is_shutting_down:
            await listener.wait({body}, grace_ms if given_up.result() else min(grace_ms, FORGOTTEN_GRACE_MS))
    except asyncio.CancelledError:
        body.cancel()
        raise
    if not body.done():
        if given_up.done():
            reason = "canceled"
        elif listener.is_shutting_down:
            reason = "worker_shutdown"
        await _stop(body, owner, heartbeat.abort_signal, reason)
        if reason == "canceled":
            # Raised before the SDK knows of the cancellation, this error would be reported as a failure of the step.
            await listener.let_sdk_hear(heartbeat)
            raise AttemptGivenUp(f"{owner} was canceled")
        if reason == "timed_out":
            raise overdue(owner, timeout_ms)
        # Without this, a rolling deployment would count as lost attempts and could exceed `max_lost_attempts`.
        heartbeat.hand_back()
        raise AttemptLost(f"{owner}: the worker shut down", "WorkerShutdown", retry_after=SHUTDOWN_RETRY)
    if given_up.done() and not body.cancelled() and isinstance(body.exception(), AttemptLost):
        # It was given up before it began. Without this the server would record a failure of the step.
        await listener.let_sdk_hear(heartbeat)
        raise AttemptGivenUp(f"{owner} was canceled before it began")
    return body.result()


def overdue(owner: str, timeout_ms: int) -> StepTimeoutError:
    """Return the error for an attempt that exceeded its time limit."""
    return StepTimeoutError(f"{owner} exceeded its start-to-close timeout of {timeout_ms} ms.")


class _Listener:
    """Waits for a body, and handles the SDK's cancellation requests.

    The heartbeat knows better than the SDK what happened to the attempt. If the event loop was blocked, the SDK assumes
    that the attempt timed out and cancels it once. It never cancels the same attempt again, not even when the worker
    shuts down. So after the first cancellation this class waits for the shutdown itself.
    """

    def __init__(self) -> None:
        self.is_shutting_down = False
        self._was_told = False

    async def wait(self, futures: set[asyncio.Future[Any]], timeout_ms: int) -> None:
        """Wait until one of the futures is done, the timeout expires, or the worker shuts down."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_ms / 1000
        shutdown: set[asyncio.Future[Any]] = set()
        try:
            while not any(future.done() for future in futures) and (remaining := deadline - loop.time()) > 0:
                try:
                    await asyncio.wait(futures | shutdown, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
                except asyncio.CancelledError:
                    # The SDK cancels at most once. Passing that on would end the body without its grace period.
                    if self._was_told or not activity.is_cancelled():
                        raise  # the cancellation comes from elsewhere
                    self._was_told = True
                if _is_shutting_down() or any(task.done() for task in shutdown):
                    self.is_shutting_down = True
                    return
                if self._was_told and not shutdown:
                    shutdown = {asyncio.create_task(activity.wait_for_worker_shutdown())}
        finally:
            for task in shutdown:
                task.cancel()

    async def let_sdk_hear(self, heartbeat: Heartbeat) -> None:
        """Wait until the SDK knows that the attempt is cancelled. Otherwise it would report a failure."""
        heartbeat.tell_sdk()
        heard = asyncio.create_task(activity.wait_for_cancelled())
        await self.wait({heard}, SDK_HEARS_MS)
        heard.cancel()


def _is_shutting_down() -> bool:
    details = activity.cancellation_details()
    return details is not None and details.worker_shutdown


async def _stop(
    body: asyncio.Task[Any],
    owner: str,
    abort: AbortSignal,
    reason: Literal["canceled", "timed_out", "worker_shutdown"],
) -> None:
    body.cancel()
    # Not `await body`: a coroutine that ignores its cancellation would block the end of the attempt.
    await asyncio.wait({body}, timeout=STOP_SECONDS)
    if not body.done():
        _count_left(owner)
    # A thread cannot be interrupted. It runs until it reads this signal.
    abort._set(reason)  # pyright: ignore[reportPrivateUsage]
