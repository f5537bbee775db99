"""`mastra-temporal serve`: the API as a process, and what it refuses to do."""

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.integration.commands import CLI, assert_mistake, run, running, write_app

pytestmark = pytest.mark.any_cache


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def get(port: int, path: str, **headers: str) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.parity("GET /openapi.json")
def test_it_serves_until_it_is_stopped(mastra_client: Client, port: int, tmp_path: Path):
    write_app(tmp_path)
    address = mastra_client.service_client.config.target_host
    command = (CLI, "serve", "--app", "app:mastra", "--port", str(port))
    with running(*command, folder=tmp_path, TEMPORAL_ADDRESS=address) as serve:
        serve.wait_for_output(f"127.0.0.1:{port}/api")
        assert set(get(port, "/api/workflows")) == {"greeting", "lingering"}
        assert get(port, "/health") == {"success": True}
        assert "/api/workflows/{workflowId}/stream" in get(port, "/api/openapi.json")["paths"]
        with pytest.raises(urllib.error.HTTPError, match="403"):
            get(port, "/api/workflows", host="evil.example")
        assert_mistake(run("-m", *command, folder=tmp_path), "Cannot listen")
        assert serve.stop() == 0
        assert "Traceback" not in serve.output


def test_a_public_address_is_refused_without_protection(tmp_path: Path):
    write_app(tmp_path)
    refused = run("-m", CLI, "serve", "--app", "app:mastra", "--host", "0.0.0.0", folder=tmp_path)
    assert_mistake(refused, "no authentication")
    hook = ("--host", "0.0.0.0", "--authenticate", "app:nothing")
    assert_mistake(run("-m", CLI, "serve", "--app", "app:mastra", *hook, folder=tmp_path), "app:nothing")
