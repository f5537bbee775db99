"""`AbortSignal`: asks a step to stop, with a reason."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future, InvalidStateError
from typing import Literal

__all__ = ["AbortReason", "AbortSignal"]

AbortReason = Literal["canceled", "cut_off", "restarted", "timed_out", "worker_shutdown"]
"""The reason why a step should stop: see `AbortSignal.reason`."""


class AbortSignal:
    """Asks a step to stop. The step is not interrupted at once: it decides itself how to end.

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
        """The reason why the signal is set; None while it is not set.

        * ``"canceled"``: the run was canceled or closed, or a step called ``abort()``.
        * ``"timed_out"``: the attempt exceeded one of its timeouts.
        * ``"cut_off"``: the worker could not reach the server for most of the heartbeat timeout. The result of this
          attempt is ignored, and another attempt runs.
        * ``"restarted"``: ``restart()`` or a time travel gave the attempt up, and another one runs.
        * ``"worker_shutdown"``: the worker shuts down. The step is repeated on another worker.
        """
        return self._told.result() if self._told.done() else None

    async def wait(self) -> None:
        """Wait until the signal is set."""
        # Without the shield, cancelling one waiter would cancel `_told` itself: `aborted` would become true without a
        # reason.
        await asyncio.shield(asyncio.wrap_future(self._told))

    def _set(self, reason: AbortReason) -> None:
        """Set the signal, from any thread. If it is already set, the first reason stays."""
        with contextlib.suppress(InvalidStateError):
            self._told.set_result(reason)
