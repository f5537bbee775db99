"""Fields of log records: which run, step and trace a line belongs to.

Every record made while a step, another activity or a run is being executed has ``mastra_run_id``,
``mastra_workflow_id``, ``mastra_step_id`` and ``mastra_trace_id``, whichever logger it comes from; they are empty
elsewhere. Use them in a format (``%(mastra_run_id)s``), or with a JSON formatter that writes extra fields.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = ["LogFields", "log_fields", "mark_log_records"]


@dataclass
class LogFields:
    """What the log records of a run carry. A run changes its own when its trace does."""

    run_id: str = ""
    workflow_id: str = ""
    step_id: str = ""
    trace_id: str = ""


ELSEWHERE = LogFields()
log_fields: ContextVar[LogFields] = ContextVar("mastra_log_fields", default=ELSEWHERE)


@cache
def mark_log_records() -> None:
    """Let the log records of this process carry the fields. What made the records before still makes them."""
    make = logging.getLogRecordFactory()

    def marked(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        fields = log_fields.get()
        record.mastra_run_id = fields.run_id
        record.mastra_workflow_id = fields.workflow_id
        record.mastra_step_id = fields.step_id
        record.mastra_trace_id = fields.trace_id
        return record

    logging.setLogRecordFactory(marked)
