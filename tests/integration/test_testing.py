"""The helpers that `mastra_temporal.testing` gives to users."""

import time
from datetime import timedelta

import pytest
from temporalio.client import Client

from mastra_temporal import Mastra, create_workflow
from mastra_temporal.testing import worker_for


def napping(duration: timedelta, task_queue: str) -> Mastra:
    return Mastra(workflows=[create_workflow(id="napping").sleep(duration).commit()], task_queue=task_queue)


async def test_a_sleep_of_a_week_takes_no_time(mastra_time_skipping_client: Client, mastra_task_queue: str):
    mastra = napping(timedelta(weeks=1), mastra_task_queue)
    started = time.monotonic()
    async with worker_for(mastra, mastra_time_skipping_client):
        run = await mastra.get_workflow("napping").create_run()
        result = await run.start(input_data="rested")
    assert (result.status, result.result) == ("success", "rested")
    assert time.monotonic() - started < 10


async def test_every_run_can_be_replayed_at_every_step(
    mastra_client: Client, mastra_task_queue: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MASTRA_TEST_MAX_CACHED_WORKFLOWS", "0")
    mastra = napping(timedelta(milliseconds=1), mastra_task_queue)
    async with worker_for(mastra, mastra_client) as worker:
        assert worker.config().get("max_cached_workflows") == 0
        run = await mastra.get_workflow("napping").create_run()
        assert (await run.start(input_data="rested")).status == "success"
