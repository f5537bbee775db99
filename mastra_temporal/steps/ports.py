"""How a running step reaches its run: look-ups by query, written chunks by the run's stream."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.contrib.workflow_streams import WorkflowStreamClient
from typing_extensions import Self

from mastra_temporal.definition.schema import to_json
from mastra_temporal.execution.names import QUERY_LOOKUP, STREAM_TOPIC
from mastra_temporal.wire import LookupQuery, LookupReply, StepCall

__all__ = ["StepChannel"]

BATCH_INTERVAL = timedelta(milliseconds=200)
"""Chunks are sent in batches: a step's output must not cost a history event per token."""


class StepChannel:
    """The way of one step to its run. Close it before the step reports its result, so that nothing written is lost."""

    def __init__(self, call: StepCall) -> None:
        """Create the channel; nothing is sent until the step asks or writes."""
        self._call = call
        self._outputs: dict[str | None, Any] = {}
        self._stream: WorkflowStreamClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._stream is not None:
            await self._stream.__aexit__(*exception)

    async def lookup(self, step_id: str | None) -> Any:
        """The output of a step of the same workflow, or with None its input. Asked once, then remembered."""
        if step_id not in self._outputs:
            info = activity.info()
            assert info.workflow_id is not None
            handle = activity.client().get_workflow_handle(info.workflow_id, run_id=info.workflow_run_id)
            query = LookupQuery(scope=self._call.scope, step_id=step_id)
            reply = await handle.query(QUERY_LOOKUP, query, result_type=LookupReply)
            self._outputs[step_id] = reply.value
        return self._outputs[step_id]

    async def write(self, event: dict[str, Any]) -> None:
        """Add an event to the run's stream."""
        if self._stream is None:
            self._stream = WorkflowStreamClient.from_within_activity(batch_interval=BATCH_INTERVAL)
            await self._stream.__aenter__()
        owner = f"What step `{self._call.step_id}` of workflow `{self._call.workflow_id}` wrote"
        self._stream.topic(STREAM_TOPIC).publish(
            {"runId": self._call.run_id, "stepName": self._call.step_id, **to_json(event, what=owner)}
        )
