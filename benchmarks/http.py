"""Measures the HTTP server: ``python -m benchmarks.http [--streams 1000] [--requests 10000]``.

It starts a Temporal server, a worker and an HTTP server as separate processes, and makes two measurements:

* Many streams are open at the same time on suspended runs. It measures the memory, and the CPU while nothing happens.
  Then all runs are resumed, and every stream must get the remaining events and end.
* Many requests of all kinds are sent, and the client closes most of them after a random time. Afterwards the process
  must not have more tasks, streams and connections than before.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import socket
import sys
import time
import uuid
from collections.abc import AsyncGenerator
from typing import Any

from mastra_temporal import MastraError
from mastra_temporal.cli.running import run
from mastra_temporal.devserver import start_dev_server

READERS_PER_RUN = 10
AT_ONCE = 50
QUIET_SECONDS = 20
SOME_FILES = 10
"""The number of files that Temporal's SDK may open at first use and keep open."""
SETTLING_SECONDS = 120
"""How long the server may work on requests whose clients have disconnected, in seconds."""
LONGEST_READ = 0.5
"""The longest time after which a client disconnects, in seconds."""


class Api:
    """A client of the HTTP server with plain sockets, because a client library would need more CPU than the server."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self, method: str, path: str, body: Any = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        content = b"" if body is None else json.dumps(body).encode()
        headers = f"Host: localhost\r\nConnection: close\r\nContent-Length: {len(content)}"
        head = f"{method} {path} HTTP/1.1\r\n{headers}\r\n\r\n"
        writer.write(head.encode() + content)
        await writer.drain()
        return reader, writer

    async def call(self, method: str, path: str, body: Any = None) -> str:
        reader, writer = await self.open(method, path, body)
        try:
            answer = (await reader.read()).decode()
        finally:
            writer.close()
        head, _, content = answer.partition("\r\n\r\n")
        if " 200 " not in head.partition("\r\n")[0]:
            raise MastraError(f"{method} {path}: {answer[:300]}")
        return content

    async def held(self) -> dict[str, Any]:
        return json.loads(await self.call("GET", "/held"))


async def measure_streams(api: Api, streams: int) -> None:
    runs = [str(uuid.uuid4()) for _ in range(streams // READERS_PER_RUN)]
    limit = asyncio.Semaphore(AT_ONCE)

    async def limited(method: str, path: str, body: Any = None) -> Any:
        async with limit:
            return await api.call(method, path, body)

    await asyncio.gather(
        *(limited("POST", f"/api/workflows/asking/start-async?runId={each}", {"inputData": 1}) for each in runs)
    )
    before = await api.held()
    began = time.monotonic()
    opened = [
        await api.open("POST", f"/api/workflows/asking/observe?runId={each}")
        for each in runs
        for _ in range(READERS_PER_RUN)
    ]
    await asyncio.gather(*(reader.readuntil(b'"workflowStatus":"suspended"') for reader, _ in opened))
    print(f"{len(opened)} streams, all events so far read: {time.monotonic() - began:.1f} s")
    full = await api.held()
    await asyncio.sleep(QUIET_SECONDS)
    quiet = await api.held()
    print(
        f"memory {before['mebibytes']} -> {quiet['mebibytes']} MiB, "
        f"CPU while nothing happens {(quiet['cpu'] - full['cpu']) / QUIET_SECONDS:.1%} of a core, "
        f"tasks {before['tasks']} -> {quiet['tasks']}, load {os.getloadavg()[0]:.1f}"
    )
    began = time.monotonic()
    resumed = [limited("POST", f"/api/workflows/asking/resume?runId={each}", {"resumeData": 1}) for each in runs]
    ends = [reader.read() for reader, _ in opened]
    await asyncio.gather(*resumed)
    rests = await asyncio.gather(*ends)
    if not all(b'"workflowStatus":"success"' in rest for rest in rests):
        raise MastraError("a stream did not get the end of its run")
    print(f"all {len(runs)} runs resumed, every stream got the end: {time.monotonic() - began:.1f} s")
    for _, writer in opened:
        writer.close()
    await settle(api, before)


async def measure_aborts(api: Api, requests: int, seed: int) -> None:
    chance = random.Random(seed)
    waiting = str(uuid.uuid4())
    await api.call("POST", f"/api/workflows/asking/start-async?runId={waiting}", {"inputData": 1})
    before = await api.held()
    began, broken = time.monotonic(), 0
    limit = asyncio.Semaphore(AT_ONCE)

    async def request() -> None:
        nonlocal broken
        method, path, body = chance.choice(
            [
                ("POST", f"/api/workflows/asking/observe?runId={waiting}", None),
                ("POST", f"/api/workflows/quick/stream?runId={uuid.uuid4()}", {"inputData": 1}),
                ("POST", f"/api/workflows/quick/start-async?runId={uuid.uuid4()}", {"inputData": 1}),
                ("POST", f"/api/workflows/quick/create-run?runId={uuid.uuid4()}", {}),
                ("GET", f"/api/workflows/asking/runs/{waiting}", None),
                ("GET", "/api/workflows", None),
            ]
        )
        async with limit:
            reader, writer = await api.open(method, path, body)
            try:
                await asyncio.wait_for(reader.read(), chance.uniform(0, LONGEST_READ))
            except asyncio.TimeoutError:
                broken += 1
            finally:
                writer.transport.abort()

    await asyncio.gather(*(request() for _ in range(requests)))
    seconds = time.monotonic() - began
    print(f"{requests} requests, {broken} of them broken off: {seconds:.0f} s, {requests / seconds:.0f} a second")
    await settle(api, before)


async def settle(api: Api, before: dict[str, Any]) -> None:
    """Wait until the server has no more tasks, streams and files than before."""
    began = time.monotonic()
    while True:
        now = await api.held()
        files = before["files"] + SOME_FILES
        if now["files"] <= files and all(now[name] <= before[name] for name in ("tasks", "streams")):
            break
        if time.monotonic() - began > SETTLING_SECONDS:
            raise MastraError(f"the server still holds {now}; before it was {before}")
        await asyncio.sleep(0.5)
    shown = ", ".join(f"{now[name]} {name}" for name in ("tasks", "streams", "files", "mebibytes"))
    earlier = f"{before['tasks']} tasks, {before['files']} files"
    print(f"{time.monotonic() - began:.0f} s later the server holds {shown}; before: {earlier}")


@contextlib.asynccontextmanager
async def process(*arguments: str, address: str) -> AsyncGenerator[None]:
    environment = {**os.environ, "TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.http_app", *arguments, env=environment
    )
    try:
        yield
    finally:
        started.terminate()
        await started.wait()


async def main(streams: int, requests: int, seed: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with (
        start_dev_server() as server,
        process("worker", address=server.address),
        process("serve", str(port), address=server.address),
    ):
        api = Api(port)
        for _ in range(200):
            with contextlib.suppress(OSError):
                await api.held()
                break
            await asyncio.sleep(0.1)
        await api.call("POST", "/api/workflows/quick/start-async", {"inputData": 1})
        await measure_streams(api, streams)
        await measure_aborts(api, requests, seed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(run(main(options.streams, options.requests, options.seed)))
