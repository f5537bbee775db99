"""Counts what one execution adds to its history, so that it continues as new, or fails, before the server ends it.

The SDK offers the server's numbers (`workflow.info().get_current_history_length()`, `is_continue_as_new_suggested()`).
Decisions must not depend on them. A worker that has not cached a run may first receive a query whose history ends
within a workflow task. It then delivers the last events to the run before the task has started, with the numbers of the
task before. A replay delivers the same events with the numbers of their own task, would decide differently, and would
fail with a non-determinism error. What the run itself sends and receives is the same on every replay.
"""

from __future__ import annotations

__all__ = ["ACTIVITY", "LOCAL_ACTIVITY", "SIGNAL", "TIMER", "HistorySize"]

LONG_EVENTS = 4_096
"""Events after which a run continues as new: the number at which the server suggests it by default."""
LARGE_START = 128 * 1024
"""Bytes of a snapshot that is large: each execution begins with it, so a run that has one continues as new less often.
"""
LONG_EVENTS_AFTER_LARGE_START = 9_000
"""Events after which a run that began with a large snapshot continues as new."""
LONG_BYTES = 4 * 1024 * 1024
"""Bytes after which a run continues as new: the number at which the server suggests it by default."""
LONG_UPDATES = 1_500
"""Updates after which a run continues as new. The server refuses more than 2,000 of one execution."""

FULL_EVENTS = 40_000
"""Events after which a run that cannot continue as new fails. The server terminates it at 51,200."""
FULL_BYTES = 40 * 1024 * 1024
"""Bytes after which a run that cannot continue as new fails. The server terminates it at 50 MB."""

TASK = 3
"""Events of one workflow task. Several arrivals may share one, so the count is rather too high."""
ACTIVITY = 3 + TASK
LOCAL_ACTIVITY = 1
TIMER = 2 + TASK
SIGNAL = 1 + TASK
UPDATE = 2 + TASK

EVENT_BYTES = 200
"""Bytes of one event without its payloads, on average."""


class HistorySize:
    """The events, bytes and updates that this execution has added to its history. Events and bytes are estimates."""

    def __init__(self) -> None:
        """Create the count of an execution that has just started."""
        self.events = TASK
        self.bytes = 0
        self.updates = 0
        self._long_events = LONG_EVENTS

    def begin_with(self, snapshot_size: int) -> None:
        """Continue as new less often if each execution begins with a large snapshot."""
        if snapshot_size >= LARGE_START:
            self._long_events = LONG_EVENTS_AFTER_LARGE_START

    def add(self, events: int, size: int = 0) -> None:
        """Count events, and the bytes of their payloads."""
        self.events += events
        self.bytes += events * EVENT_BYTES + size

    def add_update(self, size: int) -> None:
        """Count an update, which has a limit of its own."""
        self.updates += 1
        self.add(UPDATE, size)

    @property
    def is_long(self) -> bool:
        """Whether the run should continue as new."""
        return self.events >= self._long_events or self.bytes >= LONG_BYTES or self.updates >= LONG_UPDATES

    @property
    def is_full(self) -> bool:
        """Whether nothing further may start in this execution, because the server would terminate the run."""
        return self.events >= FULL_EVENTS or self.bytes >= FULL_BYTES
