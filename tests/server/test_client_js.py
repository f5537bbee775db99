"""Mastra's own client, `@mastra/client-js` from npm, unmodified: each of its workflow methods against a worker."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from mastra_temporal.server import create_app
from tests.server.conftest import served
from tests.server.flows import build
from tests.server.node import installed_packages, node
from tests.support import Stage, until

pytestmark = [pytest.mark.any_cache, pytest.mark.timeout(300)]


@pytest.fixture
def packages() -> None:
    installed_packages()


@pytest.fixture
async def address(packages: None, stage: Stage) -> AsyncGenerator[str]:
    async with served(create_app(await stage.app(build))) as address:
        yield address


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(
            "reading",
            marks=pytest.mark.parity(
                "client.listWorkflows(), listWorkflowRunCounts()",
                "client.getWorkflow().details(), getSchema()",
                "workflow.runs()",
                "workflow.runById()",
                "workflow.deleteRunById()",
                "workflow.createRun()",
                "run.startAsync() of the client",
            ),
        ),
        pytest.param(
            "starting", marks=pytest.mark.parity("run.start() of the client", "run.cancel(), cancelRun() of the client")
        ),
        pytest.param(
            "streaming",
            marks=pytest.mark.parity(
                "run.stream() of the client", "run.observe({offset}), observeStream() of the client"
            ),
        ),
        pytest.param(
            "resuming",
            marks=pytest.mark.parity(
                "run.resume(), resumeAsync(), resumeNoWait() of the client", "run.resumeStream() of the client"
            ),
        ),
        "nested",
        pytest.param(
            "travelling",
            marks=pytest.mark.parity("run.timeTravel(), timeTravelAsync(), timeTravelStream() of the client"),
        ),
        pytest.param(
            "schedules",
            marks=pytest.mark.parity(
                "client schedules: create, get, list, update, delete, pause, resume, run, triggers"
            ),
        ),
        pytest.param("errors", marks=pytest.mark.parity("errors of the server: status and {error, issues}")),
    ],
)
async def test_it_works_unmodified(scenario: str, address: str, stage: Stage):
    stage.worker_process(build)
    await node("client.mjs", scenario, API=address)


@pytest.mark.parity("run.restart(), restartAsync() of the client")
async def test_a_killed_worker_and_a_restart(address: str, stage: Stage):
    worker = stage.worker_process(build)
    program = asyncio.create_task(node("client.mjs", "killed", API=address, WORKER=str(worker.pid)))
    await until(lambda: program.done() or not worker.is_alive, seconds=60)
    stage.effects.open("wait")
    stage.worker_process(build)
    await program
    assert stage.effects.counts() == {"before": 1, "waiting": 2}
