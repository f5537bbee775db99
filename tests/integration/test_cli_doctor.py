"""`mastra-temporal doctor` finds each fault that is planted here, and tells its remedy."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from mastra_temporal import StepContext, create_step, create_workflow, devserver
from mastra_temporal._worker.workflow import interpreter
from mastra_temporal.cli import checks
from mastra_temporal.devserver import DevServer, start_dev_server
from tests.integration.cli import APP, Cli
from tests.support import Effects, Stage, until

pytestmark = pytest.mark.any_cache


async def work(value: Any) -> Any:
    return value


def workflows() -> list[Any]:
    return [create_workflow(id="examined").then(create_step(id="work", execute=work)).commit()]


async def found(cli: Cli, *arguments: str) -> dict[str, str]:
    """The faults with their remedies."""
    done = await cli("doctor", "--json", *arguments)
    faults = {item["what"]: item["remedy"] for item in done.json["findings"] if item["status"] == "fault"}
    assert done.status == (3 if faults else 0), done.stderr
    return faults


def assert_fault(faults: dict[str, str], what: str, remedy: str) -> None:
    (told,) = [(one, other) for one, other in faults.items() if what in one] or [("", "")]
    assert remedy in told[1], faults


async def test_a_healthy_application_has_no_faults(stage: Stage, cli: Cli):
    cli.app(workflows)
    async with stage.worker(*workflows()):
        done = await cli("doctor", "--app", APP)
    words = (stage.task_queue, "clock", "server")
    mine = [line for line in done.stdout.splitlines() if any(word in line for word in words)]
    assert mine
    assert all(line.startswith("ok") for line in mine), done.stdout


@pytest.fixture
async def faulty_server(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[DevServer]:
    """A server that lacks what we need."""
    flags = {"WorkerHeartbeatsEnabled": False, "enableUpdateWorkflowExecution": False}
    monkeypatch.setattr(
        devserver, "DYNAMIC_CONFIG", devserver.DYNAMIC_CONFIG | {f"frontend.{name}": flags[name] for name in flags}
    )
    monkeypatch.setattr(devserver, "KEYS", (SearchAttributeKey.for_int("MastraStatus"),))
    async with start_dev_server() as server:
        yield server


async def test_faults_of_a_server(faulty_server: DevServer, cli: Cli):
    faults = await found(cli, "--address", faulty_server.address, "--task-queue", "of-nobody")
    assert_fault(faults, "takes no heartbeats of workers", "frontend.WorkerHeartbeatsEnabled")
    assert_fault(faults, "takes no updates", "frontend.enableUpdateWorkflowExecution")
    assert_fault(faults, "MastraWorkflow, MastraResource are missing", "mastra-temporal search-attributes")
    assert_fault(faults, "MastraStatus are not of type Keyword", "remove --name")
    assert_fault(faults, "no worker polls task queue of-nobody", "mastra-temporal worker")


async def test_faults_of_the_connection(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    assert_fault(await found(cli, "--address", "127.0.0.1:1"), "No Temporal server answers", "TEMPORAL_TLS")
    assert_fault(await found(cli, "--namespace", "nowhere"), "namespace nowhere", "namespace create nowhere")
    assert_fault(await found(cli, "--app", "nowhere:mastra"), "no module `nowhere`", "Correct the setting")
    (tmp_path / "temporal.toml").write_text("not toml")
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "temporal.toml"))
    assert_fault(await found(cli), "configuration cannot be read", "Correct the setting")


async def test_a_clock_that_is_wrong(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checks, "now", lambda: datetime.now(timezone.utc) + timedelta(minutes=2))
    assert_fault(await found(cli), "differ by 120 s", "NTP")


async def test_a_worker_that_has_no_plugin_or_the_identity_of_another(stage: Stage, cli: Cli):
    mastra = await stage.app(lambda effects: workflows())
    plain = await Client.connect(stage.address, runtime=stage.client.service_client.config.runtime)
    types = Worker(
        plain,
        task_queue=stage.task_queue,
        workflows=mastra.workflow_types(),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    stage.worker_process(build, identity="twin")
    stage.worker_process(build, identity="twin")

    async def listed() -> bool:
        faults = await found(cli, "--task-queue", stage.task_queue)
        return sum("has no MastraPlugin" in what or "have the identity twin" in what for what in faults) == 2

    async with types:
        await until(listed)


def build(effects: Effects) -> list[Any]:
    async def hang(value: Any, ctx: StepContext) -> None:
        effects.add("begun")
        await asyncio.sleep(60)

    return [create_workflow(id="hanging").then(create_step(id="hang", execute=hang)).commit()]


async def test_a_run_that_lost_its_worker(stage: Stage, cli: Cli):
    mastra = await stage.app(build)
    process = stage.worker_process(build)
    run = await mastra.get_workflow("hanging").create_run()
    await run.start_async()
    await stage.effects.seen("begun")
    process.kill()
    stage.worker_process(build)
    faults = await found(cli)
    await stage.client.get_workflow_handle(run.run_id).terminate()
    assert_fault(faults, f"run {run.run_id} has lost its worker", f"mastra-temporal restart {run.run_id}")


@pytest.mark.failed_workflow_tasks
async def test_a_run_whose_workflow_task_fails(stage: Stage, cli: Cli, monkeypatch: pytest.MonkeyPatch):
    async def broken(*arguments: Any) -> None:
        raise RuntimeError("a bad deploy")

    monkeypatch.setitem(interpreter.HANDLERS, "step", broken)
    async with stage.worker(*workflows()) as mastra:
        run = await mastra.get_workflow("examined").create_run()
        await run.start_async()

        async def told() -> bool:
            return any(f"the workflow task of run {run.run_id} has failed" in what for what in await found(cli))

        await until(told)
        await stage.client.get_workflow_handle(run.run_id).terminate()
