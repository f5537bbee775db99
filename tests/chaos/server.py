"""A Temporal server on a database file that can be killed and started again."""

import asyncio
import socket
import subprocess
from datetime import timedelta
from functools import cache
from pathlib import Path

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig

from mastra_temporal.devserver import _dynamic_config_arguments, find_server_binary
from tests.support import until


@cache
def silent_runtime() -> Runtime:
    """As that of `MastraPlugin`, but without the SDK's words about a server that is away: here it is so on purpose."""
    return Runtime(telemetry=TelemetryConfig(logging=None), worker_heartbeat_interval=timedelta(seconds=1))


class KillableServer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Returns when the server answers."""
        arguments = ["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(self.port)]
        database = ["--db-filename", str(self.folder / "temporal.db"), "--log-level", "error"]
        path = find_server_binary().path
        assert path is not None, "the chaos tests need an installed server"
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [path, *arguments, *database, *_dynamic_config_arguments()], stdout=log, stderr=log
            )
        await until(self.answers, 30)

    async def answers(self) -> bool:
        try:
            client = await Client.connect(self.address, runtime=silent_runtime())
            return await client.service_client.check_health() and await namespace_is_there(client)
        except Exception:
            return False

    async def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)


async def namespace_is_there(client: Client) -> bool:
    async for _ in client.list_workflows(page_size=1):
        break
    return True
