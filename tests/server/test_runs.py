"""The routes of workflows and runs, against a real server and worker."""

import json
import uuid
from typing import Any

import pytest

from mastra_temporal.server import create_app
from tests.server.conftest import Api, api_of
from tests.server.flows import build
from tests.support import Stage, until

ORDER = {"inputData": {"total": 3}}


async def created(api: Api, workflow: str, **body: Any) -> str:
    return (await api.post(f"/workflows/{workflow}/create-run", body))["runId"]


async def status(api: Api, workflow: str, run_id: str) -> str:
    return (await api.get(f"/workflows/{workflow}/runs/{run_id}"))["status"]


async def reaches(api: Api, workflow: str, run_id: str, wanted: str) -> None:
    async def reached() -> bool:
        return await status(api, workflow, run_id) == wanted

    await until(reached)


async def suspended(api: Api, workflow: str = "approvals") -> str:
    run_id = await created(api, workflow)
    result = await api.post(f"/workflows/{workflow}/start-async", ORDER, runId=run_id)
    assert result["status"] == "suspended"
    return run_id


async def test_workflows_are_listed_with_schemas_and_graph(api: Api):
    listed = await api.get("/workflows")
    assert set(listed) == {"orders", "approvals", "nested", "failing", "sleepy", "gated"}
    orders = await api.get("/workflows/orders")
    assert orders == listed["orders"]
    assert (orders["name"], orders["description"], orders["metadata"]) == (
        "orders",
        "Prices and ships",
        {"team": "sales"},
    )
    schema = json.loads(orders["inputSchema"])["json"]
    assert (schema["required"], schema["properties"]["total"]["type"]) == (["total"], "integer")
    assert [entry["step"]["id"] for entry in orders["stepGraph"]] == ["price", "ship"]
    nested = listed["nested"]
    assert "resumeSchema" in nested["allSteps"]["approval.approve"]
    assert nested["allSteps"]["approval"]["isWorkflow"]
    partial = (await api.get("/workflows", partial="true"))["orders"]
    assert (partial["stepCount"], partial["steps"], "inputSchema" in partial) == (2, {}, False)


async def test_a_run_is_created_started_and_read(api: Api):
    run_id = await created(api, "orders", resourceId="ann")
    record = await api.get(f"/workflows/orders/runs/{run_id}")
    assert (record["status"], record["resourceId"]) == ("pending", "ann")
    assert await api.post("/workflows/orders/start", ORDER, runId=run_id) == {"message": "Workflow run started"}
    await reaches(api, "orders", run_id, "success")
    record = await api.get(f"/workflows/orders/runs/{run_id}", fields="result,payload")
    assert record["result"] == {"shipped": 6, "context": {}, "resource": "ann"}
    assert record["payload"] == {"total": 3, "note": "none"}
    assert "steps" not in record


async def test_the_result_is_waited_for(api: Api):
    result = await api.post("/workflows/orders/start-async", {**ORDER, "resourceId": "bob"}, runId=str(uuid.uuid4()))
    assert (result["status"], result["result"]["resource"]) == ("success", "bob")
    assert result["steps"]["input"] == {"total": 3, "note": "none"}
    assert result["steps"]["price"]["output"] == {"total": 3, "price": 6}
    assert "state" not in result


async def test_events_are_streamed(api: Api):
    run_id = str(uuid.uuid4())
    events = await api.events("/workflows/orders/stream", ORDER, runId=run_id)
    assert [events[0]["type"], events[-1]["type"]] == ["workflow-start", "workflow-finish"]
    assert {event["runId"] for event in events} == {run_id}
    assert any(event.get("payload", {}).get("output") == {"shipping": 6} for event in events)
    assert await api.events("/workflows/orders/observe", runId=run_id) == events
    assert await api.events("/workflows/orders/observe", runId=run_id, offset=3) == events[3:]
    assert await api.events("/workflows/orders/observe", runId=run_id, offset=len(events)) == []
    refused, body = await api.refused("POST", "/workflows/orders/stream", ORDER, runId=run_id)
    assert (refused, "already finished" in body["error"]) == (409, True)


async def test_a_suspended_step_is_answered_in_each_way(api: Api):
    answer = {"step": "approve", "resumeData": {"approved": True}}
    result = await api.post("/workflows/approvals/resume-async", answer, runId=await suspended(api))
    assert (result["status"], result["result"]["shipped"]) == ("success", 6)

    run_id = await suspended(api)
    assert await api.post("/workflows/approvals/resume", answer, runId=run_id) == {"message": "Workflow run resumed"}
    await reaches(api, "approvals", run_id, "success")

    run_id = await suspended(api)
    assert await api.post("/workflows/approvals/resume-no-wait", answer, runId=run_id) == {"runId": run_id}
    await reaches(api, "approvals", run_id, "success")

    run_id = await suspended(api)
    events = await api.events("/workflows/approvals/resume-stream", answer, runId=run_id)
    assert events[0]["type"] == "workflow-start"
    assert events[-1]["payload"]["workflowStatus"] == "success"


