"""Calling user code: on the event loop or in a thread, with a time limit, through a cancellation."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from mastra_temporal.context import AbortSignal
from mastra_temporal.definition.function import UserFunction
from mastra_temporal.errors import StepTimeoutError
from mastra_temporal.steps import boundary

__all__ = ["call", "is_given_up", "supervise"]

THREADS = ThreadPoolExecutor(max_workers=100, thread_name_prefix="mastra-step")
"""As many as the activities that a worker runs at once by default."""

FORGOTTEN_GRACE_MS = 1000
"""How long an attempt may go on that timed out, was replaced, or whose run has closed."""


async def call(function: UserFunction, input_data: Any, context: Any, *, owner: str) -> Any:
    """Call a user function: ``async def`` on the event loop, ``def`` in a thread. What can be awaited is awaited."""
    bound = function.bind(input_data, context)
    return await boundary.call(bound, owner=owner, executor=THREADS if function.in_thread else None)


async def supervise(body: asyncio.Task[Any], *, owner: str, timeout_ms: int, grace_ms: int, abort: AbortSignal) -> Any:
    """Wait for a step's body.

    A cancelled run does not interrupt the body: it sets the abort signal, and what the body returns within the grace
    counts. A worker that shuts down does: the step is tried again on another one.

    Raises:
        StepTimeoutError: The body took longer than its limit.
        CancelledError: The grace is over.
        ApplicationError: The worker shuts down; Temporal tries again.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_ms / 1000
    try:
        await asyncio.wait({body}, timeout=timeout_ms / 1000)
    except asyncio.CancelledError:
        if is_given_up() or _is_shutting_down():
            await _hear_of_cancellation(body, owner, grace_ms, abort)
        else:
            await asyncio.wait({body}, timeout=deadline - loop.time())
    if not body.done():
        await _stop(body, abort)
        raise StepTimeoutError(f"{owner} exceeded its start-to-close timeout of {timeout_ms} ms.")
    return body.result()


def is_given_up() -> bool:
    """Whether nobody wants this attempt any more.

    The SDK also calls an attempt cancelled when its worker shuts down, and when its *next* attempt was hurried: a
    restart found the step waiting for it, but it had begun.
    """
    details = activity.cancellation_details()
    if not activity.is_cancelled() or details is None:
        return activity.is_cancelled()
    return details.cancel_requested or not (details.reset or details.worker_shutdown)


def _is_shutting_down() -> bool:
    details = activity.cancellation_details()
    return details is not None and details.worker_shutdown


async def _hear_of_cancellation(body: asyncio.Task[Any], owner: str, grace_ms: int, abort: AbortSignal) -> None:
    if _is_shutting_down():
        await _stop(body, abort)
        raise ApplicationError(
            f"{owner}: the worker shut down", type="WorkerShutdown", next_retry_delay=timedelta(milliseconds=10)
        )
    abort._set()  # pyright: ignore[reportPrivateUsage]
    details = activity.cancellation_details()
    if details is not None and (details.not_found or details.timed_out):
        # The attempt is over for Temporal: nobody takes its result, it only has to hear of it.
        grace_ms = min(grace_ms, FORGOTTEN_GRACE_MS)
    try:
        await asyncio.wait({body}, timeout=grace_ms / 1000)
    finally:
        if not body.done():
            await _stop(body, abort)


async def _stop(body: asyncio.Task[Any], abort: AbortSignal) -> None:
    body.cancel()
    await asyncio.gather(body, return_exceptions=True)
    # A thread cannot be interrupted: it goes on until it looks at its signal.
    abort._set()  # pyright: ignore[reportPrivateUsage]
