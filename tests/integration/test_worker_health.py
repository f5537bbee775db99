"""What a platform asks of a worker: liveness, readiness, metrics and logs."""

import asyncio
import contextlib
import json
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from mastra_temporal import Mastra
from mastra_temporal.devserver import DevServer, start_dev_server
from tests.integration.commands import APP, CLI, assert_mistake, run, running
from tests.support import until

pytestmark = pytest.mark.any_cache

STEPS = """
@step
async def block(seconds: float) -> str:
    time.sleep(seconds)
    return "awake"


@step
def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "awake"


blocking = create_workflow(id="blocking").then(block).commit()
sleeping = create_workflow(id="sleeping").foreach(sleep, concurrency=5).commit()
mastra = Mastra(workflows=[greeting, lingering, blocking, sleeping], task_queue="QUEUE")
"""


@pytest.fixture
def app(tmp_path: Path, mastra_task_queue: str) -> Mastra:
    source = f"import time\n{APP}{STEPS}".replace("QUEUE", mastra_task_queue)
    (tmp_path / "app.py").write_text(source)
    namespace: dict[str, Any] = {"__name__": "app"}
    exec(compile(source, str(tmp_path / "app.py"), "exec"), namespace)
    return namespace["mastra"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


async def ask(port: int, path: str) -> tuple[int, dict[str, Any]]:
    status, body = await asyncio.to_thread(get, port, path)
    return status, json.loads(body)["checks"] if status else {}


async def becomes(port: int, path: str, status: int, check: str, words: str, seconds: float = 20) -> None:
    async def answers() -> bool:
        found, checks = await ask(port, path)
        return found == status and words in checks.get(check, "")

    await until(answers, seconds)


def worker_arguments(*more: str, health: int) -> tuple[str, ...]:
    return ("worker", "--app", "app:mastra", "--health-address", f"127.0.0.1:{health}", *more)


async def test_it_is_ready_when_it_polls_and_not_when_it_stops(
    app: Mastra, mastra_client: Client, mastra_server: DevServer, tmp_path: Path
):
    await app.connect(mastra_client)
    health, metrics = free_port(), free_port()
    arguments = worker_arguments("--metrics-address", f"localhost:{metrics}", health=health)
    with running(CLI, *arguments, folder=tmp_path, TEMPORAL_ADDRESS=mastra_server.address) as worker:
        await becomes(health, "/readyz", 200, "polling", "ok")
        assert await ask(health, "/livez") == (200, {"event_loop": "ok"})
        assert (await ask(health, "/readyz"))[1] == dict.fromkeys(
            ("event_loop", "threads", "connected", "polling"), "ok"
        )
        result = await (await app.get_workflow("greeting").create_run()).start(input_data="Ada")
        assert result.result == "Hello Ada"
        _, text = await asyncio.to_thread(get, metrics, "/metrics")
        assert "mastra_runs_total{" in text
        assert "mastra_step_duration_seconds_bucket{" in text
        assert "temporal_workflow_task_execution_latency_seconds_bucket{" in text
        run_ = await app.get_workflow("lingering").create_run()
        await run_.start_async(input_data=30.0)
        await until((tmp_path / "lingering").exists)
        worker.process.send_signal(signal.SIGINT)
        await becomes(health, "/readyz", 503, "polling", "stopping")
        assert (await ask(health, "/livez"))[0] == 200
        assert await asyncio.to_thread(worker.stop, signal.SIGINT) == -signal.SIGINT
    await mastra_client.get_workflow_handle(run_.run_id).terminate()


async def test_a_blocked_event_loop_and_a_full_pool_make_it_unready_and_leave_it_alive(
    app: Mastra, mastra_client: Client, mastra_server: DevServer, tmp_path: Path
):
    await app.connect(mastra_client)
    health = free_port()
    arguments = worker_arguments("--max-threads", "1", health=health)
    with running(CLI, *arguments, folder=tmp_path, TEMPORAL_ADDRESS=mastra_server.address):
        await becomes(health, "/readyz", 200, "polling", "ok")
        sleeping = await app.get_workflow("sleeping").create_run()
        blocking = await app.get_workflow("blocking").create_run()
        await sleeping.start_async(input_data=[4.0, 4.0, 0.1])
        await blocking.start_async(input_data=7.0)
        await becomes(health, "/readyz", 503, "threads", "busy")
        await becomes(health, "/readyz", 503, "event_loop", "blocked")
        assert (await ask(health, "/livez"))[0] == 200
        await becomes(health, "/readyz", 200, "event_loop", "ok")


async def test_without_a_server_it_is_alive_and_not_ready(app: Mastra, tmp_path: Path):
    health = free_port()
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(start_dev_server())
        arguments = worker_arguments("--address", server.address, health=health)
        with running(CLI, *arguments, folder=tmp_path) as worker:
            await becomes(health, "/readyz", 200, "connected", "ok")
            await stack.aclose()
            await becomes(health, "/readyz", 503, "connected", "does not answer")
            assert (await ask(health, "/livez"))[0] == 200
            worker.process.kill()


def test_logs_as_json_name_the_run(app: Mastra, mastra_server: DevServer, tmp_path: Path):
    arguments = ("worker", "--app", "app:mastra", "--log-format", "json", "--log-level", "debug")
    with running(CLI, *arguments, folder=tmp_path, TEMPORAL_ADDRESS=mastra_server.address) as worker:
        worker.wait_for_output("for app:mastra")
        assert worker.stop() == 0
    records = [json.loads(line) for line in worker.output.splitlines()]
    started = next(record for record in records if "for app:mastra" in record["message"])
    assert started["level"] == "INFO"
    assert {"time", "logger", "run_id", "step_id"} <= started.keys()


@pytest.mark.parametrize("option", ["--health-address", "--metrics-address"])
def test_an_address_that_cannot_be_used_is_told(app: Mastra, mastra_server: DevServer, tmp_path: Path, option: str):
    command = ("-m", CLI, "worker", "--app", "app:mastra", "--address", mastra_server.address, option)
    assert_mistake(run(*command, "8080", folder=tmp_path), option, "host:port")
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        assert_mistake(run(*command, f"127.0.0.1:{port}", folder=tmp_path), "Cannot listen", str(port))
