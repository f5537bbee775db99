"""Is the worker gone? A verdict on the workers of a run's steps, within a few seconds and without trusting any clock.

Two things beat: the worker itself (every second, when its client has `MastraPlugin`), and every step while it runs
(also every second). A beat that is newer than the one seen first means alive. No new beat of either kind for two and a
half intervals means gone.

A worker that the server does not list, because the server is too old or has just been started itself, or that beats
more slowly than ours, may be reconnecting: then the steps' beats alone decide, and they get the time that the SDK needs
at most to come back to a server. So it is, too, where several workers have one identity and only some of them beat: who
gives his processes a name that outlives them (a pod of a stateful set) has a dead worker and its successor under it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    ListWorkersRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from mastra_temporal._client.visibility import all_of, equals

__all__ = ["SILENCE_SECONDS", "LivenessChecker", "describe", "worker_beats"]

SILENCE_SECONDS = 2.5
"""Two and a half times the interval at which our workers and steps beat."""
RECONNECT_SECONDS = 8.0
"""How long a worker may be silent that is not listed: the SDK comes back within 5 s, and beats within 2 s more."""
OUR_INTERVAL_SECONDS = 2.0
"""A worker that beats more slowly was not set up by us: its own beats say nothing in time."""
POLL_SECONDS = 0.2


@dataclass
class LivenessProbe:
    """What is known of one worker, as seen from one run."""

    run_id: str | None
    """None: it is looked at by itself."""
    identity: str
    unlisted_seconds: float
    """How long it may be silent if the server does not list it."""
    first: dict[str, tuple[int, int]] = field(default_factory=lambda: dict[str, tuple[int, int]]())
    """The first beat seen, by source."""
    workers: dict[str, bool] = field(default_factory=lambda: dict[str, bool]())
    """The workers that the server lists under the identity: whether each has beaten since."""
    step_alive: bool = False
    listed: bool = False
    shut_down: bool = False
    steps_ended: bool = False
    """Its steps ended while we looked: that says nothing of the worker, and there is nothing left to restart."""

    def beats(self, source: str, at: Timestamp) -> bool:
        """Whether a source has beaten since it was first seen."""
        seen = (at.seconds, at.nanos)
        return self.first.setdefault(source, seen) != seen

    @property
    def all_workers_alive(self) -> bool:
        """Whether every worker of that identity beats."""
        return bool(self.workers) and all(self.workers.values())

    @property
    def alive(self) -> bool:
        """Whether the run's steps are alive, as far as they have not ended."""
        return self.step_alive or self.all_workers_alive

    @property
    def only_for_its_run(self) -> bool:
        """Whether it says nothing of other runs' steps, because only some of what was looked at beats, or it ended."""
        some_beat = self.step_alive or any(self.workers.values())
        return self.steps_ended or (some_beat and not self.all_workers_alive)

    def decided(self, silent_seconds: float) -> bool:
        """Whether there is a verdict, after this time without a beat."""
        speaks_for_itself = self.listed and not any(self.workers.values())
        patience = SILENCE_SECONDS if speaks_for_itself else self.unlisted_seconds
        return self.alive or self.shut_down or self.steps_ended or silent_seconds >= patience


class LivenessChecker:
    """LivenessChecker on workers, each found once: a thousand runs of one dead worker ask about it once."""

    def __init__(self, client: Client, *, unlisted_seconds: float = RECONNECT_SECONDS) -> None:
        """Nothing is known yet.

        Args:
            client: The client.
            unlisted_seconds: How long a worker may be silent that the server does not list.
        """
        self._client = client
        self._unlisted_seconds = unlisted_seconds
        self._observations: dict[tuple[str, bool, str | None], asyncio.Task[LivenessProbe]] = {}
        """By the worker's identity, whether steps are looked at, and where they say nothing of other runs', the run."""

    async def gone(self, run_id: str, identities: Iterable[str]) -> set[str]:
        """Which of these workers, named by a run's steps, are gone."""
        found = await asyncio.gather(*(self._verdict(run_id, identity) for identity in dict.fromkeys(identities)))
        return {item.identity for item in found if not item.alive and not item.steps_ended}

    async def is_worker_gone(self, identity: str) -> bool:
        """Whether a worker is gone, or every worker of that identity. One that the server does not list is not."""
        found = await self._observed(None, identity, None)
        return found.listed and not any(found.workers.values())

    async def _verdict(self, run_id: str, identity: str) -> LivenessProbe:
        found = await self._observed(run_id, identity, None)
        if found.only_for_its_run and found.run_id != run_id:
            return await self._observed(run_id, identity, run_id)
        return found

    async def _observed(self, run_id: str | None, identity: str, only_for: str | None) -> LivenessProbe:
        key = (identity, run_id is not None, only_for)
        if key not in self._observations:
            observing = _observe(self._client, LivenessProbe(run_id, identity, self._unlisted_seconds))
            self._observations[key] = asyncio.create_task(observing)
            return await self._observations[key]
        return await asyncio.shield(self._observations[key])


async def _observe(client: Client, probe: LivenessProbe) -> LivenessProbe:
    began = time.monotonic()
    while True:
        await asyncio.gather(_look_at_steps(client, probe), _look_at_worker(client, probe))
        if probe.decided(time.monotonic() - began):
            return probe
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


async def _look_at_steps(client: Client, probe: LivenessProbe) -> None:
    if probe.run_id is None:
        return
    pending: list[PendingActivityInfo] = list((await describe(client, probe.run_id)).pending_activities)
    own = [item for item in pending if item.last_worker_identity == probe.identity]
    for item in own:
        probe.step_alive |= probe.beats(item.activity_id, item.last_heartbeat_time)
    probe.steps_ended = not own


async def _look_at_worker(client: Client, probe: LivenessProbe) -> None:
    query = all_of(equals("WorkerIdentity", probe.identity))
    beats = await worker_beats(client, query, lambda beat: beat.worker_identity == probe.identity)
    for source, at, interval, shut_down in beats:
        if shut_down:
            probe.workers.pop(source, None)
        else:
            probe.workers[source] = probe.beats(source, at)
        probe.listed |= interval < OUR_INTERVAL_SECONDS
    probe.shut_down = bool(beats) and all(shut_down for *_, shut_down in beats)


async def worker_beats(
    client: Client, query: str, wanted: Callable[[WorkerHeartbeat], bool] = lambda beat: True
) -> list[tuple[str, Timestamp, float, bool]]:
    """The workers that the server lists: id, last beat, interval in seconds, whether it has shut down.

    A server that is too old to list workers gives none.

    Args:
        client: Whom to ask.
        query: Which workers to ask for.
        wanted: Which of those that the server found are meant: a query may find too many.
    """
    try:
        found = await client.workflow_service.list_workers(
            ListWorkersRequest(namespace=client.namespace, query=query), retry=False
        )
    except RPCError:
        return []
    beats = [worker.worker_heartbeat for worker in found.workers_info if wanted(worker.worker_heartbeat)]
    return [
        (
            beat.worker_instance_key,
            beat.heartbeat_time,
            beat.elapsed_since_last_heartbeat.ToTimedelta().total_seconds(),
            beat.status == WorkerStatus.WORKER_STATUS_SHUTDOWN,
        )
        for beat in beats
    ]
