"""Liveness check: decide within a few seconds whether the workers of a run's steps are gone.

There are two kinds of heartbeats: those of the worker (every second if its client has `MastraPlugin`) and those of each
running activity (also every second). A heartbeat that differs from the first one seen means alive. No new heartbeat of
either kind for two and a half intervals means gone. Timestamps are only compared with each other, never with a local
clock, so clock skew between machines does not matter.

A worker may be reconnecting if the server does not list it (the server is too old, or was just restarted) or if it
heartbeats more slowly than ours. Then only the activity heartbeats decide, and the limit is the longest time that the
SDK needs to reconnect.

The same applies if several workers share one identity and only some of them heartbeat. A process name that survives a
restart (such as a pod of a StatefulSet) identifies both the dead worker and its successor.
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
"""Seconds without a heartbeat after which a worker is gone: 2.5 times our heartbeat interval."""
RECONNECT_SECONDS = 8.0
"""The same limit in seconds for a worker that is not listed. The SDK reconnects within 5 s and heartbeats within 2 s
more; a shorter limit would run the steps of a reconnecting worker twice."""
OUR_INTERVAL_SECONDS = 2.0
"""Upper bound, in seconds, of our workers' heartbeat interval. Slower heartbeats come too late for a verdict."""
POLL_SECONDS = 0.2
"""Seconds between two looks at the server."""


@dataclass
class LivenessProbe:
    """Observations of one worker, from the viewpoint of one run."""

    run_id: str | None
    """The run whose steps are observed. None: only the worker's own heartbeats count."""
    identity: str
    """The worker identity."""
    unlisted_seconds: float
    """Seconds of silence after which the worker is gone if the server does not list it."""
    first: dict[str, tuple[int, int]] = field(default_factory=lambda: dict[str, tuple[int, int]]())
    """First heartbeat seen, by source (worker instance or activity id)."""
    workers: dict[str, bool] = field(default_factory=lambda: dict[str, bool]())
    """Workers that the server lists under the identity, and whether each has sent a new heartbeat since."""
    step_alive: bool = False
    """Whether one of the run's steps has sent a new heartbeat."""
    listed: bool = False
    """Whether the server lists a worker of this identity that heartbeats at our interval."""
    shut_down: bool = False
    """Whether all listed workers have shut down."""
    steps_ended: bool = False
    """Whether no step of the run is on this worker any more. Then there is nothing to restart, and no verdict."""

    def beats(self, source: str, at: Timestamp) -> bool:
        """Record a heartbeat. Return whether it differs from the first one of this source."""
        seen = (at.seconds, at.nanos)
        return self.first.setdefault(source, seen) != seen

    @property
    def all_workers_alive(self) -> bool:
        """Whether every listed worker of the identity has sent a new heartbeat."""
        return bool(self.workers) and all(self.workers.values())

    @property
    def alive(self) -> bool:
        """Whether the run's steps on this worker are alive."""
        return self.step_alive or self.all_workers_alive

    @property
    def only_for_its_run(self) -> bool:
        """Whether the verdict applies to this run only.

        If only some workers of the identity are alive, or the run's steps have ended, other runs' steps may be on a
        dead worker of the same identity. Reusing the verdict would leave them hanging.
        """
        some_beat = self.step_alive or any(self.workers.values())
        return self.steps_ended or (some_beat and not self.all_workers_alive)

    def decided(self, silent_seconds: float) -> bool:
        """Return whether there is a verdict after this many seconds without a heartbeat."""
        speaks_for_itself = self.listed and not any(self.workers.values())
        patience = SILENCE_SECONDS if speaks_for_itself else self.unlisted_seconds
        return self.alive or self.shut_down or self.steps_ended or silent_seconds >= patience


