"""A lock across processes, for the two actions of a restart that must happen only once: reset and reopen."""

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
"""Time after which the lock of a dead process is released. Hold the lock for a few calls only."""
LOCK_TYPE = "mastra.restart-lock"
"""Workflow type and task queue of the lock."""


@contextlib.asynccontextmanager
async def locked(client: Client, run_id: str) -> AsyncGenerator[bool]:
    """Hold the lock of a run during the block. The value of the block is False if another process holds the lock.

    The lock is a workflow execution: the server starts only one per workflow id. No worker polls its task queue. It
    exists for a few milliseconds.
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
        # Run the block without the lock: the caller looks whether the holder has done the work.
        yield False
        return
    try:
        yield True
    finally:
        with contextlib.suppress(RPCError):
            await handle.terminate("done")
