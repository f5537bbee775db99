"""What the Temporal UI shows of a run under way: its status as a search attribute, and a table of its steps.

The table is no event of the history: the UI asks the worker for it. It is kept ready, row by row, so that a long run
pays no more for it than a short one.
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
    """What is shown of one run."""

    def __init__(self, *, search_attributes: bool) -> None:
        """Nothing has happened yet.

        Args:
            search_attributes: Whether the server has our search attributes: told by the client, so that it is in the
                history.
        """
        self._search_attributes = search_attributes
        self._status: RunStatus = "running"
        self._rows: dict[str, str] = {}
        self._left_out = 0

    def status(self, status: RunStatus) -> None:
        """The run's status is another one."""
        if self._search_attributes and status != self._status:
            workflow.upsert_search_attributes([STATUS.value_set(status)])
        self._status = status

    def closing(self, status: RunStatus) -> None:
        """The run ends: what Temporal's own status does not tell goes into the memo."""
        if status in ("paused", "tripwire"):
            workflow.upsert_memo({MEMO_STATUS: status})
        self.status(status)

    def step(self, path: str, result: StepResult, scheduled: int | None = None) -> None:
        """A step has begun or ended.

        Args:
            path: The step, with the nested workflows around it.
            result: What is known of it.
            scheduled: How often it was scheduled, once it has ended: a restart schedules it again.
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
