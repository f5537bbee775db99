"""TLS with a client certificate, API keys and profiles, through a proxy that checks the certificate."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from temporalio.client import Client

from mastra_temporal import Mastra
from mastra_temporal.devserver import DevServer
from mastra_temporal.testing import worker_for
from tests.integration.commands import CLI, assert_mistake, run, running, write_app
from tests.tls_proxy import TlsProxy, tls_proxy

pytestmark = pytest.mark.any_cache

PROFILES = """
[profile.production]
address = "ADDRESS"
namespace = "default"
api_key = "secret-key"

[profile.production.tls]
server_ca_cert_path = "FOLDER/ca.pem"
client_cert_path = "FOLDER/client.pem"
client_key_path = "FOLDER/client-key.pem"
"""


@pytest.fixture
async def proxy(mastra_server: DevServer, tmp_path: Path) -> AsyncGenerator[TlsProxy]:
    async with tls_proxy(mastra_server.address, tmp_path) as proxy:
        yield proxy


@pytest.fixture
async def mastra(mastra_client: Client, tmp_path: Path) -> Mastra:
    mastra = write_app(tmp_path)
    await mastra.connect(mastra_client)
    return mastra


def with_certificate(proxy: TlsProxy) -> dict[str, str]:
    return {
        "TEMPORAL_ADDRESS": proxy.address,
        "TEMPORAL_TLS": "true",
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": proxy.file("ca"),
        "TEMPORAL_TLS_CLIENT_CERT_PATH": proxy.file("client"),
        "TEMPORAL_TLS_CLIENT_KEY_PATH": proxy.file("client-key"),
    }


def sent_as_header(value: bytes) -> bytes:
    """The value as HTTP/2 compresses it."""
    return HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(value)


async def test_worker_and_commands_show_their_certificate(proxy: TlsProxy, mastra: Mastra, tmp_path: Path):
    environment = with_certificate(proxy)
    with running(CLI, "worker", "--app", "app:mastra", folder=tmp_path, **environment) as worker:
        started = await mastra.get_workflow("greeting").create_run()
        assert (await started.start(input_data="Ada")).result == "Hello Ada"
        command = ("-m", CLI, "restart", "--app", "app:mastra", "--json", started.run_id)
        done = await asyncio.to_thread(run, *command, folder=tmp_path, **environment)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["result"] == "Hello Ada"
        assert proxy.address in worker.output
        assert await asyncio.to_thread(worker.stop) == 0


async def test_a_profile_has_the_address_the_key_and_the_certificates(proxy: TlsProxy, mastra: Mastra, tmp_path: Path):
    profiles = tmp_path / "temporal.toml"
    profiles.write_text(PROFILES.replace("ADDRESS", proxy.address).replace("FOLDER", str(tmp_path)))
    environment = {"TEMPORAL_CONFIG_FILE": str(profiles), "TEMPORAL_PROFILE": "production"}
    async with worker_for(mastra, mastra.client):
        started = await mastra.get_workflow("greeting").create_run()
        await started.start(input_data="Ada")
    command = ("-m", CLI, "restart", "--app", "app:mastra", "--json", started.run_id)
    done = await asyncio.to_thread(run, *command, folder=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == "Hello Ada"
    assert sent_as_header(b"Bearer secret-key") in proxy.received


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"TEMPORAL_TLS_CLIENT_CERT_PATH": None, "TEMPORAL_TLS_CLIENT_KEY_PATH": None}, "may want TLS"),
        ({"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "other"}, "UnknownIssuer"),
        ({"TEMPORAL_TLS": "false"}, "certificate"),
        ({"TEMPORAL_TLS_CLIENT_CERT_PATH": "missing"}, "missing.pem"),
    ],
)
async def test_a_refused_handshake_is_told_in_one_line(
    proxy: TlsProxy, mastra: Mastra, tmp_path: Path, changes: dict[str, str | None], words: str
):
    environment = with_certificate(proxy)
    for name, file in changes.items():
        environment.pop(name)
        if file is not None:
            environment[name] = file if name == "TEMPORAL_TLS" else proxy.file(file)
    command = ("-m", CLI, "worker", "--app", "app:mastra")
    done = await asyncio.to_thread(run, *command, folder=tmp_path, **environment)
    assert_mistake(done, proxy.address if "missing" not in words else "configuration", words)
