"""What the Temporal UI is given to show of a run."""

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from mastra_temporal import StepContext, TripWire, create_step, create_workflow
from mastra_temporal._client.records.search_attributes import registered
from mastra_temporal._definition.markdown import MAX_ROWS, graph_table
from mastra_temporal.devserver import find_server_binary
from tests.integration.commands import CLI
from tests.integration.commands import run as command
from tests.support import Stage, count_events, history, run, until, within


async def add(value: int) -> int:
    return value + 1


async def ask(value: Any, ctx: StepContext) -> Any:
    return value if ctx.resume_data else await ctx.suspend({})


async def fail(value: int) -> int:
    raise ValueError(f"no {value} | really")


async def trip(value: int) -> int:
    raise TripWire("enough")


def a(body: Any, step_id: str, **settings: Any) -> Any:
    return create_step(id=step_id, execute=body, **settings)


def numbers(value: int) -> list[int]:
    return [value, value + 1]


async def current_details(client: Client, run_id: str) -> str:
    handle = client.get_workflow_handle(run_id)
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return metadata.current_details


async def test_the_graph_and_the_steps(stage: Stage):
    inner = create_workflow(id="inner").then(a(add, "x", description="Adds | one")).commit()
    workflow = (
        create_workflow(id="shown", description="Shows itself")
        .then(inner)
        .map(numbers)
        .foreach(a(add, "each"), concurrency=2)
        .then(a(ask, "ask"))
        .commit()
    )
    async with stage.worker(workflow):
        run_id = (await run(workflow, input_data=1)).run_id
        description = await stage.client.get_workflow_handle(run_id).describe()
        assert await description.static_summary() == "Shows itself"
        details = await description.static_details() or ""
        for row in (
            "1\u2003 | `inner`\u2003 | workflow",
            "1.1\u2003 | `x`",
            "Adds \\| one",
            "for each item, 2 at once",
        ):
            assert row in details
        assert len((await description.memo())["mastraGraph"]) == 12
        said, _, table = (await current_details(stage.client, run_id)).replace("\u2003", "").partition("\n| --- |")
        assert "Run suspended. Steps: 4 success, 1 suspended." in said
        rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines()[1:]]
        assert [row[:3] for row in rows] == [
            ("`inner`", "success", ""),
            ("`inner.x`", "success", "1"),
            ("`each[0]`", "success", "1"),
            ("`each[1]`", "success", "1"),
            ("`ask`", "suspended", "1"),
        ]
        summaries = [
            event.user_metadata.summary.data.decode()
            for event in await history(stage.client, run_id)
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        ]
        assert summaries == ['"inner · Adds | one"', '"[0] of 2"', '"[1] of 2"', ""]


async def test_a_person_sees_what_is_asked_and_answers_with_what_is_shown(stage: Stage):
    async def approve(value: int, ctx: StepContext) -> Any:
        if ctx.resume_data is None:
            return await ctx.suspend({"amount": value, "to": "Ann"}, resume_label=f"approval {value}")
        return ctx.resume_data

    workflow = create_workflow(id="asking").map(numbers).foreach(a(approve, "approve")).commit()
    async with stage.worker(workflow):
        run_ = await workflow.create_run()
        started = await within(run_.start(input_data=7))
        assert started.status == "suspended"
        details = await current_details(stage.client, run_.run_id)
        assert "Waiting for an answer to `approve[0]` (label `approval 7`):" in details
        assert '  "amount": 7,' in details
        assert f"mastra-temporal resume {run_.run_id} --step 'approve[0]'" in details
        name, request = re.findall(r"name `(.*?)`, input `(.*?)`", details)[0]
        answer = json.loads(request.replace("<the answer>", "yes"))
        await stage.client.get_workflow_handle(run_.run_id).execute_update(name, answer)
        await until(lambda: shows(stage, run_.run_id, "approve[1]"))
        # The step that was answered no longer counts as suspended.
        assert "Steps: 1 suspended, 1 success." in await current_details(stage.client, run_.run_id)
        result = await within(run_.resume(resume_data="no"))
        assert result.result == ["yes", "no"]


