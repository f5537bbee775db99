"""The heartbeat that every step has without doing anything for it: it carries checkpoints and the count of failures."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from temporalio import activity

from mastra_temporal.wire import Checkpoint

__all__ = ["Heartbeat"]

INTERVAL = 1.0
"""Seconds. As often as the worker flushes heartbeats, so that a silent step is known to be dead within seconds."""


class Heartbeat:
    """The heartbeat of one attempt, and what it has recorded for the next."""

    def __init__(self, recorded: Checkpoint) -> None:
        """Create a heartbeat that starts from what an earlier attempt recorded."""
        self.recorded = recorded

    @classmethod
    def of_this_attempt(cls, carried: Checkpoint | None) -> Heartbeat:
        """From the last attempt's details, or from those of a lost attempt that ``restart()`` replaced."""
        details = activity.info().heartbeat_details
        return cls(Checkpoint.model_validate(details[0]) if details else carried or Checkpoint())

    def record(self, checkpoint: Checkpoint) -> None:
        """Record now: on its way to the server before anything else is reported."""
        self.recorded = checkpoint
        activity.heartbeat(checkpoint)

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncGenerator[None, None]:
        """Beat in the background while the body runs."""
        beat = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat

    async def _beat(self) -> None:
        while True:
            activity.heartbeat(self.recorded)
            await asyncio.sleep(INTERVAL)
