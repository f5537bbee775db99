"""Calls that the server does not take because it has too much to do: made again until it does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.service import RPCError, RPCStatusCode

__all__ = ["is_busy", "pauses", "unhurried"]

T = TypeVar("T")

SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 5.0


def is_busy(error: RPCError) -> bool:
    """Whether the server only asks to come back later: a limit of calls, of long polls, or of messages under way.

    It drops the messages to a run that it could not deliver in time, too.
    """
    if error.status == RPCStatusCode.UNAVAILABLE:
        return "update was aborted" in error.message
    return error.status == RPCStatusCode.RESOURCE_EXHAUSTED and "larger than max" not in error.message


async def pauses(number: int) -> None:
    """Wait before a call is made for the ``number``-th time again: ever longer, and not all at the same time."""
    longest = min(SHORTEST_SECONDS * 2**number, LONGEST_SECONDS)
    await asyncio.sleep(longest * (0.5 + random.random() / 2))


async def unhurried(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call, again and again as long as the server is too busy for it. It was not begun then."""
    number = 0
    while True:
        try:
            return await call()
        except RPCError as error:
            if not is_busy(error):
                raise
        number += 1
        await pauses(number)
