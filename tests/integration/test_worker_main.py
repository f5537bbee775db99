"""`python -m workers.main`: a worker as it is deployed."""

import asyncio
import signal
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from mastra_temporal.devserver import DevServer
from tests.integration.commands import WORKER, assert_mistake, run, running, wait_until, write_app

pytestmark = pytest.mark.any_cache

NOBODY = "127.0.0.1:1"


async def test_it_runs_workflows_until_sigterm(mastra_client: Client, mastra_server: DevServer, tmp_path: Path):
    mastra = write_app(tmp_path)
    await mastra.connect(mastra_client)
    with running(WORKER, "--app", "app:mastra", "--address", mastra_server.address, folder=tmp_path) as worker:
        run_ = await mastra.get_workflow("greeting").create_run()
        result = await run_.start(input_data="Ada")
        assert (result.status, result.result) == ("success", "Hello Ada")
        assert worker.stop() == 0
        assert "task queue mastra" in worker.output
        assert worker.output.endswith("stopped\n")
        assert "Traceback" not in worker.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_step_that_is_running_may_finish(
    mastra_client: Client, mastra_server: DevServer, tmp_path: Path, number: signal.Signals
):
    mastra = write_app(tmp_path)
    await mastra.connect(mastra_client)
    with running(WORKER, "--app", "app:mastra", "--address", mastra_server.address, folder=tmp_path) as worker:
        run_ = await mastra.get_workflow("lingering").create_run()
        result = asyncio.create_task(run_.start(input_data=2.0))
        await asyncio.to_thread(wait_until, (tmp_path / "lingering").exists)
        assert await asyncio.to_thread(worker.stop, number) == 0
    # The workflow task that follows the step needs a worker again.
    with running(WORKER, "--app", "app:mastra", "--address", mastra_server.address, folder=tmp_path):
        assert (await result).result == "finished"
    history = mastra_client.get_workflow_handle(run_.run_id).fetch_history_events()
    scheduled = [event async for event in history if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    assert len(scheduled) == 1  # nobody had to run the step again


async def test_a_second_signal_ends_it_at_once(mastra_client: Client, mastra_server: DevServer, tmp_path: Path):
    mastra = write_app(tmp_path)
    await mastra.connect(mastra_client)
    with running(WORKER, "--app", "app:mastra", "--address", mastra_server.address, folder=tmp_path) as worker:
        run_ = await mastra.get_workflow("lingering").create_run()
        await run_.start_async(input_data=30.0)
        await asyncio.to_thread(wait_until, (tmp_path / "lingering").exists)
        worker.process.terminate()
        worker.wait_for_output("stopping")
        assert worker.stop() == -signal.SIGTERM
    await mastra_client.get_workflow_handle(run_.run_id).terminate()


def test_it_exits_cleanly_every_time(mastra_server: DevServer, tmp_path: Path):
    write_app(tmp_path)
    for _ in range(5):
        with running(WORKER, "--app", "app:mastra", folder=tmp_path, TEMPORAL_ADDRESS=mastra_server.address) as worker:
            worker.wait_for_output("for app:mastra")
            assert worker.stop() == 0


def test_settings_come_from_the_environment_and_options_win(mastra_server: DevServer, tmp_path: Path):
    write_app(tmp_path)
    arguments = ("--app", "app:mastra", "--address", mastra_server.address, "--task-queue", "other")
    with running(WORKER, *arguments, folder=tmp_path, TEMPORAL_ADDRESS=NOBODY, TEMPORAL_NAMESPACE="default") as worker:
        worker.wait_for_output(f"at {mastra_server.address}, namespace default, task queue other")


def test_an_unreachable_server_is_told(tmp_path: Path):
    write_app(tmp_path)
    done = run("-m", WORKER, "--app", "app:mastra", folder=tmp_path, TEMPORAL_ADDRESS=NOBODY)
    assert_mistake(done, NOBODY)


def test_an_unknown_namespace_is_told(mastra_server: DevServer, tmp_path: Path):
    write_app(tmp_path)
    arguments = ("--app", "app:mastra", "--address", mastra_server.address, "--namespace", "elsewhere")
    done = run("-m", WORKER, *arguments, folder=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "elsewhere" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("app", "words"),
    [
        ("app", ["`module:attribute`"]),
        ("nowhere:mastra", ["no module `nowhere`"]),
        ("app:mastre", ["no `mastre`", "`app:mastra`"]),
        ("app:greeting", ["`app:greeting` is not a `Mastra`", "`app:mastra`"]),
        ("needs:mastra", ["`needs` cannot be imported", "'absent'", "needs.py, line 2"]),
        ("broken:mastra", ["`broken` cannot be imported", "SyntaxError", "line 1"]),
        ("wrong:mastra", ["`wrong` cannot be imported", "DefinitionError", "wrong.py, line 2"]),
    ],
)
def test_a_wrong_app_is_told(tmp_path: Path, app: str, words: list[str]):
    write_app(tmp_path)
    (tmp_path / "needs.py").write_text("import os\nimport absent\n")
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "wrong.py").write_text("import mastra_temporal as m\nm.create_workflow(id='x').commit()\n")
    assert_mistake(run("-m", WORKER, "--app", app, folder=tmp_path), *words)


@pytest.mark.parametrize("arguments", [[], ["--app"], ["--app", "app:mastra", "--adress", "x"]])
def test_wrong_usage_exits_with_2(tmp_path: Path, arguments: list[str]):
    done = run("-m", WORKER, *arguments, folder=tmp_path)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False)
