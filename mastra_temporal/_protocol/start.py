"""The argument with which a workflow is started.

Each envelope is the only argument or the result of a workflow, activity, update or query: Temporal ignores type hints
when argument counts differ. Keys are camelCase on the wire; see `CamelModel`.
"""

from __future__ import annotations

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator
from temporalio.contrib.workflow_streams import WorkflowStreamState

from mastra_temporal._data.path import is_object
from mastra_temporal._protocol.graph import WorkflowGraph
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.shared_values import pack, unpack
from mastra_temporal._protocol.snapshot import RunSnapshot

__all__ = ["StartEnvelope"]


class StartEnvelope(CamelModel):
    """The argument of every workflow: the shape of Mastra's own Temporal package, and fields that only we send."""

    input_data: Any = None
    initial_state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    run_id: str | None = None
    resource_id: str | None = None
    per_step: bool | None = None
    graph: WorkflowGraph | None = None
    """The graph that the run follows; input and state are validated then. Absent if a foreign client starts the run."""
    search_attributes: bool | None = None
    """Whether the server has our search attributes, so that the run may set them."""
    canceled: bool | None = None
    """Whether the run was canceled before this execution started. Then no step may run."""
    snapshot: RunSnapshot | None = None
    tracing_options: dict[str, Any] | None = None
    """The tracing options of Mastra's TypeScript client. Our client sends them in a header."""
    stored_from: int | None = None
    """The size in bytes from which payloads go to the external storage of the client. None without a storage."""
    stream: WorkflowStreamState | None = None
    """The position of the run's stream at a continue-as-new."""

    @model_serializer(mode="wrap")
    def _leave_out_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        bare = self if self.snapshot is None else self.model_copy(update={"snapshot": None})
        data = {key: value for key, value in handler(bare).items() if value is not None}
        if self.snapshot is not None:
            data["snapshot"], data["inputData"] = pack(self.snapshot, self.input_data)
        return data

    @model_validator(mode="before")
    @classmethod
    def _unpack(cls, data: Any) -> Any:
        if is_object(data) and is_object(data.get("snapshot")):
            snapshot, run_input = unpack(data["snapshot"], data.get("inputData"))
            return {**data, "snapshot": snapshot, "inputData": run_input}
        return data
