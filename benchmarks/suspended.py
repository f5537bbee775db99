"""Measures suspended runs: ``python -m benchmarks.suspended [--runs 1000] [--cache 100] [--waiters 1000]``.

It starts a server and a worker process, and makes two measurements:

* Many runs are suspended at the same time on a worker that caches only some of them. Each is resumed with its own data.
* Many waiters on several connections wait for one run, which suspends, is resumed and ends.

It fails if a run does not finish or gets the data of another run, or if the second measurement exceeds a limit.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

from temporalio.client import Client

from benchmarks.recovery import use
from benchmarks.suspended_app import approval, gated, mastra
from mastra_temporal import MastraPlugin
from mastra_temporal._client.outcome import wait_for_outcome
from mastra_temporal.cli.running import run
from mastra_temporal.devserver import DevServer, start_dev_server
from mastra_temporal.errors import MastraError

AT_ONCE = 50
"""The number of concurrent calls."""
CONNECTIONS = 10
WAITERS_PER_SECOND = 300
"""How many waiters can begin to wait in a second."""
TOLD_WITHIN = 2.0
"""How soon the last waiter must have its answer, in seconds."""
ANSWERED_WITHIN = 0.5
"""How soon `resume()` must be answered, in seconds."""
MAX_EVENTS = 100

T = TypeVar("T")
R = TypeVar("R")


def require(holds: bool, what: str) -> None:
    if not holds:
        raise MastraError(what)


@contextlib.asynccontextmanager
async def worker(cached_workflows: int) -> AsyncGenerator[int]:
    """Run a worker process that caches this many runs, and yield its pid."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.suspended_app", str(cached_workflows)
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


async def resident_megabytes(pid: int) -> float:
    ps = await asyncio.create_subprocess_exec("ps", "-o", "rss=", "-p", str(pid), stdout=asyncio.subprocess.PIPE)
    output, _ = await ps.communicate()
    return int(output) / 1024


async def for_each(items: Sequence[T], call: Callable[[int, T], Awaitable[R]]) -> list[R]:
    """Call a function for each item with its number, with at most `AT_ONCE` concurrent calls."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, item: T) -> R:
        async with room:
            return await call(number, item)

    return await asyncio.gather(*(one(number, item) for number, item in enumerate(items)))


async def suspend_many(count: int, cached_workflows: int, pid: int) -> None:
    """Suspend many runs, resume each with its own data, and check each result."""
    idle = await resident_megabytes(pid)
    runs = [await approval.create_run() for _ in range(count)]
    began = time.monotonic()
    results = await for_each(runs, lambda number, run: run.start(input_data=number))
    suspended_in = time.monotonic() - began
    require({result.status for result in results} == {"suspended"}, "Not all runs are suspended.")
    full = await resident_megabytes(pid)
    began = time.monotonic()
    results = await for_each(runs, lambda number, run: run.resume(resume_data=f"for {number}"))
    resumed_in = time.monotonic() - began
    for number, result in enumerate(results):
        expected = {"number": number, "data": f"for {number}", "suspended_with": number}
        require(result.result == expected, f"Run {number} ended as {result.status} with {result.result}.")
    after = await resident_megabytes(pid)
    print(f"{count} runs suspended at once: in {suspended_in:.1f} s, resumed to their ends in {resumed_in:.1f} s")
    print(
        f"memory of the worker (cache of {cached_workflows}): {idle:.0f} MB idle, "
        f"{full:.0f} MB with all suspended, {after:.0f} MB when all had ended",
        flush=True,
    )


async def wait_together(count: int, server: DevServer) -> None:
    """Let many waiters wait for a run's suspension and then for its end. Measure when the last one has its answer."""
    plugin = MastraPlugin(mastra)
    clients = [await Client.connect(server.address, plugins=[plugin]) for _ in range(CONNECTIONS)]
    run = await gated.create_run()
    in_place = 1 + count / WAITERS_PER_SECOND
    await run.start_async(input_data=round(1000 * (in_place + 1)))

    async def told(number: int, generation: int) -> tuple[float, str, int]:
        result = await wait_for_outcome(clients[number % CONNECTIONS], run.run_id, generation)
        step = result.steps["ask"]
        return time.time(), result.status, (step.suspended_at if result.status == "suspended" else step.ended_at) or 0

    async def waiting(generation: int) -> list[asyncio.Task[tuple[float, str, int]]]:
        tasks = [asyncio.create_task(told(number, generation)) for number in range(count)]
        await asyncio.sleep(in_place)
        return tasks

    async def last_told(tasks: list[asyncio.Task[tuple[float, str, int]]], status: str) -> float:
        answers = await asyncio.gather(*tasks)
        require({answer[1] for answer in answers} == {status}, f"Not all waiters were told: {status}.")
        return max(at - happened / 1000 for at, _, happened in answers)

    tasks = await waiting(generation=0)
    suspension = await last_told(tasks, "suspended")
    tasks = await waiting(generation=1)
    began = time.monotonic()
    await run.resume_async(resume_data="go")
    answered = time.monotonic() - began
    end = await last_told(tasks, "success")
    events = len([event async for event in run.client.get_workflow_handle(run.run_id).fetch_history_events()])
    print(
        f"{count} waiters on one run: the last was told of the suspension after {suspension:.2f} s and "
        f"of the end after {end:.2f} s (limit {TOLD_WITHIN:g} s); resume() answered in {answered:.3f} s "
        f"(limit {ANSWERED_WITHIN:g} s); {events} events in the history (limit {MAX_EVENTS})",
        flush=True,
    )
    require(max(suspension, end) < TOLD_WITHIN, "A waiter was told too late.")
    require(answered < ANSWERED_WITHIN, "The resume was answered too late.")
    require(events < MAX_EVENTS, "The waiters have left too much in the history.")


async def measure(runs: int, cached_workflows: int, waiters: int) -> None:
    async with start_dev_server() as server:
        use(server)
        await mastra.connect()
        async with worker(cached_workflows) as pid:
            warm_up = await approval.create_run()
            await warm_up.start(input_data=0)
            await suspend_many(runs, cached_workflows, pid)
            await wait_together(waiters, server)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suspended", description="What suspended runs cost.")
    parser.add_argument("--runs", type=int, default=1000, help="how many runs are suspended at once")
    parser.add_argument("--cache", type=int, default=100, help="how many of them the worker keeps in memory")
    parser.add_argument("--waiters", type=int, default=1000, help="how many wait for one run")
    arguments = parser.parse_args()
    return run(measure(arguments.runs, arguments.cache, arguments.waiters))


if __name__ == "__main__":
    raise SystemExit(main())
