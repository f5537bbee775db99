"""What a client is told when something is wrong: a status, Mastra's words, and never anything of the inside."""

import json
import uuid
from typing import Any

import pytest

from mastra_temporal import Mastra
from mastra_temporal.server import create_app
from tests.server.conftest import Api, api_of
from tests.server.flows import build
from tests.support import Effects

ORDER = {"inputData": {"total": 3}}
RUN_ACTIONS = [
    "start",
    "observe",
    "resume",
    "resume-async",
    "resume-no-wait",
    "resume-stream",
    "restart",
    "restart-async",
    "time-travel",
    "time-travel-async",
    "time-travel-stream",
]


async def test_an_unknown_workflow(api: Api):
    for action in [*RUN_ACTIONS, "create-run", "start-async", "stream"]:
        status, body = await api.refused("POST", f"/workflows/none/{action}", {"step": "a"}, runId="a")
        assert (status, body) == (404, {"error": "Workflow not found"}), action
    for path in ["/workflows/none", "/workflows/none/runs", "/workflows/none/runs/a"]:
        assert await api.refused("GET", path) == (404, {"error": "Workflow not found"})


async def test_an_unknown_run(api: Api):
    for action in RUN_ACTIONS:
        status, body = await api.refused("POST", f"/workflows/orders/{action}", {"step": "ship"}, runId="none")
        assert (status, body) == (404, {"error": "Workflow run not found"}), action
    for method, path in [("GET", "runs/a"), ("DELETE", "runs/a"), ("POST", "runs/a/cancel")]:
        status, body = await api.refused(method, f"/workflows/orders/{path}")
        assert (status, body) == (404, {"error": "Workflow run not found"}), path


async def test_a_run_of_another_workflow_is_unknown(api: Api):
    run_id = str(uuid.uuid4())
    await api.post("/workflows/orders/start-async", ORDER, runId=run_id)
    status, _ = await api.refused("POST", f"/workflows/sleepy/runs/{run_id}/cancel")
    assert status == 404
    status, body = await api.refused("POST", "/workflows/sleepy/start-async", ORDER, runId=run_id)
    assert (status, "use another run id" in body["error"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("start-async?runId=a", {"inputData": {"total": "x"}}, "total"),
        ("start-async?runId=a", {"inputData": {"total": 1}, "perStep": "yes"}, "perStep"),
        ("stream?runId=a", {"inputData": {}}, "total"),
        ("stream?runId=", ORDER, "runId"),
        ("stream", ORDER, "runId"),
        ("observe?runId=a&offset=-1", None, "offset"),
        ("resume?runId=a", {"forEachIndex": -1}, "forEachIndex"),
        ("time-travel?runId=a", {}, "step"),
        ("create-run", {"resourceId": 7}, "resourceId"),
        ("create-run", [1], "root"),
    ],
)
async def test_a_wrong_request_names_the_field(api: Api, path: str, body: Any, field: str):
    status, told = await api.refused("POST", f"/workflows/orders/{path}", body)
    assert status == 400
    assert [issue["field"].partition(".")[0] for issue in told["issues"]] == [field]


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": NaN}', '{"a": "\\ud800"}', "\x00", '"text"', "null"])
async def test_a_body_that_is_no_object_of_json(api: Api, text: str):
    response = await api.http.post("/workflows/orders/create-run", content=text)
    assert (response.status_code, response.json()["error"]) == (400, "Invalid request body")


async def test_a_wrong_query(api: Api):
    for query in [{"page": -1}, {"perPage": "many"}, {"fromDate": "soon"}, {"status": "happy"}, {"limit": 0}]:
        status, _ = await api.refused("GET", "/workflows/orders/runs", **query)
        assert status == 400, query
    status, body = await api.refused("GET", "/workflows/orders/runs/a", fields="secrets")
    assert (status, body["issues"][0]["field"]) == (400, "fields")


async def test_a_run_that_is_not_in_the_state_for_it(api: Api):
    run_id = str(uuid.uuid4())
    await api.post("/workflows/orders/start-async", ORDER, runId=run_id)
    status, body = await api.refused("POST", "/workflows/orders/resume-async", {}, runId=run_id)
    assert (status, "not suspended" in body["error"]) == (409, True)
    status, body = await api.refused("POST", "/workflows/orders/start", {"inputData": {"total": 4}}, runId=run_id)
    assert (status, "another input" in body["error"]) == (409, True)
    status, body = await api.refused("POST", "/workflows/orders/time-travel", {"step": "none"}, runId=run_id)
    assert (status, "none" in body["error"]) == (400, True)
    await api.post("/workflows/approvals/create-run", {}, runId=f"{run_id}-b")
    for action in ("resume", "resume-async", "resume-no-wait", "resume-stream", "restart", "restart-async"):
        status, body = await api.refused("POST", f"/workflows/approvals/{action}", {}, runId=f"{run_id}-b")
        assert (status, set(body)) == (409, {"error"}), action


async def test_an_unknown_path_and_a_wrong_method(api: Api):
    assert await api.refused("GET", "/nothing") == (404, {"error": "Not Found"})
    assert await api.refused("PUT", "/workflows/orders") == (405, {"error": "Method Not Allowed"})


async def test_no_temporal_server(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    async with api_of(create_app(Mastra(workflows=build(Effects(tmp_path))))) as api:
        status, body = await api.refused("POST", "/workflows/orders/start-async", ORDER)
        assert (status, "127.0.0.1:1" in body["error"]) == (503, True)
        status, _ = await api.refused("POST", "/workflows/orders/stream", ORDER, runId="a")
        assert status == 503


async def test_a_fault_of_the_server_tells_nothing(api: Api, mastra: Mastra, monkeypatch: pytest.MonkeyPatch):
    def broken(self: Mastra) -> Any:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(Mastra, "list_workflows", broken)
    status, body = await api.refused("GET", "/workflows")
    assert (status, json.dumps(body)) == (500, '{"error": "Internal Server Error"}')
