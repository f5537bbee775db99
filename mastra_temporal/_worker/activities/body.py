"""Calling user code: on the event loop or in a thread, with a time limit, through a cancellation."""

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
"""How long an attempt may go on that timed out, was replaced, or whose run has closed."""
STOP_SECONDS = 2.0
"""How long a coroutine may take to end that was cancelled."""
SDK_HEARS_MS = 2500
"""More than the SDK needs to hear of it as well: it may hold back a beat for a second."""
SHUTDOWN_RETRY = timedelta(milliseconds=10)


class AttemptGivenUp(CancelledError):
    """The run was canceled, or goes on without this attempt, and its body did not end within the grace."""


async def call(
    function: UserFunction,
    input_data: Any,
    context: Any,
    *,
    owner: str,
    executor: Executor,
    heartbeat: Heartbeat | None = None,
) -> Any:
    """Call a user function: ``async def`` on the event loop, ``def`` in a thread. What can be awaited is awaited.

    Args:
        function: The function.
        input_data: Its input.
        context: Its context.
        owner: Whose function it is, for messages.
        executor: The threads.
        heartbeat: Begins with the function.
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
    """Wait for the body of an activity.

    A cancelled run does not interrupt it: it sets the abort signal, and what the body returns within the grace
    counts. A worker that shuts down does: the attempt is repeated on another one.

    Raises:
        StepTimeoutError: The body took longer than its limit.
        AttemptGivenUp: The grace is over.
        AttemptLost: The worker shuts down; Temporal tries again.
    """
    given_up = asyncio.wrap_future(heartbeat.given_up)
    listener = _Listener()
    reason: Literal["canceled", "timed_out", "worker_shutdown"] = "timed_out"
    try:
        await listener.wait({body, given_up}, timeout_ms)
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
            await listener.let_sdk_hear(heartbeat)
            raise AttemptGivenUp(f"{owner} was canceled")
        if reason == "timed_out":
            raise overdue(owner, timeout_ms)
        heartbeat.hand_back()
        raise AttemptLost(f"{owner}: the worker shut down", "WorkerShutdown", retry_after=SHUTDOWN_RETRY)
    return body.result()


def overdue(owner: str, timeout_ms: int) -> StepTimeoutError:
    """The error of an attempt that took longer than its limit."""
    return StepTimeoutError(f"{owner} exceeded its start-to-close timeout of {timeout_ms} ms.")


class _Listener:
    """Waits for a body, and listens to the SDK as far as it is to be believed.

    What became of the attempt the heartbeat knows better. When the event loop was blocked, the SDK takes the attempt
    for dead, and then it says nothing more to it, not even that the worker shuts down: that is asked for instead.
    """

    def __init__(self) -> None:
        self.is_shutting_down = False
        self._was_told = False

    async def wait(self, futures: set[asyncio.Future[Any]], timeout_ms: int) -> None:
        """Wait for the first of these, for the time to be over, or for the worker to shut down."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_ms / 1000
        shutdown: set[asyncio.Future[Any]] = set()
        try:
            while not any(future.done() for future in futures) and (remaining := deadline - loop.time()) > 0:
                try:
                    await asyncio.wait(futures | shutdown, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
                except asyncio.CancelledError:
                    if self._was_told or not activity.is_cancelled():
                        raise  # it is not the SDK
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
        """Have the SDK know that the attempt is canceled, or it would report a failure."""
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
    await asyncio.wait({body}, timeout=STOP_SECONDS)
    if not body.done():
        _count_left(owner)
    # A thread cannot be interrupted: it goes on until it looks at its signal.
    abort._set(reason)  # pyright: ignore[reportPrivateUsage]
