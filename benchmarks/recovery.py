"""Measures how soon a step runs again after its worker was lost: ``python -m benchmarks.recovery [--times 20]``.

Each time the worker is lost while it runs a step. Either it gets SIGKILL and a new worker is started. Or a second
worker is already up and the first one behaves like a lost machine: its process is stopped with SIGSTOP, or a proxy
between it and the server drops all bytes. The steps record the times, on one clock. The result is the time from the
call of `restart()`, or from the loss if nothing is called, until the step's body runs again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.recovery_app import HEARTBEAT_TIMEOUT, mastra, ping, recovery, unattended
from mastra_temporal._client.recovery.liveness import worker_beats
from mastra_temporal._client.visibility import equals
from mastra_temporal.cli.running import run
from mastra_temporal.devserver import DevServer, start_dev_server
from mastra_temporal.errors import MastraError
from tests.proxy import Proxy, proxy_to
from tests.support import until

FORCED, ASKED, NO_CALL = "restart(force=True)", "restart()", "no call"
KILLED, FROZEN, CUT_OFF = "killed", "frozen", "cut off"
WITHOUT_CALL = HEARTBEAT_TIMEOUT.total_seconds()
LIMITS = {
    (KILLED, FORCED): 0.1,
    (KILLED, ASKED): 4.0,
    (KILLED, NO_CALL): WITHOUT_CALL + 5,
    (FROZEN, FORCED): 4.0,
    (FROZEN, ASKED): 4.0,
    (FROZEN, NO_CALL): WITHOUT_CALL + 6,
    (CUT_OFF, FORCED): 4.0,
    (CUT_OFF, ASKED): 4.0,
    (CUT_OFF, NO_CALL): WITHOUT_CALL + 6,
}
"""The longest allowed time of each case, in seconds."""


class Worker:
    """A worker process that is connected to the server through its own proxy."""

    def __init__(self, process: asyncio.subprocess.Process, proxy: Proxy) -> None:
        self._process = process
        self._proxy = proxy

    async def lose(self, how: str) -> None:
        if how == KILLED:
            await self.kill()
        elif how == FROZEN:
            self._process.send_signal(signal.SIGSTOP)
        else:
            self._proxy.cut()

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


class Bench:
    def __init__(self, effects: Path, server: DevServer) -> None:
        self.effects = effects
        self.server = server

    @asynccontextmanager
    async def worker(self) -> AsyncGenerator[Worker]:
        """Run a worker, and wait until it is listed by the server and runs workflows."""
        listed = await self.listed()
        async with proxy_to(self.server.address) as proxy:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "workers.main", "--app", "benchmarks.recovery_app:mastra"),
                stderr=asyncio.subprocess.DEVNULL,
                env={**os.environ, "TEMPORAL_ADDRESS": proxy.address},
            )
            worker = Worker(process, proxy)
            try:

                async def is_listed() -> bool:
                    return await self.listed() > listed

                await until(is_listed, 60)
                await (await ping.create_run()).start(input_data=1)
                yield worker
            finally:
                await worker.kill()

    async def listed(self) -> int:
        return len(await worker_beats(mastra.client, equals("TaskQueue", mastra.task_queue) or ""))

    async def once(self, loss: str, how: str) -> float:
        """Lose a worker inside a step, and return the seconds until the step runs again."""
        async with self.worker() as lost:
            run = await (unattended if how == NO_CALL else recovery).create_run()
            await run.start_async(input_data=1)
            await self.ran(run.run_id, times=1)
            if loss == KILLED:
                await lost.lose(loss)
                began = time.time()
            async with self.worker():
                if loss != KILLED:
                    await lost.lose(loss)
                    began = time.time()
                if how == NO_CALL:
                    result = await run.start(input_data=1)
                else:
                    began = time.time()
                    result = await run.restart(force=how == FORCED)
                times = await self.ran(run.run_id, times=2)
        counts = Counter(line.split()[1] for line in self.lines() if line.startswith(run.run_id))
        if result.status != "success" or counts != {"before": 1, "killed": 2, "after": 1}:
            raise MastraError(f"{how}: the run ended as {result.status}, its steps ran {dict(counts)} times.")
        return times[1] - began

    async def ran(self, run_id: str, times: int) -> list[float]:
        """Wait until the killed step has run this many times, and return the times at which it ran."""
        while True:
            seen = [float(line.split()[2]) for line in self.lines() if line.startswith(f"{run_id} killed ")]
            if len(seen) >= times:
                return seen
            await asyncio.sleep(0.01)

    def lines(self) -> list[str]:
        return self.effects.read_text().splitlines() if self.effects.exists() else []


def use(server: DevServer) -> None:
    """Set the environment so that this process and the workers connect to this server."""
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        del os.environ[name]
    os.environ |= {"TEMPORAL_ADDRESS": server.address, "TEMPORAL_CONFIG_FILE": os.devnull}


async def measure(times: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with start_dev_server() as server:
            use(server)
            bench = Bench(Path(folder) / "effects", server)
            os.environ["RECOVERY_EFFECTS"] = str(bench.effects)
            await mastra.connect()
            for (loss, how), limit in LIMITS.items():
                figures = [await bench.once(loss, how) for _ in range(times)]
                print(
                    f"median {how}, worker {loss}: {statistics.median(figures):.3f} s (limit {limit:g} s, "
                    f"{min(figures):.3f} to {max(figures):.3f}, n={times}, finished steps ran once)",
                    flush=True,
                )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description="Recovery of a lost worker.")
    parser.add_argument("--times", type=int, default=20, help="how many workers are lost for each figure")
    return run(measure(parser.parse_args().times))


if __name__ == "__main__":
    raise SystemExit(main())
