"""Is the worker gone? A verdict on the workers of a run's steps, within a few seconds and without trusting any clock.

Two things beat: the worker itself (every second, when its client has `MastraPlugin`), and every step while it runs
(also every second). A beat that is newer than the one seen first means alive. No new beat of either kind for two and a
half intervals means gone. A server too old to list workers leaves the steps' heartbeats, which suffice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, ListWorkersRequest
from temporalio.client import Client
from temporalio.service import RPCError

__all__ = ["gone_workers", "pending_steps"]

SILENCE_SECONDS = 2.5
"""Two and a half times the interval at which steps beat."""
POLL_SECONDS = 0.2


@dataclass
class Evidence:
    """What is known of one worker."""

    identity: str
    first: dict[str, tuple[int, int]] = field(default_factory=lambda: dict[str, tuple[int, int]]())
    """The first beat seen, by source."""
    alive: bool = False
    shut_down: bool = False

    def beat(self, source: str, at: Timestamp) -> None:
        """Note the latest beat of a source."""
        seen = (at.seconds, at.nanos)
        if self.first.setdefault(source, seen) != seen:
            self.alive = True


async def pending_steps(client: Client, run_id: str) -> list[PendingActivityInfo]:
    """The activities of a run that are scheduled or under way."""
    description = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=WorkflowExecution(workflow_id=run_id))
    )
    return list(description.pending_activities)


async def gone_workers(client: Client, run_id: str, identities: Iterable[str]) -> set[str]:
    """Which of these workers are gone. Returns as soon as the verdict on all of them is in."""
    evidence = {identity: Evidence(identity) for identity in identities}
    began = time.monotonic()
    while True:
        await asyncio.gather(
            _look_at_steps(client, run_id, evidence), *(_look_at(client, item) for item in evidence.values())
        )
        silent = time.monotonic() - began >= SILENCE_SECONDS
        undecided = [item for item in evidence.values() if not item.alive and not item.shut_down and not silent]
        if not undecided:
            return {item.identity for item in evidence.values() if not item.alive}
        await asyncio.sleep(POLL_SECONDS)


async def _look_at_steps(client: Client, run_id: str, evidence: dict[str, Evidence]) -> None:
    steps = await pending_steps(client, run_id)
    for pending in steps:
        item = evidence.get(pending.last_worker_identity)
        if item is not None:
            item.beat(pending.activity_id, pending.last_heartbeat_time)
    for identity in evidence.keys() - {pending.last_worker_identity for pending in steps}:
        evidence[identity].alive = True  # its steps have ended while we looked


async def _look_at(client: Client, item: Evidence) -> None:
    query = f"WorkerIdentity = '{item.identity}'"
    try:
        found = await client.workflow_service.list_workers(
            ListWorkersRequest(namespace=client.namespace, query=query), retry=False
        )
    except RPCError:
        return
    beats = [worker.worker_heartbeat for worker in found.workers_info]
    for beat in beats:
        item.beat(beat.worker_instance_key, beat.heartbeat_time)
    item.shut_down = bool(beats) and all(beat.status == WorkerStatus.WORKER_STATUS_SHUTDOWN for beat in beats)
