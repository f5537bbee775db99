"""Record the histories anew: ``python -m tests.replay.record [NAME ...]``. By default those that are missing."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

from temporalio.client import Client

from mastra_temporal.cli.running import run
from mastra_temporal.devserver import start_dev_server
from mastra_temporal.testing import worker_for
from tests.replay.workflows import WORKFLOWS, mastra

HISTORIES = Path(__file__).parent / "histories"


async def record(names: list[str]) -> None:
    async with start_dev_server() as server:
        client = await Client.connect(server.address)
        async with worker_for(mastra, client):
            for name in names:
                run_id = await asyncio.wait_for(run_to_its_end(name), 30)
                history = await mastra.client.get_workflow_handle(run_id).fetch_history()
                text = without_this_machine(history.to_json())
                (HISTORIES / f"{name}.json").write_text(text + "\n")
                print(f"{name}: {len(history.events)} events")


def without_this_machine(text: str) -> str:
    """The history without processes, hosts and paths, which replay does not look at."""
    text = re.sub(r'"stackTrace": "(?:[^"\\]|\\.)*"', '"stackTrace": ""', text)
    return re.sub(r"\d+@[\w.-]+", "worker", re.sub(r'"identity": "[^"]*"', '"identity": "worker"', text))


async def run_to_its_end(name: str) -> str:
    if name == "scheduled":
        return await run_by_schedule(name)
    run: Any = await WORKFLOWS[name].create_run(resource_id="someone")
    started = asyncio.create_task(run.start(input_data=3, initial_state={"count": 0}, request_context={"user": "ann"}))
    if name in ("canceled", "reopened", "restarted"):
        await until_step_waits(run.run_id)
    if name == "canceled":
        await run.cancel()
    elif name == "restarted":
        await run.restart(force=True)
    elif name == "reopened":
        await mastra.client.get_workflow_handle(run.run_id).terminate()
        await run.restart()
    result = await started
    if name == "time-traveled":
        await run.time_travel(step="item[1].b")
    if name.startswith("resumed"):
        for number in range(10):
            if result.status != "suspended":
                break
            # One step at a time, the last first.
            result = await run.resume(step=result.suspended[-1], resume_data=number + 2)
    if name == "canceled-suspended":
        await run.cancel()
        await until_closed(run.run_id)
    return run.run_id


async def until_closed(run_id: str) -> None:
    while (await mastra.client.get_workflow_handle(run_id).describe()).close_time is None:
        await asyncio.sleep(0.1)


async def run_by_schedule(name: str) -> str:
    schedule = await mastra.schedules.create(workflow_id=name, cron="* * * * * *", input_data=3)
    while not schedule.last_run_id:
        await asyncio.sleep(0.2)
        schedule = await mastra.schedules.get(schedule.id) or schedule
    await mastra.schedules.delete(schedule.id)
    await mastra.client.get_workflow_handle(schedule.last_run_id).result()
    return schedule.last_run_id


async def until_step_waits(run_id: str) -> None:
    while True:
        await asyncio.sleep(0.2)
        try:
            description = await mastra.client.get_workflow_handle(run_id).describe()
        except Exception:
            continue
        if any(activity.last_heartbeat_time.seconds for activity in description.raw_description.pending_activities):
            return


if __name__ == "__main__":
    HISTORIES.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or [name for name in WORKFLOWS if not (HISTORIES / f"{name}.json").exists()]
    sys.exit(run(record(wanted)))
