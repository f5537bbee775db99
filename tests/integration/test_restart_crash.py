"""Workers are killed with SIGKILL in the middle of runs of every shape; `restart()` brings the runs back.

All of them at once: one worker has them all, is killed, and each run is restarted by two callers at the same moment.
"""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from mastra_temporal import Mastra, WorkflowResult
from mastra_temporal.devserver import DevServer
from mastra_temporal.plugin import heartbeating_runtime
from tests.conftest import failed_workflow_tasks
from tests.integration.crash_flows import SCENARIOS, SLEEP, Scenario, build
from tests.support import Effects, Stage, count_events, until, within


@dataclass
class Recovered:
    """What became of a run."""

    run_id: str
    results: list[WorkflowResult[Any]]
    counts: dict[str, int]
    executions: list[str]


@dataclass
class Outcome:
    runs: dict[str, Recovered]
    failed_workflow_tasks: list[str]


@pytest.fixture(scope="module")
def outcome(mastra_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    async def perform() -> Outcome:
        client = await Client.connect(mastra_server.address, runtime=heartbeating_runtime())
        stage = Stage(client, f"test-{uuid.uuid4()}", Effects(tmp_path_factory.mktemp("effects")))
        try:
            return await crash_and_restart(stage)
        finally:
            stage.close()

    return asyncio.run(perform())


async def crash_and_restart(stage: Stage) -> Outcome:
    since = datetime.now(timezone.utc)
    mastra = await stage.app(build)
    worker = stage.worker_process(build)
    run_ids = {name: f"{name}-{uuid.uuid4()}" for name in SCENARIOS}
    for name, scenario in SCENARIOS.items():
        run = await mastra.get_workflow(name).create_run(run_id=run_ids[name])
        await run.start_async(**starting(scenario))
    executions = {name: await execution(stage, run_ids[name]) for name in SCENARIOS}
    await asyncio.gather(*(until(lambda name=name: hangs(stage, run_ids[name], SCENARIOS[name])) for name in SCENARIOS))
    worker.kill()
    stage.worker_process(build)
    results = await within(asyncio.gather(*(bring_back(mastra, name, run_ids[name]) for name in SCENARIOS)), 40)
    counts = stage.effects.counts()
    runs = {
        name: Recovered(
            run_id := run_ids[name],
            result,
            {key.removeprefix(f"{run_id}/"): times for key, times in counts.items() if key.startswith(f"{run_id}/")},
            [executions[name], await execution(stage, run_id)],
        )
        for name, result in zip(SCENARIOS, results, strict=True)
    }
    return Outcome(runs, await failed_workflow_tasks(stage.client, since=since))


def starting(scenario: Scenario) -> dict[str, Any]:
    context = scenario.request_context
    return {"input_data": scenario.input_data, "request_context": context, "initial_state": {"start": 0}}


async def execution(stage: Stage, run_id: str) -> str:
    return (await stage.client.get_workflow_handle(run_id).describe()).run_id or ""


async def hangs(stage: Stage, run_id: str, scenario: Scenario) -> bool:
    """Whether the run has come to where it hangs, and everything before that is recorded."""
    if scenario.hanging == 0:
        return await count_events(stage.client, run_id, EventType.EVENT_TYPE_TIMER_STARTED) == 1
    hung = sum(key.startswith(f"hangs {run_id}/") for key in stage.effects.counts())
    description = await stage.client.get_workflow_handle(run_id).describe()
    pending = description.raw_description.pending_activities
    recorded = b"".join(payload.data for item in pending for payload in item.heartbeat_details.payloads)
    return hung == len(pending) == scenario.hanging and scenario.heartbeat in recorded


async def bring_back(mastra: Mastra, name: str, run_id: str) -> list[WorkflowResult[Any]]:
    scenario = SCENARIOS[name]
    callers = [await mastra.get_workflow(name).create_run(run_id=run_id) for _ in range(2)]
    if scenario.restart is None:
        return [await callers[0].start(**starting(scenario))]
    return await asyncio.gather(*(caller.restart(**scenario.restart) for caller in callers))


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parity("run.restart()", ".parallel()", ".branch()", ".foreach()")
def test_no_finished_step_runs_again_and_the_result_is_right(outcome: Outcome, name: str):
    scenario, recovered = SCENARIOS[name], outcome.runs[name]
    for result in recovered.results:
        assert (result.status, result.error) == ("success", None)
        assert result.result == scenario.result
    assert recovered.counts == scenario.counts
    if scenario.state is not None:
        assert recovered.results[0].state == scenario.state


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_stays_the_same_execution(outcome: Outcome, name: str):
    before, after = outcome.runs[name].executions
    assert before == after


@pytest.mark.parity(".sleep(ms)")
def test_a_sleep_keeps_its_deadline(outcome: Outcome):
    nap = outcome.runs["sleep"].results[0].steps["nap"]
    assert nap.ended_at is not None
    slept = (nap.ended_at - nap.started_at) / 1000
    assert SLEEP.total_seconds() <= slept < SLEEP.total_seconds() + 3


def test_no_workflow_task_failed(outcome: Outcome):
    assert not outcome.failed_workflow_tasks
