"""The details of an open run in the Temporal UI: what it does or waits for, and a table of its steps.

They are not in the history: the UI queries the worker for them. The cost of an update does not grow with the length of
the run. The status is also a search attribute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice

from pydantic_core import to_json
from temporalio import workflow
from temporalio.common import SearchAttributeKey

from mastra_temporal._definition.markdown import cell, table_head, table_row
from mastra_temporal._protocol.names import MEMO_STATUS, SEARCH_STATUS, UPDATE_RESUME
from mastra_temporal._protocol.results import RunStatus, StepResult
from mastra_temporal._worker.workflow.suspension import SuspendedStep, suspend_data

__all__ = ["STATUS", "UiDetails"]

STATUS = SearchAttributeKey.for_keyword(SEARCH_STATUS)
MAX_ROWS = 40
"""Rows of steps that failed, that ended otherwise, and that are open: as many of each at most."""
MAX_QUESTIONS = 5
"""Suspended steps that are shown with their payload and with how to answer them."""
MAX_PAYLOAD = 2_000
"""Characters of a suspend payload that are shown."""
Row = tuple[int, str, str]
"""The number of a step in the order in which they began, its status, and its row in the table."""
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
        self._open: dict[str, Row] = {}
        self._failed: dict[str, Row] = {}
        self._ended: dict[str, Row] = {}
        self._begun = 0
        self._counts: Counter[str] = Counter()
        self._questions: list[str] = []

    def status(self, status: RunStatus) -> None:
        """Set the status of the run."""
        if self._search_attributes and status != self._status:
            workflow.upsert_search_attributes([STATUS.value_set(status)])
        self._status = status
        if status != "suspended":
            self._questions = []
        self._show()

    def closing(self, status: RunStatus) -> None:
        """Set the last status of the run. A status that Temporal does not have goes into the memo."""
        if status in ("paused", "tripwire"):
            workflow.upsert_memo({MEMO_STATUS: status})
        self.status(status)

    def suspended(self, run_id: str, steps: Iterable[SuspendedStep]) -> None:
        """Show what a suspended run asks, and how a person answers."""
        steps = list(steps)
        for step in steps[:MAX_QUESTIONS]:
            self._questions += _question(run_id, step)
        if len(steps) > MAX_QUESTIONS:
            self._questions += [f"... and {len(steps) - MAX_QUESTIONS} more.", ""]
        self.status("suspended")

    def step(self, path: str, result: StepResult, scheduled: int | None = None) -> None:
        """Show that a step has begun or ended.

        Args:
            path: The path of the step, with its nested workflows.
            result: The result of the step so far.
            scheduled: How often the step was scheduled, restarts included. None until it ends.
        """
        stopped = result.ended_at or result.suspended_at
        seconds = "" if stopped is None else f"{(stopped - result.started_at) / 1000:,.1f} s"
        status = result.status if result.error is None else f"{result.status}: {result.error.get('message')}"
        before = self._open.pop(path, None)
        if before is None:
            self._begun += 1
        else:
            self._counts[before[1]] -= 1
        self._counts[result.status] += 1
        text = table_row(f"`{cell(path)}`", cell(status), str(scheduled or ""), seconds)
        row = (self._begun if before is None else before[0], result.status, text)
        if result.ended_at is None:  # it runs, sleeps or is suspended
            self._open[path] = row
        else:
            rows = self._failed if result.status == "failed" else self._ended
            rows[path] = row
            if len(rows) > MAX_ROWS:
                del rows[next(iter(rows))]
        self._show()

    def _show(self) -> None:
        others = [*self._ended.values(), *islice(self._open.values(), MAX_ROWS)]
        rows = [text for group in (self._failed.values(), others) for _, _, text in sorted(group)]
        workflow.set_current_details("\n".join([f"**{self._summary()}**", "", *self._questions, *HEAD, *rows]))

    def _summary(self) -> str:
        said = ", ".join(f"{count:,} {status}" for status, count in self._counts.items() if count)
        return f"Run {self._status}. Steps: {said or 'none yet'}."


def _question(run_id: str, step: SuspendedStep) -> list[str]:
    """Return the lines that show one suspended step."""
    labels = step.result.resume_labels or []
    named = f" (label {', '.join(f'`{label}`' for label in labels)})" if labels else ""
    payload = to_json(suspend_data(step.result), indent=2).decode()
    shown = payload if len(payload) <= MAX_PAYLOAD else f"{payload[:MAX_PAYLOAD]}\n..."
    request = to_json({"step": step.keys, "resumeData": "<the answer>"}).decode()
    path = ".".join(step.keys)
    return [
        f"Waiting for an answer to `{path}`{named}:",
        "```json",
        *shown.splitlines(),
        "```",
        f"Answer with *Send update*: name `{UPDATE_RESUME}`, input `{request}`;",
        f"or with `mastra-temporal resume {run_id} --step '{path}' --data '<the answer as JSON>'`.",
        "",
    ]
