"""`mastra-temporal events`, `cancel`, `terminate`, `delete`, `time-travel`, `graph` and `schedules`."""

import json
from typing import Any

import pytest

from mastra_temporal import StepContext, create_step, create_workflow
from tests.integration.cli import APP, Cli
from tests.support import Stage, until, within

pytestmark = pytest.mark.any_cache


async def ask(value: int, ctx: StepContext) -> Any:
    return await ctx.suspend({"add": "what?"}) if ctx.resume_data is None else value + ctx.resume_data


async def double(value: int) -> int:
    return 2 * value


def workflows() -> list[Any]:
    doubled, asked = create_step(id="double", execute=double), create_step(id="ask", execute=ask)
    return [create_workflow(id="sum", input_schema=int).then(doubled).then(asked).commit()]


async def suspended(stage: Stage, mastra: Any) -> str:
    run = await mastra.get_workflow("sum").create_run()
    assert (await within(run.start(input_data=3))).status == "suspended"
    return run.run_id


async def test_events_are_those_so_far_also_without_a_worker(stage: Stage, cli: Cli):
    async with stage.worker(*workflows()) as mastra:
        run_id = await suspended(stage, mastra)
    told = await cli("events", run_id)
    assert 'step-suspended ask suspended {"add": "what?"}' in told.words
    lines = [json.loads(line) for line in (await cli("events", run_id, "--json", "--from", "2")).stdout.splitlines()]
    assert [line["offset"] for line in lines] == [2, 3, 4, 5]
    only = await cli("events", run_id, "--json", "--type", "workflow-finish")
    assert [json.loads(line)["payload"]["workflowStatus"] for line in only.stdout.splitlines()] == ["suspended"]
    assert (await cli("events", run_id, "--from", "6")).stdout == ""
    await stage.client.get_workflow_handle(run_id).terminate()
    last = (await cli("events", run_id, "--from", "6", "--json")).json
    assert (last["type"], last["payload"]["workflowStatus"]) == ("workflow-finish", "failed")


async def test_a_run_is_ended_and_deleted_by_its_id(stage: Stage, cli: Cli):
    async with stage.worker(*workflows()) as mastra:
        first, second = await suspended(stage, mastra), await suspended(stage, mastra)
        assert (await cli("cancel", first)).stdout == f"run {first}: canceled\n"
        await until(lambda: ended(stage, first))
        assert (await cli("cancel", first, "--json")).json == {"runId": first, "outcome": "already_finished"}
        assert (await cli("terminate", second, "--reason", "a test")).stdout == f"run {second}: terminated\n"
        assert (await cli("terminate", second)).stdout == f"run {second}: already finished\n"
    assert (await cli("show", second)).words.startswith("failed run")
    assert "--yes" in (await cli("delete", second)).error()
    assert (await cli("delete", second, "--yes")).stdout == f"run {second}: deleted\n"
    for command in (("show",), ("delete", "--yes"), ("terminate",), ("cancel",)):
        assert "There is no run `no-such-run`" in (await cli(*command, "no-such-run")).error()


async def ended(stage: Stage, run_id: str) -> bool:
    return (await stage.client.get_workflow_handle(run_id).describe()).close_time is not None


async def test_a_run_travels_without_its_code(stage: Stage, cli: Cli):
    async with stage.worker(*workflows()) as mastra:
        run_id = await suspended(stage, mastra)
        answered = await cli("time-travel", run_id, "ask", "--resume-data", "10", "--json")
        assert (answered.status, answered.json["result"]) == (0, 16)
        again = await cli("time-travel", run_id, "double", "--data", "50")
        assert "suspended run" in again.words
        state = await stage.client.get_workflow_handle(run_id).describe()
        assert state.task_queue == stage.task_queue
        shown = await cli("show", run_id, "--json")
        assert shown.json["steps"]["double"]["output"] == 100


async def test_a_graph_is_drawn_of_an_app_or_of_a_run(stage: Stage, cli: Cli):
    cli.app(workflows)
    assert (await cli("graph", "sum", "--app", APP)).stdout == "sum\n  double (step)\n  ask (step)\n"
    drawn = (await cli("graph", "sum", "--app", APP, "--format", "mermaid")).stdout
    assert drawn.startswith("flowchart TD\n")
    assert "--app" in (await cli("graph", "sum")).error()
    async with stage.worker(*workflows()) as mastra:
        run_id = await suspended(stage, mastra)
    assert (await cli("graph", "--run", run_id, "--format", "mermaid")).stdout == drawn
    assert [entry["step"]["id"] for entry in (await cli("graph", "--run", run_id, "--json")).json] == ["double", "ask"]
    assert (await cli("graph")).status == 2
    await stage.client.get_workflow_handle(run_id).terminate()


async def test_schedules_are_managed(stage: Stage, cli: Cli):
    cli.app(workflows)
    async with stage.worker(*workflows()) as mastra:
        record = await mastra.schedules.create(workflow_id="sum", cron="0 9 * * *", input_data=4)
        assert (await cli("schedules", "pause", record.id)).stdout == f"schedule {record.id}: paused\n"

        async def listed() -> bool:
            found = (await cli("schedules", "list", "--workflow", "sum", "--json")).json["schedules"]
            return [(item["cron"], item["status"]) for item in found if item["id"] == record.id] == [
                ("0 9 * * *", "paused")
            ]

        await until(listed)
        assert (await cli("schedules", "resume", record.id, "--json")).json["status"] == "active"
        run_id = (await cli("schedules", "run", record.id, "--app", APP)).stdout.strip()
        assert (await cli("cancel", run_id)).status == 0
        assert (await cli("schedules", "delete", record.id)).status == 0
        assert f"no schedule `{record.id}`" in (await cli("schedules", "pause", record.id)).error()
