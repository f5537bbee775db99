"""May a worker have died of the workflow task under way? Then the short calls ask the server before they run user code.

They run inside workflow tasks. A worker that dies in one of them loses the task, and the next worker comes to the same
place. The workflow cannot see that, but it sees what makes it possible: it was made by a replay, or in a first workflow
task before which something had happened. A run that goes on where it began asks nothing.
"""

from __future__ import annotations

from temporalio import workflow

__all__ = ["Takeover"]

FIRST_TASK_EVENTS = 3
"""In the history of a run at its first workflow task: it was started, its task scheduled and started."""


class Takeover:
    """Whether this worker has a run from another one, and has not asked about that yet."""

    def __init__(self) -> None:
        """Look at how the run came here. Made with the run's first activation."""
        length = workflow.info().get_current_history_length()
        self._is_due = workflow.unsafe.is_replaying() or length > FIRST_TASK_EVENTS

    def ask(self) -> bool:
        """Whether the call that is about to be made is to ask. Nothing that is recorded depends on it.

        A call that is made in a replay may be under way still, and then it is made for good: so each of them asks.
        """
        ask, self._is_due = self._is_due, self._is_due and workflow.unsafe.is_replaying()
        return ask
