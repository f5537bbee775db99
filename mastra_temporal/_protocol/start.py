"""Every envelope that crosses a process boundary, in one place.

Each is one argument or one result of a workflow, activity, update or query: Temporal ignores type hints when argument
counts differ, so there is always exactly one. On the wire the keys are Mastra's camelCase; unknown keys are ignored and
keys without a value are left out, so that histories stay small and envelopes can grow. ``v`` is the envelope's version.
"""

from __future__ import annotations

from typing import Any

from temporalio.contrib.workflow_streams import WorkflowStreamState

from mastra_temporal._protocol.graph import WorkflowGraph
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.snapshot import RunSnapshot

__all__ = ["StartEnvelope"]


class StartEnvelope(CamelModel):
    """The one argument of every workflow: the shape of Mastra's own Temporal package, and what only we send."""

    input_data: Any = None
    initial_state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    run_id: str | None = None
    resource_id: str | None = None
    per_step: bool | None = None
    graph: WorkflowGraph | None = None
    """The graph this run is to follow, with input and state already validated. Absent when a foreign client starts."""
    search_attributes: bool | None = None
    """The server has our search attributes: the run may set them."""
    canceled: bool | None = None
    """The run was canceled before it was started: no step may run."""
    snapshot: RunSnapshot | None = None
    tracing_options: dict[str, Any] | None = None
    """Of Mastra's TypeScript client. Our own sends them as a header."""
    stored_from: int | None = None
    """The bytes from which the payloads of this run go to an external storage, if the client that starts it has one."""
    stream: WorkflowStreamState | None = None
    """Where the run's stream stood when it went on in a new execution."""