async def test_a_suspended_nested_step_is_answered(api: Api):
    run_id = await suspended(api, "nested")
    record = await api.get(f"/workflows/nested/runs/{run_id}")
    assert record["steps"]["approval.approve"]["suspendPayload"]["question"] == "6?"
    answer = {"step": ["approval", "approve"], "resumeData": {"approved": False}}
    result = await api.post("/workflows/nested/resume-async", answer, runId=run_id)
    assert (result["status"], result["result"]["shipped"]) == ("success", 0)


async def test_time_travel_in_each_way(api: Api):
    run_id = str(uuid.uuid4())
    await api.post("/workflows/orders/start-async", ORDER, runId=run_id)
    there = {"step": "ship", "inputData": {"total": 1, "price": 9}}
    result = await api.post("/workflows/orders/time-travel-async", there, runId=run_id)
    assert (result["status"], result["result"]["shipped"]) == ("success", 9)
    there["inputData"]["price"] = 10
    events = await api.events("/workflows/orders/time-travel-stream", there, runId=run_id)
    assert events[-1]["payload"]["workflowStatus"] == "success"
    there["inputData"]["price"] = 11
    assert "message" in await api.post("/workflows/orders/time-travel", there, runId=run_id)
    await reaches(api, "orders", run_id, "success")
    assert (await api.get(f"/workflows/orders/runs/{run_id}"))["result"]["shipped"] == 11


async def test_runs_are_listed_counted_canceled_and_deleted(api: Api):
    sleeping, done = await created(api, "sleepy", resourceId="ann"), await suspended(api)
    await api.post("/workflows/sleepy/start", ORDER, runId=sleeping)

    async def listed() -> bool:
        found = await api.get("/workflows/sleepy/runs", resourceId="ann", page=0, perPage=5)
        return [run["runId"] for run in found["runs"]] == [sleeping]

    await until(listed)
    await reaches(api, "sleepy", sleeping, "waiting")
    [run] = (await api.get("/workflows/sleepy/runs", status="waiting"))["runs"]
    assert run["snapshot"]["status"] == "waiting"
    assert (await api.get("/workflows/sleepy/runs", limit=1, offset=1))["runs"] == []
    assert (await api.get("/workflows/run-counts"))["approvals"] == {"running": 0, "suspended": 1}
    assert "message" in await api.post(f"/workflows/sleepy/runs/{sleeping}/cancel")
    await reaches(api, "sleepy", sleeping, "canceled")
    response = await api.http.delete(f"/workflows/approvals/runs/{done}")
    assert response.json() == {"message": "Workflow run deleted"}
    refused, _ = await api.refused("GET", f"/workflows/approvals/runs/{done}")
    assert refused == 404


async def test_a_canceled_run_is_not_started(api: Api):
    run_id = await created(api, "orders")
    await api.post(f"/workflows/orders/runs/{run_id}/cancel")
    result = await api.post("/workflows/orders/start-async", ORDER, runId=run_id)
    assert result["status"] == "canceled"


async def test_a_time_travel_of_a_running_run_is_a_conflict(stage: Stage):
    mastra = await stage.app(build)
    async with api_of(create_app(mastra)) as api:
        stage.worker_process(build)
        run_id = await created(api, "gated")
        await api.post("/workflows/gated/start", ORDER, runId=run_id)
        await stage.effects.seen("waiting")
        for action in ("time-travel", "time-travel-async"):
            status, body = await api.refused("POST", f"/workflows/gated/{action}", {"step": "before"}, runId=run_id)
            assert (status, "still running" in body["error"]) == (409, True), action
        stage.effects.open("wait")


@pytest.mark.parity("POST .../restart-all-active-workflow-runs, -async")
async def test_a_killed_worker(stage: Stage):
    mastra = await stage.app(build)
    async with api_of(create_app(mastra)) as api:
        worker = stage.worker_process(build)
        run_id = await created(api, "gated")
        await api.post("/workflows/gated/start", ORDER, runId=run_id)
        await stage.effects.seen("waiting")
        worker.kill()
        stage.worker_process(build)
        stage.effects.open("wait")
        result = await api.post("/workflows/gated/restart-async", {}, runId=run_id)
        assert result["status"] == "success"
        assert stage.effects.counts()["before"] == 1
        assert "message" in await api.post("/workflows/gated/restart", {}, runId=run_id)
        assert "message" in await api.post("/workflows/gated/restart-all-active-workflow-runs")
        assert "message" in await api.post("/workflows/gated/restart-all-active-workflow-runs-async")


@pytest.mark.parity("requestContext of clients: reserved keys are the server's")
async def test_the_request_context_arrives_without_what_is_the_servers(api: Api):
    body = {**ORDER, "requestContext": {"tier": "gold", "mastra__resourceId": "eve", "organizationId": "x"}}
    result = await api.post("/workflows/orders/start-async", body, requestContext='{"region": "eu"}')
    assert result["result"]["context"] == {"tier": "gold", "region": "eu"}
