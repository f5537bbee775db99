"""Schemathesis against the running API: `make fuzz`. Whatever is sent, there is no 500, and answers are as described.

Made-up ids would all end in a 404, so the document that is fuzzed names workflows, runs and schedules that exist.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client

from mastra_temporal import Mastra
from mastra_temporal.devserver import start_dev_server
from mastra_temporal.server import create_app
from mastra_temporal.testing import worker_for
from tests.server.conftest import served
from tests.server.flows import build
from tests.support import Effects

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
ORDER = {"inputData": {"total": 3}}
WORKFLOWS = ["orders", "approvals", "nested", "failing"]
ENDING = ["orders", "failing"]
"""Those whose streams end whatever is asked for: a stream may wait for an answer for ever, and rightly so."""


async def fuzz(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with start_dev_server() as server:
            client = await Client.connect(server.address, namespace=server.namespace)
            mastra = Mastra(workflows=build(Effects(Path(folder))))
            async with worker_for(mastra, client), served(create_app(mastra)) as address:
                document = Path(folder) / "openapi.json"
                document.write_text(json.dumps(await _document(address)))
                process = await asyncio.create_subprocess_exec(
                    *(Path(sys.executable).with_name("schemathesis"), "run", document, "--url", address),
                    *("--checks", CHECKS, "--request-timeout", "30", "--workers", "1", *arguments),
                )
                return await process.wait()


async def _document(address: str) -> dict[str, Any]:
    """The server's document with ids that exist."""
    async with httpx.AsyncClient(base_url=f"{address}/api", timeout=30) as http:
        runs = [await _run(http, workflow, f"{workflow}-{count}") for count in range(3) for workflow in WORKFLOWS]
        schedule = {"id": "a", "workflowId": "orders", "cron": "0 0 1 1 *", **ORDER}
        (await http.post("/schedules", json=schedule)).raise_for_status()
        document = (await http.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        ids = {"workflowId": WORKFLOWS, "runId": runs, "scheduleId": ["schedule_a"]}
        if path.endswith(("/stream", "/observe")):
            ids = {"workflowId": ENDING, "runId": [run for run in runs if run.startswith(tuple(ENDING))]}
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["name"] in ids:
                    parameter["schema"] = {"enum": ids[parameter["name"]]}
    return document


async def _run(http: httpx.AsyncClient, workflow: str, run_id: str) -> str:
    (await http.post(f"/workflows/{workflow}/start-async?runId={run_id}", json=ORDER)).raise_for_status()
    return run_id


if __name__ == "__main__":
    sys.exit(asyncio.run(fuzz(sys.argv[1:])))
