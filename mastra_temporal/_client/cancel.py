"""`Run.cancel` of a run that Temporal knows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator

from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.recovery.reschedule import release

__all__ = ["cancel"]

RELEASE_SECONDS = 5
"""How long a caller waits until the steps of dead workers are given up: the run is canceled without that."""


async def cancel(client: Client, run_id: str) -> None:
    """Cancel an open run, and let it end without the steps that nobody runs. One that has ended stays as it is."""
    with _ended_meanwhile():
        await client.get_workflow_handle(run_id).cancel()
    # With no worker at all nobody can answer now; the next worker ends the run.
    with _ended_meanwhile(), contextlib.suppress(asyncio.TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        await asyncio.wait_for(release(client, run_id), RELEASE_SECONDS)


@contextlib.contextmanager
def _ended_meanwhile() -> Generator[None]:
    """Let a run that has ended in the meantime be no error."""
    try:
        yield
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
