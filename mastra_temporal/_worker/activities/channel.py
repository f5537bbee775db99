"""How a running step reaches its run: look-ups by query, written chunks by the run's stream."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pydantic_core
from temporalio import activity
from temporalio.contrib.workflow_streams import WorkflowStreamClient
from temporalio.service import RPCError, RPCStatusCode
from typing_extensions import Self

from mastra_temporal._data.gate import to_json
from mastra_temporal._protocol.messages import LookupQuery, LookupReply
from mastra_temporal._protocol.names import OUTPUT_TOPIC, QUERY_LOOKUP
from mastra_temporal._protocol.step_calls import StepCall
from mastra_temporal.errors import PayloadTooLargeError

__all__ = ["RunChannel"]

BATCH_BYTES = 256 * 1024
"""What one batch gathers at most."""
CHUNK_BYTES = 1024 * 1024
"""What one chunk may have: the server takes 2 MiB, in which it is written as base64."""
SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.2, 2.0
"""Seconds between two batches. A step's output must not cost a history event per token."""
UNHURRIED_AFTER = 50
"""Batches. A run takes at most 10,000: a step that writes for hours sends ever larger ones, ever more seldom."""


class RunChannel:
    """The way of one step to its run. Close it before the step reports its result, so that nothing written is lost."""

    def __init__(self, call: StepCall) -> None:
        """Create the channel; nothing is sent until the step asks or writes."""
        self._call = call
        self._outputs: dict[str | None, Any] = {}
        self._stream: WorkflowStreamClient | None = None
        self._sender: asyncio.Task[None] | None = None
        self._buffer: list[dict[str, Any]] = []
        self._buffered = 0
        self._batches = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        if self._stream is not None:
            try:
                await self._send(self._stream)
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:  # the run is over: nobody will read it
                    raise

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
        """Add an event to the run's stream. It is sent with the next batch.

        Raises:
            SerializationError: It cannot be written as JSON.
            PayloadTooLargeError: It is too large.
        """
        owner = f"What step `{self._call.step_id}` of workflow `{self._call.workflow_id}` wrote"
        event = to_json(event, what=owner)
        size = len(pydantic_core.to_json(event))
        if size > CHUNK_BYTES:
            raise PayloadTooLargeError(
                f"{owner} has {size:,} bytes, more than the {CHUNK_BYTES:,} of one chunk. Write it in smaller chunks."
            )
        if self._stream is None:
            self._stream = WorkflowStreamClient.from_within_activity()
            self._sender = asyncio.create_task(self._send_batches(self._stream))
        if self._buffered + size > BATCH_BYTES:
            await self._send(self._stream)
        self._buffered += size
        self._buffer.append(event)

    async def _send_batches(self, stream: WorkflowStreamClient) -> None:
        while True:
            interval = SHORTEST_INTERVAL * max(1.0, self._batches / UNHURRIED_AFTER)
            await asyncio.sleep(min(interval, LONGEST_INTERVAL))
            # The client keeps what it could not send for the next batch.
            with contextlib.suppress(RPCError):
                await self._send(stream)

    async def _send(self, stream: WorkflowStreamClient) -> None:
        # Only what has been written until now: the client would send what is written meanwhile piece by piece.
        batch, self._buffer, self._buffered = self._buffer, [], 0
        for event in batch:
            stream.topic(OUTPUT_TOPIC).publish(event)
        self._batches += bool(batch)
        await stream.flush()
