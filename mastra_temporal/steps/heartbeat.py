"""The heartbeat that every step has without doing anything for it: it carries checkpoints and the count of failures.

A step whose worker cannot reach the server hears of it, by its abort signal, before the server takes it for dead and
gives the step to another worker.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator
from typing import Any

from temporalio import activity

from mastra_temporal.steps.contact import Contact
from mastra_temporal.wire import Checkpoint

__all__ = ["Heartbeat"]

INTERVAL = 0.5
"""Seconds. The worker sends at most one beat a second to the server; twice as often here, one is always ready to go,
and the answer, which is how a step hears that its run was canceled, comes at once."""


CUT_OFF = 0.8
"""The part of the heartbeat timeout after which a step without contact to the server is told."""


class Heartbeat:
    """The heartbeat of one attempt, and what it has recorded for the next."""

    def __init__(self, recorded: Checkpoint, cut_off: Callable[[], None] = lambda: None) -> None:
        """Create a heartbeat that starts from what an earlier attempt recorded.

        Args:
            recorded: What that was.
            cut_off: Called, perhaps more than once, when the server has not been in reach for most of the timeout.
        """
        self.recorded = recorded
        self._cut_off = cut_off
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.TimerHandle | None = None
        timeout = activity.info().heartbeat_timeout
        self._patience = None if timeout is None else CUT_OFF * timeout.total_seconds()
        self._contact = Contact.of(activity.client())

    @classmethod
    def of_this_attempt(cls, carried: Checkpoint | None, cut_off: Callable[[], None]) -> Heartbeat:
        """From the last attempt's details, or from those of a lost attempt that ``restart()`` replaced."""
        details = activity.info().heartbeat_details
        return cls(Checkpoint.model_validate(details[0]) if details else carried or Checkpoint(), cut_off)

    def save(self, value: Any) -> None:
        """Take over a checkpoint of the body, which may run in a thread; the next beat, due at once, carries it."""
        self.recorded = Checkpoint(failures=self.recorded.failures, value=value)
        self._loop.call_soon_threadsafe(self._beat)

    def count_failure(self) -> None:
        """Record that the step's own code failed: on its way to the server before the failure is reported."""
        self.recorded = Checkpoint(failures=self.recorded.failures + 1, value=self.recorded.value)
        activity.heartbeat(self.recorded)

    @contextlib.contextmanager
    def beating(self) -> Generator[None, None, None]:
        """Beat in the background while the body runs. A body that is over within half a second costs no beat."""
        self._next = self._loop.call_later(INTERVAL, self._beat)
        try:
            with self._contact.kept():
                yield
        finally:
            self._next.cancel()
            self._next = None

    def _beat(self) -> None:
        if self._next is None:  # a checkpoint of a body that has ended meanwhile
            return
        self._next.cancel()
        activity.heartbeat(self.recorded)
        if self._patience is not None and self._loop.time() - self._contact.last > self._patience:
            self._cut_off()
        self._next = self._loop.call_later(INTERVAL, self._beat)