async def shows(stage: Stage, run_id: str, step: str) -> bool:
    return f"Waiting for an answer to `{step}`" in await current_details(stage.client, run_id)


async def test_a_failed_run_says_which_step_and_on_what(stage: Stage):
    inner = create_workflow(id="inner").then(a(add, "x")).then(a(fail, "y")).commit()
    workflow = create_workflow(id="blamed").map(numbers).foreach(inner).commit()
    async with stage.worker(workflow):
        run_id = (await run(workflow, input_data=1)).run_id
        with pytest.raises(WorkflowFailureError) as failure:
            await stage.client.get_workflow_handle(run_id).result()
    cause = failure.value.cause
    assert isinstance(cause, ApplicationError)
    assert str(cause) == "MastraRunFailed: step `inner[0].y` of workflow `blamed`: no 2 | really"
    assert cause.details[1] == {"step": "inner[0].y", "input": 2}


async def test_search_attributes_follow_the_run(stage: Stage):
    workflow = create_workflow(id="found").then(a(ask, "ask")).sleep(timedelta(days=1)).then(a(add, "add")).commit()
    async with stage.worker(workflow) as mastra:
        assert mastra.session.has_search_attributes
        run_ = await workflow.create_run(resource_id="ann")

        async def status_is(status: str) -> None:
            query = f"MastraStatus = '{status}' AND MastraWorkflow = 'found' AND MastraResource = 'ann'"

            async def found() -> bool:
                return [each.id async for each in stage.client.list_workflows(query)] == [run_.run_id]

            await until(found)

        await within(run_.start(input_data=1))
        await status_is("suspended")
        resumed = asyncio.create_task(run_.resume(resume_data=True))
        await status_is("waiting")
        await run_.cancel()
        await within(resumed)
        await status_is("canceled")


async def test_without_search_attributes_nothing_is_missing_but_they(stage: Stage):
    workflow = create_workflow(id="unfound").then(a(ask, "ask")).then(a(trip, "trip")).commit()
    async with stage.worker(workflow) as mastra:
        mastra.session.has_search_attributes = False
        run_ = await workflow.create_run(resource_id="ann")
        await within(run_.start(input_data=1))
        result = await within(run_.resume(resume_data=True))
        assert result.status == "tripwire"
        description = await stage.client.get_workflow_handle(run_.run_id).describe()
        assert description.status == WorkflowExecutionStatus.FAILED
        assert (await description.memo())["mastraStatus"] == "tripwire"
        assert not any(pair.key.name.startswith("Mastra") for pair in description.typed_search_attributes)

        async def listed() -> bool:
            found = await workflow.list_workflow_runs(resource_id="ann")
            return [each.status for each in found.runs] == ["tripwire"]

        await until(listed)


async def test_a_short_run_pays_two_events_at_most(stage: Stage):
    workflow = create_workflow(id="cheap").then(a(add, "add")).sleep(1).commit()
    async with stage.worker(workflow):
        run_id = (await run(workflow, input_data=1)).run_id
    assert await count_events(stage.client, run_id, EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES) == 1
    assert await count_events(stage.client, run_id, EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED) == 0


async def test_a_very_long_graph_fits(stage: Stage):
    workflow: Any = create_workflow(id="long", description="d" * 5000)
    for number in range(MAX_ROWS * 3):
        workflow = workflow.map({"n": {"value": number}}, description="x" * 500)
    workflow = workflow.commit()
    assert len(graph_table(workflow.graph).encode()) < 20_000
    assert "120 more" in graph_table(workflow.graph)
    async with stage.worker(workflow):
        assert (await run(workflow, input_data=1)).status == "success"


async def test_the_command_registers_what_is_missing(tmp_path: Path):
    async with await WorkflowEnvironment.start_local(dev_server_existing_path=find_server_binary().path) as server:
        address = server.client.service_client.config.target_host
        assert not await registered(server.client)
        for _ in range(2):
            done = await asyncio.to_thread(
                command, "-m", CLI, "search-attributes", "--address", address, folder=tmp_path
            )
            assert done.returncode == 0, done.stderr
            assert "MastraStatus, MastraWorkflow, MastraResource" in done.stdout

        async def all_there() -> bool:
            return await registered(server.client)

        await until(all_there)
