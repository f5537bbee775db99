"""Random runs, and what befalls them: workers killed and replaced, the server killed, restarts called by everybody."""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from mastra_temporal import Mastra, Run, RunNotActiveError, WorkflowResult
from mastra_temporal.testing import worker_for
from tests.chaos.checks import faults, recorded
from tests.chaos.graphs import CALM, build, name_of
from tests.chaos.journal import Journal
from tests.chaos.processes import AWAY, persistently, restart_all, serve
from tests.chaos.server import KillableServer, silent_runtime
from tests.support import PROCESSES, Build, Effects

WORKERS = 3
AT_A_TIME = 30
MOST_PATIENCE = 2
INPUT = 1
WITH_STATE = {"include_state": True}
RUN_SECONDS = 600
"""How long a run may take at most: then it counts as lost."""


@dataclass
class Report:
    """What was done, and what was wrong."""

    done: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        did = ", ".join(f"{number} {what}" for what, number in sorted(self.done.items()))
        return f"{did}; {len(self.faults)} faults" + "".join(f"\n  {fault}" for fault in self.faults)


class Chaos:
    """One batch of runs on a server of their own."""

    def __init__(self, seed: int, first: int, runs: int, folder: Path) -> None:
        self.indices = range(first, first + runs)
        self.seed = seed
        self.chance = Random(f"{seed}-{first}")
        self.effects = Effects(folder)
        self.build: Build = partial(build, seed=seed, first=first, runs=runs)
        self.server = KillableServer(folder)
        self.report = Report()
        self.workers: list[Any] = []
        self.killed: dict[int, float] = {}
        self.forced: set[str] = set()
        self.most = min(AT_A_TIME, runs)
        self.limit = asyncio.Semaphore(self.most)
        self.under_way = 0
        self.client: Client

    async def run(self) -> Report:
        await self.server.start()
        self.client = await Client.connect(
            self.server.address, runtime=silent_runtime(), data_converter=pydantic_data_converter
        )
        storm = None
        try:
            expected = await self.undisturbed()
            for _ in range(WORKERS):
                self.hire()
            storm = PROCESSES.Process(target=restart_all, args=(self.build, self.effects, *self.place), daemon=True)
            storm.start()
            disturbing = asyncio.create_task(self.disturb())
            mastra = await self.registry("chaos")
            await asyncio.gather(*(self.one(mastra, index, expected[index]) for index in self.indices))
            disturbing.cancel()
            await asyncio.gather(disturbing, return_exceptions=True)
        finally:
            for process in [*self.workers, *([storm] if storm else [])]:
                process.kill()
                process.join()
            await self.server.kill()
        return self.report

    @property
    def place(self) -> tuple[str, str]:
        return self.server.address, "chaos"

    async def registry(self, task_queue: str) -> Mastra:
        mastra = Mastra(workflows=self.build(self.effects), task_queue=task_queue)
        await mastra.connect(self.client)
        return mastra

    async def undisturbed(self) -> dict[int, WorkflowResult[Any]]:
        """What the runs give when nothing happens to them."""
        mastra = await self.registry("calm")

        async def calm(index: int) -> WorkflowResult[Any]:
            async with self.limit:
                run = await mastra.get_workflow(name_of(self.seed, index)).create_run()
                result = await run.start(input_data=INPUT, request_context={CALM: True}, output_options=WITH_STATE)
                while result.status == "suspended":
                    result = await run.resume(**answer_to(result), output_options=WITH_STATE)
            assert result.status == "success", f"chaos needs runs that succeed: {result}"
            return result

        async with worker_for(mastra, self.client):
            results = await asyncio.gather(*(calm(index) for index in self.indices))
        return dict(zip(self.indices, results, strict=True))

    # Disasters

    def hire(self) -> None:
        process = PROCESSES.Process(target=serve, args=(self.build, self.effects, *self.place), daemon=True)
        process.start()
        self.workers.append(process)

    async def disturb(self) -> None:
        """Until it is cancelled. Always the same things in the same order for a seed; when they hit, nobody knows."""
        while True:
            # When only some runs are left, each would be hit more often than all were before.
            await asyncio.sleep(self.chance.uniform(0.2, 1.2) * min(MOST_PATIENCE, self.most / max(self.under_way, 1)))
            self.workers = [worker for worker in self.workers if worker.is_alive()]
            what = self.chance.choices(["kill", "terminate", "kill all", "server"], weights=[75, 15, 7, 3])[0]
            if what == "server":
                self.report.done["kills of the server"] += 1
                await self.server.kill()
                await asyncio.sleep(self.chance.uniform(0, 2))
                await self.server.start()
            elif what == "kill all":
                for worker in self.workers:
                    self.kill(worker)
            elif self.workers:
                worker = self.chance.choice(self.workers)
                if what == "kill":
                    self.kill(worker)
                else:
                    self.report.done["rolling restarts"] += 1
                    worker.terminate()
            await asyncio.sleep(self.chance.uniform(0, 0.5))
            while sum(worker.is_alive() for worker in self.workers) < WORKERS:
                self.hire()

    def kill(self, worker: Any) -> None:
        self.killed[worker.pid] = time.time()
        worker.kill()
        worker.join()
        self.report.done["kills of workers"] += 1

    # Runs

    async def one(self, mastra: Mastra, index: int, expected: WorkflowResult[Any]) -> None:
        async with self.limit, self.counted():
            run_id = f"run-{self.seed}-{index}"
            chance = Random(run_id)
            run = await persistently(lambda: mastra.get_workflow(name_of(self.seed, index)).create_run(run_id=run_id))
            await persistently(lambda: run.start_async(input_data=INPUT))
            ways = ["restart", "storm", "force", "nobody", "terminate"]
            how = chance.choices(ways, weights=[5, 3, 1, 2, 1])[0]
            try:
                result = await asyncio.wait_for(self.brought_to_its_end(run, how, chance), RUN_SECONDS)
            except asyncio.TimeoutError:
                self.report.faults.append(
                    f"{run_id} ({how}) was not over after {RUN_SECONDS} s: {await self.state(run_id)}"
                )
                return
            history = await persistently(lambda: recorded(self.client, run_id))
            attempts = Journal(self.effects.folder).attempts()
            found = faults(result, expected, history, attempts, self.killed, forced=run_id in self.forced)
            self.report.faults += [f"{run_id} ({how}): {fault}" for fault in found]
            self.report.done["runs"] += 1
            prefix = f"{run_id}/"
            self.report.done["attempts of steps"] += sum(
                len(own) for key, own in attempts.items() if key.startswith(prefix)
            )

    @contextlib.asynccontextmanager
    async def counted(self) -> AsyncGenerator[None]:
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    async def state(self, run_id: str) -> str:
        """Where a run is that is not over, for whoever has to find out why."""
        handle = self.client.get_workflow_handle(run_id)
        description = (await persistently(handle.describe)).raw_description
        events = (await persistently(handle.fetch_history)).events
        last = [f"{event.event_id} {event.WhichOneof('attributes')}" for event in events[-20:]]
        return f"{description.pending_activities} {description.pending_workflow_task} {last}"

    async def brought_to_its_end(self, run: Run[Any], how: str, chance: Random) -> WorkflowResult[Any]:
        while True:
            await asyncio.sleep(chance.uniform(0, 3))
            try:
                if how == "terminate" and chance.random() < 0.5:
                    await self.terminate(run)
                result = await (run.join() if how == "nobody" else self.restarted(run, how, chance))
            except RunNotActiveError:  # it is suspended
                result = await persistently(run.join)
            except AWAY:
                continue
            if result.status != "suspended":
                return result
            with contextlib.suppress(*AWAY):
                await run.resume_async(**answer_to(result))
                self.report.done["resumes"] += 1

    async def restarted(self, run: Run[Any], how: str, chance: Random) -> WorkflowResult[Any]:
        force = how == "force" and chance.random() < 0.5
        if force:
            self.forced.add(run.run_id)
        callers = chance.randint(3, 6) if how == "storm" else 1
        self.report.done["restarts"] += callers
        patience = timedelta(seconds=chance.uniform(2, 15))
        results = await asyncio.gather(*(run.restart(force=force, timeout=patience) for _ in range(callers)))
        if any(result != results[0] for result in results):
            self.report.faults.append(f"{run.run_id}: callers of restart() got different results: {results}")
        return results[0]

    async def terminate(self, run: Run[Any]) -> None:
        """Close the run in Temporal, as an operator may by mistake."""
        await self.client.get_workflow_handle(run.run_id).terminate("chaos")
        self.report.done["terminations"] += 1


def answer_to(suspended: WorkflowResult[Any]) -> dict[str, Any]:
    """The arguments of `resume()` for the first of the steps that ask."""
    assert suspended.suspended is not None
    return {"step": suspended.suspended[0], "resume_data": "yes"}


async def batch(seed: int, first: int, runs: int) -> Report:
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        report = await Chaos(seed, first, runs, Path(folder)).run()
    print(f"runs {first} to {first + runs - 1}: {report}", file=sys.stderr, flush=True)
    return report
