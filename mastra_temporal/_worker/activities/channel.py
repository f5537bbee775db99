"""The connection of a running step to its run: queries look up outputs, and the run's stream takes written chunks."""

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
from mastra_temporal._worker.activities.heartbeat import AttemptLost
from mastra_temporal._worker.function_data import copy_of, held
from mastra_temporal.errors import ConfigurationError, PayloadTooLargeError

__all__ = ["RunChannel"]

BATCH_BYTES = 256 * 1024
"""Maximum size of one batch, in bytes."""
CHUNK_BYTES = 1024 * 1024
"""Maximum size of one chunk, in bytes. The server takes 2 MiB, and base64 makes the chunk larger."""
SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.2, 2.0
"""Minimum and maximum seconds between two batches. Each batch costs a history event, so tokens are collected."""
UNHURRIED_AFTER = 150
"""Number of batches after which the interval grows. A run accepts at most 10,000 batches."""


class RunChannel:
    """The connection of one step to its run.

    Close it before the step reports its result: the run may close right after that, and unsent chunks would be lost.
    """

    def __init__(self, scope: list[str] | None, owner: str, held: int | None) -> None:
        """Create the channel. It sends nothing until the step looks something up or writes.

        Args:
            scope: The path of nested workflows to the workflow of the step.
            owner: The step, for messages.
            held: For a local step, the number of what it may look up.
        """
        self._held = held
        self._scope = scope
        self._owner = owner
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
                if error.status != RPCStatusCode.NOT_FOUND:  # the run has closed, so the chunks have no reader
                    raise

    async def lookup(self, step_id: str | None) -> Any:
        """Return the output of a step of the same workflow, or its input for None. The first answer is cached."""
        if self._held is not None:
            return self._look_up_here(self._held, step_id)
        if step_id not in self._outputs:
            info = activity.info()
            assert info.workflow_id is not None
            # Without the run ID, an attempt that outlived its execution would query the next one.
            handle = activity.client().get_workflow_handle(info.workflow_id, run_id=info.workflow_run_id)
            query = LookupQuery(scope=self._scope, step_id=step_id)
            reply = await handle.query(QUERY_LOOKUP, query, result_type=LookupReply)
            self._outputs[step_id] = reply.value
        return self._outputs[step_id]

    def refuse_local(self, what: str) -> None:
        """Raise a `ConfigurationError` if the step is local."""
        if self._held is not None:
            raise ConfigurationError(f"{self._owner} is local, so it cannot {what}. Define it without local=True.")

    def _look_up_here(self, number: int, step_id: str | None) -> Any:
        # A local step runs within a workflow task, and a query would wait for that task to end.
        data = held(number)
        if data is None:
            raise AttemptLost(f"{self._owner}: its run has left this worker", "Evicted")
        return copy_of(data.init_data if step_id is None else (data.outputs or {}).get(step_id))

    async def write(self, event: dict[str, Any]) -> None:
        """Add an event to the run's stream. The next batch sends it.

        Raises:
            SerializationError: The event cannot be written as JSON.
            PayloadTooLargeError: The event is too large.
        """
        self.refuse_local("stream")
        owner = f"What {self._owner} wrote"
        event = to_json(event, what=owner)
        size = len(pydantic_core.to_json(event))
        if size > CHUNK_BYTES:
            raise PayloadTooLargeError(
                f"{owner} has {size:,} bytes, more than the {CHUNK_BYTES:,} of one chunk. Write it in smaller chunks."
            )
        if self._stream is None:
            self._stream = WorkflowStreamClient.from_within_activity()
            self._sender = asyncio.create_task(self._send_batches(self._stream))
        # A step that writes faster than the server accepts waits here. Otherwise the buffer would grow without a limit.
        if self._buffered + size > BATCH_BYTES:
            await self._send(self._stream)
        self._buffered += size
        self._buffer.append(event)

    async def _send_batches(self, stream: WorkflowStreamClient) -> None:
        while True:
            interval = SHORTEST_INTERVAL * max(1.0, self._batches / UNHURRIED_AFTER)
            await asyncio.sleep(min(interval, LONGEST_INTERVAL))
            # The client keeps what it could not send, and sends it with the next batch.
            with contextlib.suppress(RPCError):
                await self._send(stream)

    async def _send(self, stream: WorkflowStreamClient) -> None:
        # Take the buffer first. `flush` would otherwise send chunks written meanwhile one by one, an event each.
        batch, self._buffer, self._buffered = self._buffer, [], 0
        for event in batch:
            stream.topic(OUTPUT_TOPIC).publish(event)
        self._batches += bool(batch)
        await stream.flush()