class LivenessChecker:
    """Checks whether workers are gone, each worker once: a thousand runs of one dead worker share one check."""

    def __init__(self, client: Client, *, unlisted_seconds: float = RECONNECT_SECONDS) -> None:
        """Create a checker without any observations.

        Args:
            client: The client.
            unlisted_seconds: Seconds of silence after which a worker is gone that the server does not list.
        """
        self._client = client
        self._unlisted_seconds = unlisted_seconds
        self._observations: dict[tuple[str, bool, str | None], asyncio.Task[LivenessProbe]] = {}
        """By worker identity, whether activity heartbeats count, and the run if the verdict applies to it only."""

    async def gone(self, run_id: str, identities: Iterable[str]) -> set[str]:
        """Return those of the given workers of a run's steps that are gone.

        Args:
            run_id: The run.
            identities: The identities of the workers that run its steps.
        """
        found = await asyncio.gather(*(self._verdict(run_id, identity) for identity in dict.fromkeys(identities)))
        return {item.identity for item in found if not item.alive and not item.steps_ended}

    async def is_worker_gone(self, identity: str) -> bool:
        """Return whether every worker of this identity is gone. False if the server does not list the worker."""
        found = await self._observed(None, identity, None)
        return found.listed and not any(found.workers.values())

    async def _verdict(self, run_id: str, identity: str) -> LivenessProbe:
        """Return the observations of a worker that apply to this run."""
        found = await self._observed(run_id, identity, None)
        # The shared verdict may not apply to this run: then observe the worker again through this run's steps.
        if found.only_for_its_run and found.run_id != run_id:
            return await self._observed(run_id, identity, run_id)
        return found

    async def _observed(self, run_id: str | None, identity: str, only_for: str | None) -> LivenessProbe:
        """Return the observations of a worker. Concurrent callers share them."""
        key = (identity, run_id is not None, only_for)
        if key not in self._observations:
            observing = _observe(self._client, LivenessProbe(run_id, identity, self._unlisted_seconds))
            self._observations[key] = asyncio.create_task(observing)
            return await self._observations[key]
        # Shield the shared task: a caller that is canceled must not cancel the check for the other callers.
        return await asyncio.shield(self._observations[key])


async def _observe(client: Client, probe: LivenessProbe) -> LivenessProbe:
    """Look at a worker and its steps until there is a verdict."""
    began = time.monotonic()
    while True:
        await asyncio.gather(_look_at_steps(client, probe), _look_at_worker(client, probe))
        if probe.decided(time.monotonic() - began):
            return probe
        await asyncio.sleep(POLL_SECONDS)


async def describe(client: Client, run_id: str, execution: str = "") -> DescribeWorkflowExecutionResponse:
    """Return the server's description of a run, including its pending activities.

    Args:
        client: The client.
        run_id: The run.
        execution: Temporal's run id of the execution; by default the latest.
    """
    return await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=client.namespace, execution=WorkflowExecution(workflow_id=run_id, run_id=execution)
        )
    )


async def _look_at_steps(client: Client, probe: LivenessProbe) -> None:
    """Record the heartbeats of the run's steps on this worker."""
    if probe.run_id is None:
        return
    pending: list[PendingActivityInfo] = list((await describe(client, probe.run_id)).pending_activities)
    own = [item for item in pending if item.last_worker_identity == probe.identity]
    for item in own:
        probe.step_alive |= probe.beats(item.activity_id, item.last_heartbeat_time)
    probe.steps_ended = not own


async def _look_at_worker(client: Client, probe: LivenessProbe) -> None:
    """Record the heartbeats of all workers with this identity."""
    query = all_of(equals("WorkerIdentity", probe.identity))
    beats = await worker_beats(client, query, lambda beat: beat.worker_identity == probe.identity)
    for source, at, interval, shut_down in beats:
        # A predecessor that has shut down must not count as a silent worker: its successor would look half dead.
        if shut_down:
            probe.workers.pop(source, None)
        else:
            probe.workers[source] = probe.beats(source, at)
        probe.listed |= interval < OUR_INTERVAL_SECONDS
    probe.shut_down = bool(beats) and all(shut_down for *_, shut_down in beats)


async def worker_beats(
    client: Client, query: str, wanted: Callable[[WorkerHeartbeat], bool] = lambda beat: True
) -> list[tuple[str, Timestamp, float, bool]]:
    """Return the workers that the server lists: id, last heartbeat, interval in seconds, whether it has shut down.

    Return an empty list if the server is too old to list workers.

    Args:
        client: The client.
        query: The query for the workers.
        wanted: Filter for the result, because a query may match too many workers.
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
