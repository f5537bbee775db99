"""What the tests of runs share: a record of what steps did, workers that can be killed, and looks into histories."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from mastra_temporal import Mastra, MastraPlugin, Workflow, WorkflowResult
from mastra_temporal.testing import worker_for

# Starts a process in milliseconds: the server process has imported the package and has no threads.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["mastra_temporal.testing"])

T = TypeVar("T")


async def within(awaitable: Awaitable[T], seconds: float = 20) -> T:
    return await asyncio.wait_for(awaitable, seconds)


async def until(condition: Callable[[], Awaitable[bool] | bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


class Effects:
    """What steps did, and gates at which they wait: in files, so that both outlive a killed worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, effect: str) -> int:
        """Note an effect, and tell how often it has been noted."""
        with (self.folder / "effects").open("a") as file:
            file.write(f"{effect}\n")
        return self.counts()[effect]

    def counts(self) -> Counter[str]:
        file = self.folder / "effects"
        return Counter(file.read_text().splitlines() if file.exists() else ())

    async def seen(self, effect: str, times: int = 1) -> None:
        await until(lambda: self.counts()[effect] >= times)

    def open(self, gate: str) -> None:
        (self.folder / f"{gate}.gate").touch()

    def is_open(self, gate: str) -> bool:
        return (self.folder / f"{gate}.gate").exists()

    async def opened(self, gate: str) -> None:
        await until(lambda: self.is_open(gate), seconds=60)


Build = Callable[[Effects], Iterable[Workflow[Any, Any, Any]]]
"""Makes an app's workflows, in the test and in its worker processes alike: a function at module level."""


@dataclass(frozen=True)
class WorkerPlan:
    """What a worker's process is to do."""

    build: Build
    effects: Effects
    address: str
    task_queue: str
    environment: dict[str, str]
    identity: str | None
    settings: dict[str, Any] = field(default_factory=dict[str, Any])


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(self, plan: WorkerPlan) -> None:
        self._process = PROCESSES.Process(target=_serve, args=(plan,), daemon=True)
        self._process.start()

    def freeze(self) -> None:
        """Stop the process as a machine stops: it does nothing, and closes no connection."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        """Send SIGKILL, and return when the process is gone."""
        self._process.kill()
        self._process.join()

    def terminate(self) -> int | None:
        """Send SIGTERM, and return the exit status."""
        self._process.terminate()
        self._process.join(timeout=20)
        return self._process.exitcode


def _serve(plan: WorkerPlan) -> None:
    os.environ |= {"TEMPORAL_ADDRESS": plan.address, "TEMPORAL_CONFIG_FILE": os.devnull, **plan.environment}
    asyncio.run(_work(Mastra(workflows=plan.build(plan.effects), task_queue=plan.task_queue), plan))


async def _work(mastra: Mastra, plan: WorkerPlan) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = {"graceful_shutdown_timeout": timedelta(milliseconds=100), "identity": plan.identity}
    async with worker_for(mastra, await mastra.connect(), **settings, **plan.settings):
        await stop.wait()
    await asyncio.sleep(0.05)  # lets the SDK's threads finish before the interpreter exits


@dataclass
class Stage:
    """Where a test plays: a server, a task queue and a record of effects that no other test has."""

    client: Client
    task_queue: str
    effects: Effects
    processes: list[WorkerProcess] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.client.service_client.config.target_host

    @contextlib.asynccontextmanager
    async def worker(
        self, *workflows: Workflow[Any, Any, Any], tracing: Any = None, **settings: Any
    ) -> AsyncGenerator[Mastra]:
        """A worker in the test's own process, and the registry to start runs with."""
        mastra = Mastra(workflows=workflows, task_queue=self.task_queue)
        async with worker_for(mastra, traced(self.client, mastra, tracing), **settings):
            yield mastra

    async def app(self, build: Build, tracing: Any = None) -> Mastra:
        """The registry to start runs with when the workers are processes."""
        mastra = Mastra(workflows=build(self.effects), task_queue=self.task_queue)
        await mastra.connect(traced(self.client, mastra, tracing))
        return mastra

    def worker_process(
        self,
        build: Build,
        *,
        task_queue: str | None = None,
        environment: dict[str, str] | None = None,
        identity: str | None = None,
        **settings: Any,
    ) -> WorkerProcess:
        """A worker that can be killed; the test's end does so."""
        queue = task_queue or self.task_queue
        plan = WorkerPlan(build, self.effects, self.address, queue, environment or {}, identity, settings)
        process = WorkerProcess(plan)
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            process.kill()


def traced(client: Client, mastra: Mastra, tracing: Any) -> Client:
    """The client with the registry's plugin, which traces as it is told."""
    return Client(**{**client.config(), "plugins": [MastraPlugin(mastra, tracing=tracing)]})


async def run(workflow: Workflow[Any, Any, Any], **start: Any) -> WorkflowResult[Any]:
    """Start a run of its own and wait for its end."""
    return await within((await workflow.create_run()).start(**start))


async def history(client: Client, run_id: str) -> list[HistoryEvent]:
    return [event async for event in client.get_workflow_handle(run_id).fetch_history_events()]


async def count_events(client: Client, run_id: str, kind: "EventType.ValueType") -> int:
    return sum(event.event_type == kind for event in await history(client, run_id))


async def scheduled(client: Client, run_id: str) -> Counter[str]:
    """How often each activity was scheduled, by its type."""
    return Counter(
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in await history(client, run_id)
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    )


async def pending_failures(client: Client, run_id: str) -> list[Failure]:
    """Why the activities under way have not ended yet."""
    description = await client.get_workflow_handle(run_id).describe()
    return [item.last_failure for item in description.raw_description.pending_activities]


async def pending(client: Client, run_id: str) -> set[str]:
    """The ids of the activities under way."""
    description = await client.get_workflow_handle(run_id).describe()
    return {activity.activity_id for activity in description.raw_description.pending_activities}
