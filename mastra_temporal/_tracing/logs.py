"""Fields of log records: which run, step and trace a line belongs to."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["LogFields", "MastraLogFilter", "log_fields"]


@dataclass
class LogFields:
    """What the log records of a run carry. A run changes its own when its trace does."""

    run_id: str = ""
    workflow_id: str = ""
    step_id: str = ""
    trace_id: str = ""


NO_FIELDS = LogFields()
log_fields: ContextVar[LogFields] = ContextVar("mastra_log_fields", default=NO_FIELDS)


class MastraLogFilter(logging.Filter):
    """Adds the run to log records: ``handler.addFilter(MastraLogFilter())``.

    Put it on a handler, so that it sees the records of every logger. Records made while a step, another activity or a
    run is being executed get ``mastra_run_id``, ``mastra_workflow_id``, ``mastra_step_id`` and ``mastra_trace_id``;
    elsewhere these are empty. Use them in a format (``%(mastra_run_id)s``) or with a JSON formatter. Nothing is
    filtered out.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields."""
        fields = log_fields.get()
        record.mastra_run_id = fields.run_id
        record.mastra_workflow_id = fields.workflow_id
        record.mastra_step_id = fields.step_id
        record.mastra_trace_id = fields.trace_id
        return True
