"""`Mastra(connect=...)`: the one place that says how every command and program connects."""

import asyncio
import json
from pathlib import Path

import pytest
from temporalio.client import Client

from mastra_temporal import ConfigurationError, ConnectSettings, Mastra, create_workflow, step
from mastra_temporal.devserver import DevServer
from tests.integration.commands import CLI, assert_mistake, run, running
from tests.support import history, within

pytestmark = pytest.mark.any_cache

APP = """
import base64
import dataclasses
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import PayloadCodec
from temporalio.api.common.v1 import Payload
from mastra_temporal import Mastra, create_workflow, step


class Secret(PayloadCodec):
    async def encode(self, payloads):
        return [Payload(metadata={"encoding": b"secret"}, data=each.SerializeToString()[::-1]) for each in payloads]

    async def decode(self, payloads):
        return [Payload.FromString(each.data[::-1]) for each in payloads]


async def connect(settings):
    converter = dataclasses.replace(pydantic_data_converter, payload_codec=Secret())
    return await Client.connect(**settings, data_converter=converter)


@step
async def greet(name: str) -> str:
    return f"Hello {name}"


greeting = create_workflow(id="greeting", input_schema=str, output_schema=str).then(greet).commit()
mastra = Mastra(workflows=[greeting], task_queue="secret", connect=connect)
"""

START = """
import asyncio
from app import greeting, mastra

async def main():
    await mastra.connect()
    run = await greeting.create_run(run_id="secret-run")
    print((await run.start(input_data="Ada")).result)

asyncio.run(main())
"""


async def test_commands_and_programs_use_the_codec_of_the_app(mastra_server: DevServer, tmp_path: Path):
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "start.py").write_text(START)
    environment = {"TEMPORAL_ADDRESS": mastra_server.address}
    with running(CLI, "worker", "--app", "app:mastra", folder=tmp_path, **environment):
        started = await asyncio.to_thread(run, "start.py", folder=tmp_path, **environment)
        command = ("-m", CLI, "restart", "--app", "app:mastra", "--json", "secret-run")
        again = await asyncio.to_thread(run, *command, folder=tmp_path, **environment)
    assert started.stdout == "Hello Ada\n", started.stderr
    assert json.loads(again.stdout)["result"] == "Hello Ada"
    client = await Client.connect(mastra_server.address)
    recorded = "".join(str(event) for event in await history(client, "secret-run"))
    assert "Hello Ada" not in recorded
    assert "secret" in recorded


async def test_the_function_gets_the_settings_of_the_environment(
    mastra_server: DevServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEMPORAL_ADDRESS", mastra_server.address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", mastra_server.namespace)
    seen: list[ConnectSettings] = []

    async def connect(settings: ConnectSettings) -> Client:
        seen.append(settings)
        return await Client.connect(**settings, identity="of-the-app")

    mastra = Mastra(workflows=[greeting()], connect=connect)
    client = await within(mastra.connect())
    assert client.identity == "of-the-app"
    assert await mastra.connect() is client
    (settings,) = seen
    assert settings.get("target_host") == mastra_server.address
    assert settings.get("namespace") == mastra_server.namespace
    assert [plugin.name() for plugin in settings.get("plugins", [])] == ["mastra_temporal.MastraPlugin"]


async def test_a_client_without_the_plugin_gets_it(mastra_client: Client):
    async def connect(settings: ConnectSettings) -> Client:
        return mastra_client

    client = await Mastra(workflows=[greeting()], connect=connect).connect()
    assert [plugin.name() for plugin in client.config()["plugins"]] == ["mastra_temporal.MastraPlugin"]


async def no_client(settings: ConnectSettings) -> object:
    return "client"


def not_async(settings: ConnectSettings) -> Client:
    raise KeyError("API_KEY")


@pytest.mark.parametrize(("connect", "words"), [(no_client, "returned 'client'"), (not_async, "KeyError: 'API_KEY'")])
async def test_what_goes_wrong_in_the_function_is_told(connect: object, words: str):
    mastra = Mastra(workflows=[greeting()], connect=connect)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError, match=words):
        await mastra.connect()


async def test_a_command_says_in_one_line_that_the_function_failed(tmp_path: Path):
    broken = APP.replace("converter = ", "raise KeyError('API_KEY')\n    converter = ")
    (tmp_path / "app.py").write_text(broken)
    command = ("-m", CLI, "restart", "--app", "app:mastra", "some-run")
    done = await asyncio.to_thread(run, *command, folder=tmp_path)
    assert_mistake(done, "Mastra(connect=...) failed", "KeyError: 'API_KEY'")


def test_connect_must_be_a_function():
    with pytest.raises(ConfigurationError, match="takes an async function"):
        Mastra(workflows=[greeting()], connect="localhost:7233")  # pyright: ignore[reportArgumentType]


def greeting():
    @step
    async def greet(name: str) -> str:
        return f"Hello {name}"

    return create_workflow(id="greeting").then(greet).commit()
