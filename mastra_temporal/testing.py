"""Test helpers: a pytest plugin with a real Temporal server, and a worker for the length of a block.

Install ``mastra-temporal[dev-server]``, pytest and pytest-asyncio, and name the plugin in ``conftest.py``::

    pytest_plugins = ["mastra_temporal.testing"]

A test then runs a workflow as production does, on a server of its own::

    @pytest.mark.asyncio
    async def test_greeting(mastra_client, mastra_task_queue):
        mastra = Mastra(workflows=[greeting], task_queue=mastra_task_queue)
        async with worker_for(mastra, mastra_client):
            run = await mastra.get_workflow("greeting").create_run()
            result = await run.start(input_data="Ada")
        assert result.result == "Hello Ada"

With ``mastra_time_skipping_client`` in place of ``mastra_client`` a sleep of a week takes no time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.testservice.v1 import UnlockTimeSkippingRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from mastra_temporal.devserver import DevServer, find_server_binary, start_dev_server
from mastra_temporal.plugin import heartbeating_runtime
from mastra_temporal.run.mastra import Mastra

__all__ = ["mastra_client", "mastra_server", "mastra_task_queue", "mastra_time_skipping_client", "worker_for"]


@contextlib.asynccontextmanager
async def worker_for(mastra: Mastra, client: Client, **settings: Any) -> AsyncGenerator[Worker]:
    """Connect a registry and run a worker for it for the length of the ``async with`` block.

    With ``MASTRA_TEST_MAX_CACHED_WORKFLOWS=0`` in the environment the worker keeps no workflow in memory, so that each
    workflow task replays its whole history: a test run that finds what is not deterministic.

    Args:
        mastra: What to work for.
        client: Connection to use, for example the fixture ``mastra_client``.
        settings: Further arguments of ``temporalio.worker.Worker``.
    """
    if cached := os.environ.get("MASTRA_TEST_MAX_CACHED_WORKFLOWS"):
        settings.setdefault("max_cached_workflows", int(cached))
        if int(cached) == 0:
            # One at a time: a second task would evict the first in the middle of a local activity, and let it time out.
            settings.setdefault("max_concurrent_workflow_tasks", 1)
    await mastra.connect(client)
    async with Worker(mastra.client, task_queue=mastra.task_queue, **settings) as worker:
        yield worker


@pytest.fixture(scope="session")
def mastra_server() -> Generator[DevServer]:
    """A development server on a free port, in memory, shared by all tests of the session."""
    # Not an async fixture: those of a session need tests that share the session's event loop.
    loop = asyncio.new_event_loop()
    server = start_dev_server()
    yield loop.run_until_complete(server.__aenter__())
    loop.run_until_complete(server.__aexit__(None, None, None))
    loop.close()


@pytest_asyncio.fixture
async def mastra_client(mastra_server: DevServer) -> Client:
    """A client of the session's server."""
    return await Client.connect(
        mastra_server.address, namespace=mastra_server.namespace, runtime=heartbeating_runtime()
    )


@pytest_asyncio.fixture
async def mastra_time_skipping_client() -> AsyncGenerator[Client]:
    """A client of a server of the test's own, whose clock jumps ahead whenever all its runs wait for a timer."""
    binary = find_server_binary("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=binary.path) as environment:
        # The server would skip only while a result is awaited; a run may also be awaited by an update.
        await environment.client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        yield environment.client


@pytest.fixture
def mastra_task_queue() -> str:
    """A task queue that no other test uses."""
    return f"test-{uuid.uuid4()}"
