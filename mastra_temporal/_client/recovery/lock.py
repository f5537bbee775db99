"""A lock among all processes, for the two things that a restart may do to a run only once."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncGenerator
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

__all__ = ["locked"]

LOCK_TIMEOUT = timedelta(seconds=3)
"""The lock of a process that died while it held it is free after this time. Hold it for a few calls, not longer."""
LOCK_TYPE = "mastra.restart-lock"


@contextlib.asynccontextmanager
async def locked(client: Client, run_id: str) -> AsyncGenerator[bool]:
    """Take the lock of a run for the length of the block; the value tells whether it was free.

    A workflow id is the one thing that the server gives to only one of many. No worker polls the lock's task queue. It
    exists for some milliseconds.
    """
    name = f"{LOCK_TYPE}-{hashlib.sha256(run_id.encode()).hexdigest()[:32]}"
    try:
        handle = await client.start_workflow(
            LOCK_TYPE,
            id=name,
            task_queue=LOCK_TYPE,
            execution_timeout=LOCK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        )
    except WorkflowAlreadyStartedError:
        yield False
        return
    try:
        yield True
    finally:
        with contextlib.suppress(RPCError):
            await handle.terminate("done")
