"""Detects that another worker may have died in the current workflow task.

Local activities run inside workflow tasks. If user code kills the worker there, the task is lost, and the next worker
reaches the same call. Workflow code cannot see lost tasks, but it sees when they are possible: this workflow instance
was created by a replay, or in a first workflow task that earlier events precede. In that case the local activities ask
the server how many tasks were lost before they run user code. A run that stays on its first worker never asks.
"""

from __future__ import annotations

from temporalio import workflow

__all__ = ["Takeover"]

FIRST_TASK_EVENTS = 3
"""Events in the history at an undisturbed first workflow task: run started, task scheduled, task started."""


class Takeover:
    """Tracks whether this worker took over a run from another worker and has not yet asked the server about it."""

    def __init__(self) -> None:
        """Detect a takeover. Create this in the first activation of the workflow instance."""
        length = workflow.info().get_current_history_length()
        self._is_due = workflow.unsafe.is_replaying() or length > FIRST_TASK_EVENTS

    def ask(self) -> bool:
        """Return whether the next call must ask the server about lost workflow tasks.

        Every call that is made during replay asks, because it may be the one that was still running when the worker
        died: that one has no recorded result and is executed. Calls with a recorded result are not executed.
        """
        # The answer differs between the first execution and a replay. It must go only into the arguments of an
        # activity, which replay does not compare. A decision or a command that depends on it would break replay.
        ask, self._is_due = self._is_due, self._is_due and workflow.unsafe.is_replaying()
        return ask
