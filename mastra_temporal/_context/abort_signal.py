"""`AbortSignal`: tells a step that it is to stop, and why."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future, InvalidStateError
from typing import Literal

__all__ = ["AbortReason", "AbortSignal"]

AbortReason = Literal["canceled", "cut_off", "restarted", "timed_out", "worker_shutdown"]
"""Why a step is to stop, see `AbortSignal.reason`."""


class AbortSignal:
    """Tells a step that it is to stop. The step is not interrupted at once; it decides itself how to end.

    ``aborted`` and ``reason`` may be read from any thread.
    """

    def __init__(self) -> None:
        """Create a signal that is not set."""
        self._told = Future[AbortReason]()

    @property
    def aborted(self) -> bool:
        """Whether the signal is set."""
        return self._told.done()

    @property
    def reason(self) -> AbortReason | None:
        """Why it is set; None while it is not.

        * ``"canceled"``: the run was canceled or closed, or a step called ``abort()``.
        * ``"timed_out"``: the attempt took longer than one of its timeouts.
        * ``"cut_off"``: the server has not been in reach for most of the heartbeat timeout. Whatever the step does now,
          another attempt decides.
        * ``"restarted"``: ``restart()`` or a time travel gave the attempt up; another one is under way.
        * ``"worker_shutdown"``: the worker shuts down; another one tries again.
        """
        return self._told.result() if self._told.done() else None

    async def wait(self) -> None:
        """Return when the signal is set."""
        await asyncio.shield(asyncio.wrap_future(self._told))

    def _set(self, reason: AbortReason) -> None:
        """Set it, from any thread. The first reason stays."""
        with contextlib.suppress(InvalidStateError):
            self._told.set_result(reason)
