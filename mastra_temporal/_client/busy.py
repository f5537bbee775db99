"""Recognize calls that the server rejects for a time, and retry those that it rejects because it is overloaded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.service import RPCError, RPCStatusCode

__all__ = ["has_failing_task", "is_busy", "pauses", "unhurried"]

T = TypeVar("T")

SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 5.0
"""Bounds of the pause between two attempts, in seconds."""


def is_busy(error: RPCError) -> bool:
    """Return whether the server asks to retry later, because of a limit on calls, long polls or updates in flight.

    This includes updates that the server aborted because it could not deliver them to the run in time.
    """
    if error.status == RPCStatusCode.UNAVAILABLE:
        return "update was aborted" in error.message
    # A payload that is too large has the same status. Retrying it would never end.
    return error.status == RPCStatusCode.RESOURCE_EXHAUSTED and "larger than max" not in error.message


def has_failing_task(error: RPCError) -> bool:
    """Return whether the server rejects an update because the run's workflow task fails, for example for a codec."""
    return "Workflow Task in failed state" in error.message


async def pauses(number: int) -> None:
    """Wait before the ``number``-th retry, with exponential backoff and jitter."""
    longest = min(SHORTEST_SECONDS * 2**number, LONGEST_SECONDS)
    await asyncio.sleep(longest * (0.5 + random.random() / 2))


async def unhurried(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call and retry it as long as the server is too busy. A rejected call had no effect.

    Args:
        call: Makes the call.

    Returns:
        The result of the call.
    """
    number = 0
    while True:
        try:
            return await call()
        except RPCError as error:
            if not is_busy(error):
                raise
        number += 1
        await pauses(number)
