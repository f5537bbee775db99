"""The messages of a time travel: to the run, and from it to the activity that starts its next execution."""

from __future__ import annotations

from typing import Any

from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.start import StartEnvelope

__all__ = ["NextExecution", "TimeTravelUpdate"]


class TimeTravelUpdate(CamelModel):
    """The argument of the ``travel`` update."""

    v: int = 1
    resume_count: int
    """How often the run had been resumed when the request was planned."""
    workflow_id: str
    task_queue: str
    envelope: StartEnvelope
    """What the next execution is started with."""


class NextExecution(CamelModel):
    """The argument of the activity that starts the next execution of a run that travels in time."""

    v: int = 1
    request: TimeTravelUpdate
    header: dict[str, Any]
    """The traveller's tracing header."""
    context: dict[str, str]
    """And trace context."""
