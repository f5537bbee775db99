"""The development server ends with the process that started it."""

import contextlib
import signal
import socket
import subprocess
import sys

import pytest

from tests.support import until

PROGRAM = """
import asyncio, time
from mastra_temporal.devserver import start_dev_server

async def main():
    async with start_dev_server() as server:
        print(server.address, flush=True)
        {waiting}

asyncio.run(main())
"""


def answers(address: str) -> bool:
    host, _, port = address.partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


@pytest.mark.parametrize("waiting", ["await asyncio.sleep(60)", "time.sleep(60)"])
async def test_sigterm_leaves_no_server_behind(waiting: str):
    program = [sys.executable, "-c", PROGRAM.format(waiting=waiting)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert answers(address)
        process.terminate()
        assert process.wait(20) == -signal.SIGTERM
    await until(lambda: not answers(address), seconds=5)
