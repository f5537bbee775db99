"""A pytest plugin that runs workflows on a real Temporal server, with workers for each test.

Install ``mastra-temporal[dev-server]``, pytest and pytest-asyncio, and name the plugin in ``conftest.py``::

    pytest_plugins = ["mastra_temporal.testing"]

A test can then run a workflow on a real server and replace some of its steps::

    @pytest.mark.asyncio
    async def test_an_order(run_workflow):
        result = await run_workflow(orders, {"total": 5}, replace={"charge": lambda order: "receipt-1"})
        assert result.result == "receipt-1"

``docs/testing.md`` has examples of all fixtures.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any, Protocol, TypeVar

import pytest
import pytest_asyncio
from temporalio.api.testservice.v1 import UnlockTimeSkippingRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from mastra_temporal._protocol.results import WorkflowResult
from mastra_temporal.devserver import DevServer, find_server_binary, start_dev_server
from mastra_temporal.mastra import Mastra
from mastra_temporal.plugin import heartbeating_runtime
from mastra_temporal.testing.process import WorkerProcess
from mastra_temporal.testing.replacing import with_steps
from mastra_temporal.workflow import Workflow

__all__ = [
    "RunWorkflow",
    "StartWorker",
    "StartWorkerProcess",
    "WorkerProcess",
    "mastra_client",
    "mastra_server",
    "mastra_task_queue",
    "mastra_time_skipping_client",
    "mastra_worker",
    "mastra_worker_process",
    "run_workflow",
    "with_steps",
    "worker_for",
]

OutT = TypeVar("OutT")


class StartWorker(Protocol):
    """The type of the fixture `mastra_worker`."""

    async def __call__(self, *workflows: Workflow[Any, Any, Any], client: Client | None = None) -> Mastra:
        """Start a worker for these workflows. It runs until the test ends.

        Args:
            workflows: Committed workflows. Use `with_steps` to replace some of their steps.
            client: The client to use. Default: the fixture ``mastra_client``.

        Returns:
            The connected registry.
        """
        ...


class RunWorkflow(Protocol):
    """The type of the fixture `run_workflow`."""

    async def __call__(
        self,
        workflow: Workflow[Any, OutT, Any],
        input_data: Any = None,
        *,
        replace: Mapping[str, Callable[..., Any]] | None = None,
        initial_state: Any = None,
        request_context: dict[str, Any] | None = None,
        client: Client | None = None,
    ) -> WorkflowResult[OutT]:
        """Run a workflow until it has ended or is suspended.

        Args:
            workflow: A committed workflow.
            input_data: The run's input.
            replace: New step bodies by step id, see `with_steps`.
            initial_state: The workflow's initial state.
            request_context: The run's request context.
            client: The client to use. Default: the fixture ``mastra_client``. With ``mastra_time_skipping_client`` a
                sleep of a week takes no time.
        """
        ...


class StartWorkerProcess(Protocol):
    """The type of the fixture `mastra_worker_process`."""

    def __call__(self, app: Callable[[str], Mastra]) -> WorkerProcess:
        """Start a worker in a process of its own, on the task queue ``mastra_task_queue``. See `WorkerProcess`."""
        ...


@contextlib.asynccontextmanager
async def worker_for(mastra: Mastra, client: Client, **settings: Any) -> AsyncGenerator[Worker]:
    """Connect a registry and run a worker for it until the ``async with`` block ends.

    With ``MASTRA_TEST_MAX_CACHED_WORKFLOWS=0`` in the environment the worker keeps no workflow in memory. Every
    workflow task then replays the whole history, and code that is not deterministic fails.

    Args:
        mastra: The registry.
        client: The client to use, for example the fixture ``mastra_client``.
        settings: Further arguments for ``temporalio.worker.Worker``.
    """
    if cached := os.environ.get("MASTRA_TEST_MAX_CACHED_WORKFLOWS"):
        settings.setdefault("max_cached_workflows", int(cached))
    await mastra.connect(client)
    async with Worker(mastra.client, task_queue=mastra.task_queue, **settings) as worker:
        yield worker


@pytest.fixture(scope="session")
def mastra_server() -> Generator[DevServer]:
    """Provide an in-memory development server on a free port, shared by all tests of the session."""
    # This is not an async fixture, because an async session fixture works only in tests that share its event loop.
    loop = asyncio.new_event_loop()
    server = start_dev_server()
    yield loop.run_until_complete(server.__aenter__())
    loop.run_until_complete(server.__aexit__(None, None, None))
    loop.close()


@pytest_asyncio.fixture
async def mastra_client(mastra_server: DevServer) -> Client:
    """Provide a client of the session's server."""
    return await Client.connect(
        mastra_server.address, namespace=mastra_server.namespace, runtime=heartbeating_runtime()
    )


@pytest_asyncio.fixture
async def mastra_time_skipping_client() -> AsyncGenerator[Client]:
    """Provide a client of a server for this test, whose clock jumps ahead while all its runs wait for timers."""
    binary = find_server_binary("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=binary.path) as environment:
        # By default the SDK lets the server skip time only while a workflow result is awaited. We await runs by
        # updates, during which the clock would not move.
        await environment.client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        yield environment.client


@pytest.fixture
def mastra_task_queue() -> str:
    """Provide a task queue that no other test uses."""
    return f"test-{uuid.uuid4()}"


@pytest_asyncio.fixture
async def mastra_worker(mastra_client: Client, mastra_task_queue: str) -> AsyncGenerator[StartWorker]:
    """Provide a function that starts workers, each on its own task queue, until the test ends. See `StartWorker`."""
    async with contextlib.AsyncExitStack() as workers:

        async def start(*workflows: Workflow[Any, Any, Any], client: Client | None = None) -> Mastra:
            mastra = Mastra(workflows=workflows, task_queue=f"{mastra_task_queue}-{uuid.uuid4()}")
            await workers.enter_async_context(worker_for(mastra, client or mastra_client))
            return mastra

        yield start


@pytest.fixture
def run_workflow(mastra_worker: StartWorker) -> RunWorkflow:
    """Provide a function that runs a workflow with some steps replaced. See `RunWorkflow`."""

    async def run(
        workflow: Workflow[Any, OutT, Any],
        input_data: Any = None,
        *,
        replace: Mapping[str, Callable[..., Any]] | None = None,
        initial_state: Any = None,
        request_context: dict[str, Any] | None = None,
        client: Client | None = None,
    ) -> WorkflowResult[OutT]:
        workflow = with_steps(workflow, replace or {})
        await mastra_worker(workflow, client=client)
        started = await workflow.create_run()
        return await started.start(input_data=input_data, initial_state=initial_state, request_context=request_context)

    return run


@pytest.fixture
def mastra_worker_process(mastra_client: Client, mastra_task_queue: str) -> Generator[StartWorkerProcess]:
    """Provide a function that starts worker processes. They are killed at the test's end. See `StartWorkerProcess`."""
    processes: list[WorkerProcess] = []

    def start(app: Callable[[str], Mastra]) -> WorkerProcess:
        processes.append(WorkerProcess(app, mastra_client, mastra_task_queue))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
