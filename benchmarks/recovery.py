"""How soon a step runs again after its worker was killed: ``python -m benchmarks.recovery [--kills 50]``.

Each time a worker process gets SIGKILL inside a step and a fresh one is up. Measured by the steps themselves, on one
clock: from the call of `restart()` (or from the kill, when nothing is called) until the step's body runs again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.recovery_app import HEARTBEAT_TIMEOUT, mastra, ping, recovery, unattended
from mastra_temporal.cli.running import run
from mastra_temporal.devserver import DevServer, start_dev_server
from mastra_temporal.errors import MastraError

NO_CALL = "no call"


class Bench:
    def __init__(self, effects: Path) -> None:
        self.effects = effects
        self.worker: asyncio.subprocess.Process | None = None

    async def fresh_worker(self) -> None:
        """Start a worker and wait until it works."""
        self.worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers.main", "--app", "benchmarks.recovery_app:mastra"),
            stderr=asyncio.subprocess.DEVNULL,
        )
        await (await ping.create_run()).start(input_data=1)

    async def kill(self) -> None:
        assert self.worker is not None
        self.worker.kill()
        await self.worker.wait()

    async def once(self, how: str) -> float:
        """Kill a worker inside a step, and measure until the step runs again."""
        run = await (unattended if how == NO_CALL else recovery).create_run()
        await run.start_async(input_data=1)
        await self.ran(run.run_id, times=1)
        await self.kill()
        began = time.time()
        await self.fresh_worker()
        if how == NO_CALL:
            result = await run.start(input_data=1)
        else:
            began = time.time()
            result = await run.restart(force=how == "restart(force=True)")
        times = await self.ran(run.run_id, times=2)
        counts = Counter(line.split()[1] for line in self.lines() if line.startswith(run.run_id))
        if result.status != "success" or counts != {"before": 1, "killed": 2, "after": 1}:
            raise MastraError(f"{how}: the run ended as {result.status}, its steps ran {dict(counts)} times.")
        return times[1] - began

    async def ran(self, run_id: str, times: int) -> list[float]:
        """When the killed step has run, once it has run so often."""
        while True:
            seen = [float(line.split()[2]) for line in self.lines() if line.startswith(f"{run_id} killed ")]
            if len(seen) >= times:
                return seen
            await asyncio.sleep(0.01)

    def lines(self) -> list[str]:
        return self.effects.read_text().splitlines() if self.effects.exists() else []


def use(server: DevServer) -> None:
    """Have this process and the workers connect to our server, whatever the environment says of others."""
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        del os.environ[name]
    os.environ |= {"TEMPORAL_ADDRESS": server.address, "TEMPORAL_CONFIG_FILE": os.devnull}


async def measure(kills: int) -> None:
    limits = {"restart(force=True)": 0.1, "restart()": 5.0, NO_CALL: HEARTBEAT_TIMEOUT.total_seconds() + 5}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "effects")
        async with start_dev_server() as server:
            use(server)
            os.environ["RECOVERY_EFFECTS"] = str(bench.effects)
            await mastra.connect()
            await bench.fresh_worker()
            try:
                for how, limit in limits.items():
                    figures = [await bench.once(how) for _ in range(kills)]
                    print(
                        f"median {how}: {statistics.median(figures):.3f} s (limit {limit:g} s, "
                        f"{min(figures):.3f} to {max(figures):.3f}, n={kills}, finished steps ran once)",
                        flush=True,
                    )
            finally:
                await bench.kill()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description="Recovery after a SIGKILL.")
    parser.add_argument("--kills", type=int, default=50, help="how many workers are killed for each figure")
    return run(measure(parser.parse_args().kills))


if __name__ == "__main__":
    raise SystemExit(main())
