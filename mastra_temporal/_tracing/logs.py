"""Fields of log records: the run, step and trace that a record belongs to."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["LogFields", "MastraLogFilter", "log_fields"]


@dataclass
class LogFields:
    """The fields of the log records of a run. A run updates its fields when its trace changes."""

    run_id: str = ""
    workflow_id: str = ""
    step_id: str = ""
    trace_id: str = ""


NO_FIELDS = LogFields()
log_fields: ContextVar[LogFields] = ContextVar("mastra_log_fields", default=NO_FIELDS)


class MastraLogFilter(logging.Filter):
    """Adds the run to log records: ``handler.addFilter(MastraLogFilter())``.

    Add it to a handler, so that it sees the records of all loggers. Records from a running step, activity or run get
    ``mastra_run_id``, ``mastra_workflow_id``, ``mastra_step_id`` and ``mastra_trace_id``. In all other records these
    are empty. Use them in a format (``%(mastra_run_id)s``) or with a JSON formatter. No record is dropped.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields to a record. Always return True."""
        fields = log_fields.get()
        record.mastra_run_id = fields.run_id
        record.mastra_workflow_id = fields.workflow_id
        record.mastra_step_id = fields.step_id
        record.mastra_trace_id = fields.trace_id
        return True
