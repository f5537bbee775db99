"""The application inside FastAPI: the example, as its users call it."""

import importlib
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from examples import orders
from mastra_temporal.testing import worker_for
from tests.server.conftest import api_of

ORDER = {"id": "1", "lines": [{"sku": "cup", "quantity": 2}]}


@pytest.fixture
async def ada(mastra_client: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Any]:
    example = importlib.import_module("examples.fastapi_app")
    monkeypatch.setenv("ORDERS_PRICING_SECONDS", "0")
    async with worker_for(orders.mastra, mastra_client), api_of(example.app) as api:
        api.http.base_url = httpx.URL("http://test/mastra/api")
        api.http.headers["authorization"] = "Bearer ada-token"
        yield api


async def test_the_example_runs_an_order(ada: Any):
    [workflow] = await ada.get("/workflows")
    result = await ada.post(f"/workflows/{workflow}/start-async", {"inputData": ORDER})
    assert result["status"] == "success", result
    assert result["result"]["order_id"] == "1"
    ada.http.headers["authorization"] = "Bearer stolen"
    assert await ada.refused("GET", "/workflows") == (401, {"error": "Invalid or expired token"})
    assert (await ada.http.get("http://test/")).json() == {"workflows": "/mastra/api/workflows"}
