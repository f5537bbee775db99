"""Streams over a socket: readers that leave, come again, are slow, or come before there is anything to read."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from mastra_temporal import Mastra
from mastra_temporal.server import create_app, event_stream
from tests.server.conftest import records, served
from tests.support import until, within

ORDER = {"inputData": {"total": 3}}
ANSWER = {"resumeData": {"approved": True}}


@pytest.fixture
async def app(mastra: Mastra) -> Any:
    return create_app(mastra)


@pytest.fixture
async def http(app: Any) -> AsyncGenerator[httpx.AsyncClient]:
    async with served(app) as address, httpx.AsyncClient(base_url=f"{address}/api/workflows/", timeout=30) as http:
        yield http


async def read(response: httpx.Response, events: int) -> list[dict[str, Any]]:
    """So many events, and not more."""
    text = ""
    async for part in response.aiter_text():
        text += part
        if text.count("\x1e") >= events:
            break
    return records(text)[:events]


async def test_a_reader_that_broke_off_goes_on_where_it_was(http: httpx.AsyncClient):
    run_id = str(uuid.uuid4())
    async with http.stream("POST", f"approvals/stream?runId={run_id}", json=ORDER) as response:
        seen = await within(read(response, 4))
    rest = asyncio.create_task(http.post(f"approvals/observe?runId={run_id}&offset=4"))
    await until_suspended(http, run_id)
    await http.post(f"approvals/resume-async?runId={run_id}", json=ANSWER)
    whole = records((await http.post(f"approvals/observe?runId={run_id}")).text)
    assert [*seen, *records((await within(rest)).text)] == whole


async def until_suspended(http: httpx.AsyncClient, run_id: str) -> None:
    async def suspended() -> bool:
        return (await http.get(f"approvals/runs/{run_id}")).json().get("status") == "suspended"

    await until(suspended)


async def test_a_stream_goes_on_over_a_suspension_where_it_is_told_to(http: httpx.AsyncClient):
    run_id = str(uuid.uuid4())
    body = {**ORDER, "closeOnSuspend": False}
    whole = asyncio.create_task(http.post(f"approvals/stream?runId={run_id}", json=body))
    await until_suspended(http, run_id)
    await http.post(f"approvals/resume-async?runId={run_id}", json=ANSWER)
    types = [event["type"] for event in records((await within(whole)).text)]
    assert (types.count("workflow-start"), types.count("workflow-finish")) == (1, 1)
    assert "workflow-step-suspended" in types


async def test_a_run_is_observed_before_it_is_started(http: httpx.AsyncClient):
    run_id = (await http.post("orders/create-run", json={})).json()["runId"]
    observed = asyncio.create_task(http.post(f"orders/observe?runId={run_id}"))
    await http.post(f"orders/start?runId={run_id}", json=ORDER)
    assert records((await within(observed)).text)[-1]["payload"]["workflowStatus"] == "success"

    run_id = (await http.post("orders/create-run", json={})).json()["runId"]
    observed = asyncio.create_task(http.post(f"orders/observe?runId={run_id}"))
    await http.post(f"orders/runs/{run_id}/cancel")
    assert records((await within(observed)).text) == []


async def test_silence_is_broken_by_empty_records(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.05)
    run_id = str(uuid.uuid4())
    async with http.stream("POST", f"sleepy/stream?runId={run_id}", json=ORDER) as response:
        text = ""
        async for part in response.aiter_text():
            text += part
            if text.endswith("\x1e\x1e\x1e\x1e"):
                break
    assert records(text)[0]["type"] == "workflow-start"


async def test_a_slow_reader_holds_nobody_up(http: httpx.AsyncClient):
    run_id = str(uuid.uuid4())
    async with http.stream("POST", f"orders/stream?runId={run_id}", json=ORDER):  # and reads nothing
        events = records((await within(http.post(f"orders/observe?runId={run_id}"))).text)
        assert events[-1]["payload"]["workflowStatus"] == "success"


async def test_readers_that_leave_free_everything(http: httpx.AsyncClient, app: Any):
    run_id = str(uuid.uuid4())
    await http.post(f"approvals/start-async?runId={run_id}", json=ORDER)
    await http.post(f"approvals/observe?runId={run_id}&offset=-1")
    before = tasks()

    async def leave(path: str, body: Any) -> None:
        with pytest.raises(httpx.ReadTimeout):
            async with http.stream("POST", path, json=body, timeout=0.5) as response:
                await response.aread()

    sleeper = str(uuid.uuid4())
    paths = [f"approvals/observe?runId={run_id}"] * 10 + [f"sleepy/start-async?runId={sleeper}"] * 10
    paths += [f"sleepy/stream?runId={uuid.uuid4()}" for _ in range(10)]
    await asyncio.gather(*(leave(path, ORDER) for path in paths))
    await until(lambda: app.state.streams.open == 0)
    await until(lambda: tasks() <= before)
    # The runs know nothing of it.
    assert (await http.get(f"sleepy/runs/{sleeper}")).json()["status"] == "waiting"
    assert (await http.post(f"approvals/resume-async?runId={run_id}", json=ANSWER)).json()["status"] == "success"


def tasks() -> int:
    return len([task for task in asyncio.all_tasks() if not task.done()])
