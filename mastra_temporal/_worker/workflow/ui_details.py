"""The details of an open run in the Temporal UI: its status as a search attribute, and a table of its steps.

The table is not in the history: the UI queries the worker for it. It is updated row by row, so the cost of an update
does not grow with the length of the run.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from mastra_temporal._definition.markdown import cell, table_head, table_row
from mastra_temporal._protocol.names import MEMO_STATUS, SEARCH_STATUS
from mastra_temporal._protocol.results import RunStatus, StepResult

__all__ = ["STATUS", "UiDetails"]

STATUS = SearchAttributeKey.for_keyword(SEARCH_STATUS)
MAX_ROWS = 40
HEAD = table_head("Step", "Status", "Scheduled", "Duration")


class UiDetails:
    """The details of one run."""

    def __init__(self, *, search_attributes: bool) -> None:
        """Create the details of a run that has not started a step.

        Args:
            search_attributes: Whether the server has our search attributes. It comes from the client and is in the
                history. Read from the worker, it could change between replays, and with it the commands.
        """
        self._search_attributes = search_attributes
        self._status: RunStatus = "running"
        self._rows: dict[str, str] = {}
        self._left_out = 0

    def status(self, status: RunStatus) -> None:
        """Set the status of the run."""
        if self._search_attributes and status != self._status:
            workflow.upsert_search_attributes([STATUS.value_set(status)])
        self._status = status

    def closing(self, status: RunStatus) -> None:
        """Set the last status of the run. A status that Temporal does not have goes into the memo."""
        if status in ("paused", "tripwire"):
            workflow.upsert_memo({MEMO_STATUS: status})
        self.status(status)

    def step(self, path: str, result: StepResult, scheduled: int | None = None) -> None:
        """Show that a step has begun or ended.

        Args:
            path: The path of the step, with its nested workflows.
            result: The result of the step so far.
            scheduled: How often the step was scheduled, restarts included. None until it ends.
        """
        ended = result.ended_at or result.suspended_at
        seconds = "" if ended is None else f"{(ended - result.started_at) / 1000:,.1f} s"
        status = result.status if result.error is None else f"{result.status}: {result.error.get('message')}"
        self._rows[path] = table_row(f"`{cell(path)}`", cell(status), str(scheduled or ""), seconds)
        if len(self._rows) > MAX_ROWS:
            del self._rows[next(iter(self._rows))]
            self._left_out += 1
        before = [table_row(f"{self._left_out} earlier ones", "", "", "")] if self._left_out else []
        workflow.set_current_details("\n".join([*HEAD, *before, *self._rows.values()]))
