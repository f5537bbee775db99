"""A worker, the application, and clients of it: one in the process, one over a socket."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from temporalio.client import Client

from mastra_temporal import Mastra
from mastra_temporal.server import create_app
from tests.server.flows import build
from tests.support import Effects, Stage


@pytest.fixture
def stage(mastra_client: Client, mastra_task_queue: str, tmp_path: Path):
    stage = Stage(mastra_client, mastra_task_queue, Effects(tmp_path))
    yield stage
    stage.close()


@pytest.fixture
async def mastra(stage: Stage) -> AsyncGenerator[Mastra]:
    """The registry, with a worker beside it."""
    async with stage.worker(*build(stage.effects)) as mastra:
        yield mastra


@dataclass
class Api:
    """The API, as a client sees it."""

    http: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        return _ok(await self.http.get(path, params=query or None))

    async def post(self, path: str, body: Any = None, **query: Any) -> Any:
        return _ok(await self.http.post(path, json=body, params=query or None))

    async def refused(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, dict[str, Any]]:
        response = await self.http.request(method, path, json=body, params=query or None)
        return response.status_code, response.json()

    async def events(self, path: str, body: Any = None, **query: Any) -> list[dict[str, Any]]:
        return records((await self.http.post(path, json=body, params=query or None)).raise_for_status().text)


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(record) for record in text.split("\x1e") if record]


def _ok(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
async def api(mastra: Mastra) -> AsyncGenerator[Api]:
    async with api_of(create_app(mastra)) as api:
        yield api


@contextlib.asynccontextmanager
async def api_of(app: Any, **settings: Any) -> AsyncGenerator[Api]:
    """The application without a socket; the whole answer arrives at once."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api", timeout=30, **settings) as http:
        yield Api(http)


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncGenerator[str]:
    """The application on a port of its own, in this process: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
    # Signals are pytest's.
    serving = asyncio.create_task(server._serve())  # pyright: ignore[reportPrivateUsage]
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving
