"""Schemathesis against the running API: `make fuzz`. Whatever is sent, there is no 500, and every answer is as described.

The document is the server's own. Runs that it makes belong to workflows that end at once or wait for ever.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from temporalio.client import Client

from mastra_temporal import Mastra
from mastra_temporal.devserver import start_dev_server
from mastra_temporal.server import create_app
from mastra_temporal.testing import worker_for
from tests.server.conftest import served
from tests.server.flows import build
from tests.support import Effects

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


async def fuzz(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with start_dev_server() as server:
            client = await Client.connect(server.address, namespace=server.namespace)
            mastra = Mastra(workflows=build(Effects(Path(folder))))
            async with worker_for(mastra, client), served(create_app(mastra)) as address:
                process = await asyncio.create_subprocess_exec(
                    *(Path(sys.executable).with_name("schemathesis"), "run", f"{address}/api/openapi.json"),
                    *("--checks", CHECKS, "--request-timeout", "20", *arguments),
                )
                return await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(fuzz(sys.argv[1:])))
