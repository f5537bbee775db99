"""Every envelope that crosses a process boundary, in one place.

Each is one argument or one result of a workflow, activity, update or query: Temporal ignores type hints when argument
counts differ, so there is always exactly one. On the wire the keys are Mastra's camelCase; unknown keys are ignored and
keys without a value are left out, so that histories stay small and envelopes can grow. ``v`` is the envelope's version.
"""

from __future__ import annotations

from typing import Any

from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.start import StartEnvelope

__all__ = ["Departure", "TravelRequest"]


class TravelRequest(CamelModel):
    """The argument of the ``travel`` update."""

    v: int = 1
    generation: int
    """How often the run had been resumed when the journey was planned."""
    workflow_id: str
    task_queue: str
    envelope: StartEnvelope
    """What the next execution is started with."""


class Departure(CamelModel):
    """The argument of the activity that starts the next execution of a run that travels in time."""

    v: int = 1
    request: TravelRequest
    header: dict[str, Any]
    """The traveller's tracing header."""
    context: dict[str, str]
    """And trace context."""
