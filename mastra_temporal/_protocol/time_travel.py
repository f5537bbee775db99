"""The messages of a time travel: the argument of the update, and of the activity that starts the next execution."""

from __future__ import annotations

from typing import Any

from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.start import StartEnvelope

__all__ = ["NextExecution", "TimeTravelUpdate"]


class TimeTravelUpdate(CamelModel):
    """The argument of the ``travel`` update."""

    v: int = 1
    """The version of this message."""
    resume_count: int
    """How often the run had been resumed when the caller read it."""
    workflow_id: str
    task_queue: str
    envelope: StartEnvelope
    """The argument of the next execution."""


class NextExecution(CamelModel):
    """The argument of the activity that starts the next execution in a time travel."""

    v: int = 1
    """The version of this message."""
    request: TimeTravelUpdate
    header: dict[str, Any]
    """The tracing header of the caller."""
    context: dict[str, str]
    """The trace context of the caller."""
