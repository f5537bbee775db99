"""Is the worker gone? A verdict on the workers of a run's steps, within a few seconds and without trusting any clock.

Two things beat: the worker itself (every second, when its client has `MastraPlugin`), and every step while it runs
(also every second). A beat that is newer than the one seen first means alive. No new beat of either kind for two and a
half intervals means gone.

A worker that the server does not list, because the server is too old or has just been started itself, or that beats
more slowly than ours, may be reconnecting: then the steps' beats alone decide, and they get the time that the SDK needs
at most to come back to a server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    ListWorkersRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

__all__ = ["SILENCE_SECONDS", "Verdicts", "describe", "worker_beats"]

SILENCE_SECONDS = 2.5
"""Two and a half times the interval at which our workers and steps beat."""
RECONNECT_SECONDS = 8.0
"""How long a worker may be silent that is not listed: the SDK comes back within 5 s, and beats within 2 s more."""
OUR_INTERVAL_SECONDS = 2.0
"""A worker that beats more slowly was not set up by us: its own beats say nothing in time."""
POLL_SECONDS = 0.2


@dataclass
class Evidence:
    """What is known of one worker."""

    identity: str
    unlisted_seconds: float
    """How long it may be silent if the server does not list it."""
    first: dict[str, tuple[int, int]] = field(default_factory=lambda: dict[str, tuple[int, int]]())
    """The first beat seen, by source."""
    alive: bool = False
    listed: bool = False
    shut_down: bool = False
    steps_ended: bool = False
    """Its steps ended while we looked: that says nothing of the worker, and there is nothing left to restart."""

    def beat(self, source: str, at: Timestamp) -> None:
        """Note the latest beat of a source."""
        seen = (at.seconds, at.nanos)
        if self.first.setdefault(source, seen) != seen:
            self.alive = True

    def decided(self, silent_seconds: float) -> bool:
        """Whether there is a verdict, after this time without a beat."""
        patience = SILENCE_SECONDS if self.listed else self.unlisted_seconds
        return self.alive or self.shut_down or self.steps_ended or silent_seconds >= patience


class Verdicts:
    """Verdicts on workers, each found once: a thousand runs of one dead worker ask about it once."""

    def __init__(self, client: Client, *, unlisted_seconds: float = RECONNECT_SECONDS) -> None:
        """Nothing is known yet.

        Args:
            client: The client.
            unlisted_seconds: How long a worker may be silent that the server does not list.
        """
        self._client = client
        self._unlisted_seconds = unlisted_seconds
        self._verdicts: dict[str, asyncio.Task[Evidence]] = {}

    async def gone(self, run_id: str, identities: Iterable[str]) -> set[str]:
        """Which of these workers, named by a run's steps, are gone."""
        found = await asyncio.gather(*(self._verdict(run_id, identity) for identity in dict.fromkeys(identities)))
        return {item.identity for item in found if not item.alive and not item.steps_ended}

    async def _verdict(self, run_id: str, identity: str) -> Evidence:
        task = self._verdicts.get(identity)
        if task is None:
            task = self._verdicts[identity] = asyncio.create_task(self._observe(run_id, identity))
            return await task
        found = await asyncio.shield(task)
        # What another run's steps did by ending is no verdict for this run.
        return await self._observe(run_id, identity) if found.steps_ended else found

    def _observe(self, run_id: str, identity: str) -> Coroutine[Any, Any, Evidence]:
        return _observe(self._client, run_id, Evidence(identity, self._unlisted_seconds))


async def _observe(client: Client, run_id: str, evidence: Evidence) -> Evidence:
    began = time.monotonic()
    while True:
        await asyncio.gather(_look_at_steps(client, run_id, evidence), _look_at_worker(client, evidence))
        if evidence.decided(time.monotonic() - began):
            return evidence
        await asyncio.sleep(POLL_SECONDS)


async def describe(client: Client, run_id: str, execution: str = "") -> DescribeWorkflowExecutionResponse:
    """What the server knows of a run, its activities under way included.

    Args:
        client: The client.
        run_id: The run.
        execution: Temporal's id of the execution; by default the latest.
    """
    return await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=client.namespace, execution=WorkflowExecution(workflow_id=run_id, run_id=execution)
        )
    )


async def _look_at_steps(client: Client, run_id: str, evidence: Evidence) -> None:
    pending: list[PendingActivityInfo] = list((await describe(client, run_id)).pending_activities)
    own = [item for item in pending if item.last_worker_identity == evidence.identity]
    for item in own:
        evidence.beat(item.activity_id, item.last_heartbeat_time)
    evidence.steps_ended = not own


async def _look_at_worker(client: Client, evidence: Evidence) -> None:
    statuses: list[bool] = []
    for source, at, interval, shut_down in await worker_beats(client, f"WorkerIdentity = '{evidence.identity}'"):
        evidence.beat(source, at)
        statuses.append(shut_down)
        evidence.listed = evidence.listed or interval < OUR_INTERVAL_SECONDS
    evidence.shut_down = bool(statuses) and all(statuses)


async def worker_beats(client: Client, query: str) -> list[tuple[str, Timestamp, float, bool]]:
    """The workers that the server lists: id, last beat, interval in seconds, whether it has shut down.

    A server that is too old to list workers gives none.
    """
    try:
        found = await client.workflow_service.list_workers(
            ListWorkersRequest(namespace=client.namespace, query=query), retry=False
        )
    except RPCError:
        return []
    beats = [worker.worker_heartbeat for worker in found.workers_info]
    return [
        (
            beat.worker_instance_key,
            beat.heartbeat_time,
            beat.elapsed_since_last_heartbeat.ToTimedelta().total_seconds(),
            beat.status == WorkerStatus.WORKER_STATUS_SHUTDOWN,
        )
        for beat in beats
    ]
