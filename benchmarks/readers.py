"""Measures the readers of one run: ``python -m benchmarks.readers [--readers 1 10 50] [--chunks 250] [--turns 100]``.

The worker is a process of its own, and all readers are in this one. There are two measurements:

* A step writes a chunk every 20 ms. The result is the delay of a chunk, from the step's `writer.write` to a reader.
* A loop makes short turns as fast as it can. The result is how much longer it takes when it is read.

It fails if a reader misses a chunk or an event, or if too many chunks are later than the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncGenerator
from statistics import median, quantiles

from benchmarks.readers_app import PAUSE_SECONDS, Turns, mastra, turning, writing
from benchmarks.recovery import use
from benchmarks.suspended import require
from mastra_temporal.cli.running import run
from mastra_temporal.devserver import start_dev_server

P95_LIMIT = 0.5
"""The longest allowed delay of 95 % of the chunks, in seconds."""


@contextlib.asynccontextmanager
async def worker() -> AsyncGenerator[None]:
    """Run a worker process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.readers_app", stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def delays(readers: int, chunks: int) -> list[float]:
    """Read a run with this many readers, and return the delay of each chunk at each reader, in seconds."""
    writer = await writing.create_run()
    await writer.start_async(input_data=chunks)

    async def read() -> list[float]:
        return [
            time.time() - event.payload["output"]
            async for event in writer.observe_stream()
            if event.type == "workflow-step-output"
        ]

    of_readers = await asyncio.gather(*(read() for _ in range(readers)))
    require({len(each) for each in of_readers} == {chunks}, "A reader missed a chunk.")
    return [delay for each in of_readers for delay in each]


async def loop_seconds(readers: int, turns: int) -> float:
    """Read a loop with this many readers, and return how long it took."""
    loop = await turning.create_run()
    began = time.perf_counter()
    await loop.start_async(input_data=Turns(total=turns))

    async def read() -> int:
        return len([event async for event in loop.observe_stream() if event.type == "workflow-step-result"])

    reading = [asyncio.create_task(read()) for _ in range(readers)]
    await loop.join()
    took = time.perf_counter() - began
    results = set(await asyncio.gather(*reading))
    require(results <= {turns}, f"A reader missed an event: {results}")
    return took


async def measure(sizes: list[int], chunks: int, turns: int) -> None:
    async with start_dev_server() as server:
        use(server)
        await mastra.connect()
        async with worker():
            await delays(1, 10)
            await loop_seconds(1, 10)
            slowest = await measure_delays(sizes, chunks)
            await measure_loop(sizes, turns)
    require(slowest < P95_LIMIT, f"5 % of the chunks are later than {P95_LIMIT} s.")


async def measure_delays(sizes: list[int], chunks: int) -> float:
    """Print the delays, and return the largest 95th percentile."""
    print(f"delay of a chunk ({chunks} chunks, one every {PAUSE_SECONDS * 1000:.0f} ms)")
    print(f"{'readers':>8} {'p50':>8} {'p95':>8} {'slowest':>8} {'p95 ratio':>10}")
    slowest = first = 0.0
    for readers in sizes:
        measured = await delays(readers, chunks)
        p95 = quantiles(measured, n=20)[-1]
        first, slowest = first or p95, max(slowest, p95)
        print(
            f"{readers:8} {median(measured):6.3f} s {p95:6.3f} s {max(measured):6.3f} s {p95 / first:10.2f}", flush=True
        )
    return slowest


async def measure_loop(sizes: list[int], turns: int) -> None:
    """Print how long a loop takes."""
    print(f"a loop of {turns} short turns")
    print(f"{'readers':>8} {'time':>8} {'ratio':>8}")
    alone = 0.0
    for readers in (0, *sizes):
        took = await loop_seconds(readers, turns)
        alone = alone or took
        print(f"{readers:8} {took:6.2f} s {took / alone:8.2f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers", description="What the readers of a run cost.")
    parser.add_argument("--readers", type=int, nargs="+", default=[1, 10, 50], help="how many readers a run has")
    parser.add_argument("--chunks", type=int, default=250, help="how many chunks a step writes")
    parser.add_argument("--turns", type=int, default=100, help="how many turns the loop has")
    arguments = parser.parse_args()
    return run(measure(arguments.readers, arguments.chunks, arguments.turns))


if __name__ == "__main__":
    raise SystemExit(main())
