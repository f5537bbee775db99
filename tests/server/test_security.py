"""Who may call, what a client may not say, and how much it may ask for."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from mastra_temporal import ConfigurationError, Mastra
from mastra_temporal.server import create_app
from mastra_temporal.server.security import check_address
from tests.server.conftest import Api, api_of, served

ORDER = {"inputData": {"total": 3}}
USERS = {"a": {"id": "ann"}, "b": {"id": "bob"}}


async def by_token(request: Request) -> dict[str, Any] | None:
    return USERS.get(request.headers.get("authorization", "").removeprefix("Bearer "))


@pytest.fixture
async def shared(mastra: Mastra) -> AsyncGenerator[Any]:
    """The API of ann, of bob, and of nobody."""
    app = create_app(mastra, authenticate=by_token, map_user_to_resource_id=lambda user: user["id"])
    async with (
        api_of(app, headers={"authorization": "Bearer a"}) as ann,
        api_of(app, headers={"authorization": "Bearer b"}) as bob,
        api_of(app) as nobody,
    ):
        yield ann, bob, nobody


async def test_somebody_unknown_is_refused_everywhere(shared: Any):
    nobody: Api = shared[2]
    for method, path in [("GET", "/workflows"), ("POST", "/workflows/orders/stream?runId=a"), ("GET", "/schedules")]:
        assert await nobody.refused(method, path) == (401, {"error": "Invalid or expired token"})


async def test_a_hook_that_raises_lets_nobody_in(mastra: Mastra):
    def broken(request: Request) -> dict[str, Any]:
        raise ValueError("not a token")

    async with api_of(create_app(mastra, authenticate=broken)) as api:
        assert await api.refused("GET", "/workflows") == (401, {"error": "Invalid or expired token"})


@pytest.mark.parity("mapUserToResourceId")
async def test_a_run_belongs_to_the_user_who_made_it(shared: Any):
    ann, bob, _ = shared
    body = {**ORDER, "resourceId": "bob", "requestContext": {"mastra__resourceId": "bob", "user": "bob", "tier": 1}}
    run_id = (await ann.post("/workflows/orders/create-run", {"resourceId": "bob"}))["runId"]
    status, _ = await bob.refused("POST", "/workflows/orders/start", ORDER, runId=run_id)
    assert status == 403
    result = await ann.post("/workflows/orders/start-async", body, runId=run_id)
    assert result["result"]["resource"] == "ann"
    assert result["result"]["context"] == {
        "tier": 1,
        "user": {"id": "ann"},
        "mastra__user": {"id": "ann"},
        "mastra__resourceId": "ann",
    }
    foreign = (403, {"error": "Access denied: workflow run belongs to a different resource"})
    assert await bob.refused("GET", f"/workflows/orders/runs/{run_id}") == foreign
    assert await bob.refused("DELETE", f"/workflows/orders/runs/{run_id}") == foreign
    assert await bob.refused("POST", f"/workflows/orders/runs/{run_id}/cancel") == foreign
    assert await bob.refused("POST", "/workflows/orders/stream", ORDER, runId=run_id) == foreign
    for action in ("observe", "resume", "restart-async", "time-travel-stream"):
        assert await bob.refused("POST", f"/workflows/orders/{action}", {"step": "ship"}, runId=run_id) == foreign
    assert (await bob.get("/workflows/orders/runs", resourceId="ann"))["runs"] == []
    status, _ = await bob.refused("POST", "/schedules", {"workflowId": "orders", "cron": "0 0 1 1 *"})
    assert status == 403


async def test_large_bodies_are_refused(mastra: Mastra):
    async with api_of(create_app(mastra, max_body_bytes=1000)) as api:
        status, _ = await api.refused("POST", "/workflows/orders/create-run", {"a": "x" * 1000})
        assert status == 413

        async def endless() -> AsyncGenerator[bytes]:
            while True:
                yield b"x" * 100

        response = await api.http.post("/workflows/orders/create-run", content=endless())
        assert response.status_code == 413


async def test_data_too_large_for_temporal_are_refused(api: Api):
    order = {"inputData": {"total": 1, "note": "x" * 3_000_000}}
    status, body = await api.refused("POST", "/workflows/orders/start-async", order)
    assert (status, "Pass a reference" in body["error"]) == (413, True)


async def test_a_client_has_so_many_streams(mastra: Mastra):
    app = create_app(mastra, max_streams_per_client=2)
    async with api_of(app) as api, served(app) as address, api_of(app) as other:
        run_id = (await api.post("/workflows/sleepy/create-run", {}))["runId"]
        await api.post("/workflows/sleepy/start", ORDER, runId=run_id)
        observe = f"{address}/api/workflows/sleepy/observe?runId={run_id}"
        async with httpx.AsyncClient() as http, http.stream("POST", observe), http.stream("POST", observe):
            refused = await http.post(observe)
            assert (refused.status_code, "Too many streams" in refused.json()["error"]) == (429, True)
            assert app.state.streams.open == 2
        assert (await other.get("/workflows/orders"))["name"] == "orders"


async def test_pages_of_other_sites_may_not_call(mastra: Mastra):
    async with api_of(create_app(mastra, cors_origins=["http://mine"], allowed_hosts=["test"])) as api:
        for origin, status in [("http://evil", 403), ("http://mine", 200), ("http://test", 200)]:
            response = await api.http.post("/workflows/orders/create-run", json={}, headers={"origin": origin})
            assert response.status_code == status
            allowed = response.headers.get("access-control-allow-origin")
            assert allowed == (origin if origin == "http://mine" else None)
        response = await api.http.get("/workflows", headers={"host": "evil:80"})
        assert response.status_code == 403
    async with api_of(create_app(mastra)) as api:
        response = await api.http.get("/workflows", headers={"origin": "http://mine"})
        assert "access-control-allow-origin" not in response.headers


def test_a_public_address_needs_protection():
    for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9"):
        check_address(host, protected=False)
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.com", ""):
        check_address(host, protected=True)
        with pytest.raises(ConfigurationError, match="--authenticate"):
            check_address(host, protected=False)
