"""The heartbeat of a local step: it sends none. The server does not know local activities.

A local step ends with its worker, and the next worker runs it again. It learns of a cancellation from the SDK.
"""

from __future__ import annotations

import asyncio

from temporalio import activity
from typing_extensions import Self

from mastra_temporal._protocol.step_calls import Checkpoint
from mastra_temporal._worker.activities.heartbeat import Heartbeat
from mastra_temporal._worker.activities.lost_attempts import LostAttempts

__all__ = ["LocalHeartbeat"]


class LocalHeartbeat(Heartbeat):
    """Aborts the step when its run is canceled, and counts its failures."""

    def __init__(self, owner: str, limit: int | None) -> None:
        """Create the heartbeat of the running local activity.

        Args:
            owner: Whose heartbeat it is, for messages.
            limit: How many attempts may be lost in a row; None for no limit.
        """
        attempt = activity.info().attempt
        super().__init__(owner, LostAttempts(Checkpoint(failures=attempt - 1), attempt > 1, limit))

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._listening.cancel()
        await super().__aexit__(*exception)

    async def _listen(self) -> None:
        await activity.wait_for_cancelled()
        self._give_up("canceled", known=True)

    def count_failure(self) -> None:
        """Do nothing: the SDK counts the attempts of a local activity."""

    def hand_back(self) -> None:
        """Do nothing: no attempt was recorded."""

    def tell_sdk(self) -> None:
        """Do nothing: the SDK takes no heartbeats of local activities."""

    def _must_ask(self) -> bool:
        return False

    def _start(self) -> None:
        self._began = True
