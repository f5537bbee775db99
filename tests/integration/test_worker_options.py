"""What an operator sets on a worker arrives at Temporal, as the server tells of the worker."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import DescribeWorkerRequest, ListWorkersRequest
from temporalio.client import Client

from mastra_temporal import ConfigurationError, Mastra, create_workflow, run_worker, step
from mastra_temporal.devserver import DevServer
from tests.integration.commands import CLI, WORKER, run, running, write_app
from tests.support import until

pytestmark = pytest.mark.any_cache


async def beat_of(client: Client, task_queue: str) -> WorkerHeartbeat:
    """The newest heartbeat of the worker of a queue, once its pollers are up."""
    found: list[WorkerHeartbeat] = []

    async def polls() -> bool:
        listed = await client.workflow_service.list_workers(
            ListWorkersRequest(namespace=client.namespace, query=f"TaskQueue = '{task_queue}'")
        )
        for worker in listed.workers_info:
            key = worker.worker_heartbeat.worker_instance_key
            request = DescribeWorkerRequest(namespace=client.namespace, worker_instance_key=key)
            found.append((await client.workflow_service.describe_worker(request)).worker_info.worker_heartbeat)
        return bool(found) and found[-1].activity_poller_info.current_pollers > 0

    await until(polls)
    return found[-1]


async def test_flags_and_environment_variables_reach_the_worker(
    mastra_client: Client, mastra_server: DevServer, tmp_path: Path, mastra_task_queue: str
):
    write_app(tmp_path)
    first, second = f"{mastra_task_queue}-1", f"{mastra_task_queue}-2"
    flags = ("--task-queue", first, "--task-queue", second, "--max-concurrent-activities", "7", "--max-threads", "3")
    environment = {
        "TEMPORAL_ADDRESS": mastra_server.address,
        "MASTRA_WORKER_APP": "app:mastra",
        "MASTRA_WORKER_MAX_CONCURRENT_WORKFLOW_TASKS": "9",
        "MASTRA_WORKER_MAX_CONCURRENT_LOCAL_ACTIVITIES": "11",
    }
    with running(WORKER, *flags, folder=tmp_path, **environment) as worker:
        beats = [await beat_of(mastra_client, queue) for queue in (first, second)]
        assert worker.stop() == 0
    for beat in beats:
        slots = [
            info.current_available_slots + info.current_used_slots
            for info in (beat.activity_task_slots_info, beat.workflow_task_slots_info, beat.local_activity_slots_info)
        ]
        assert slots == [7, 9, 11]
        assert not beat.activity_poller_info.is_autoscaling


async def test_a_resource_based_tuner_and_autoscaling_polls(
    mastra_client: Client, mastra_server: DevServer, tmp_path: Path, mastra_task_queue: str
):
    write_app(tmp_path)
    flags = ("--target-memory-usage", "0.9", "--max-concurrent-activities", "50", "--autoscaling-polls")
    arguments = ("--app", "app:mastra", "--address", mastra_server.address, "--task-queue", mastra_task_queue, *flags)
    with running(CLI, "worker", *arguments, folder=tmp_path):
        beat = await beat_of(mastra_client, mastra_task_queue)
    assert beat.activity_task_slots_info.slot_supplier_kind == "ResourceBased"
    assert beat.activity_poller_info.is_autoscaling


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--max-concurrent-activities", "0"], "--max-concurrent-activities"),
        (["--target-cpu-usage", "80"], "--target-cpu-usage"),
        (["--max-concurent-activities", "5"], "--max-concurrent-activities"),
    ],
)
def test_a_wrong_flag_is_named(tmp_path: Path, flags: list[str], words: str):
    done = run("-m", CLI, "worker", "--app", "app:mastra", *flags, folder=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr


def mastra() -> Mastra:
    @step
    async def greet(name: str) -> str:
        return f"Hello {name}"

    return Mastra(workflows=[create_workflow(id="greeting").then(greet).commit()])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_concurent_activities": 5}, "Did you mean `max_concurrent_activities`"),
        ({"task_queue": "one", "task_queues": ["two"]}, "either `task_queue` or `task_queues`"),
        ({"task_queues": []}, "one or more names"),
        ({"task_queues": "one"}, "one or more names"),
    ],
)
async def test_a_wrong_option_is_named(options: dict[str, Any], words: str):
    with pytest.raises(ConfigurationError, match=words):
        await run_worker(mastra(), **options)
