"""`Run.cancel` for a run that exists in Temporal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator

from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.recovery.reschedule import release

__all__ = ["cancel"]

RELEASE_SECONDS = 5
"""Maximum seconds to wait until steps of dead workers are given up. The run is canceled in any case."""


async def cancel(client: Client, run_id: str) -> None:
    """Cancel an open run and let it end without waiting for steps of dead workers. Do nothing if it has ended."""
    with _ended_meanwhile():
        await client.get_workflow_handle(run_id).cancel()
    # Without any worker, the update of `release` gets no reply. Then stop waiting; the next worker ends the run.
    with _ended_meanwhile(), contextlib.suppress(asyncio.TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        await asyncio.wait_for(release(client, run_id), RELEASE_SECONDS)


@contextlib.contextmanager
def _ended_meanwhile() -> Generator[None]:
    """Suppress the error that a run has ended meanwhile."""
    try:
        yield
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
