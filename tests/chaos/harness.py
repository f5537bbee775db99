"""Random runs, and what befalls them: workers killed and replaced, the server killed, restarts called by everybody."""

import asyncio
import contextlib
import sys
import tempfile
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
from tests.chaos.disasters import Disasters
from tests.chaos.graphs import CALM, build, name_of
from tests.chaos.journal import Journal
from tests.chaos.processes import AWAY, kill, persistently, restart_all
from tests.chaos.server import KillableServer, silent_runtime
from tests.support import PROCESSES, Build, Effects

AT_A_TIME = 30
QUEUE = "chaos"
INPUT = 1
WITH_STATE = {"include_state": True}
CALM_SECONDS = 120
"""How long the runs that nobody disturbs may take at most."""
RUN_SECONDS = 300
"""How long a run may take at most: then it counts as lost."""
LOOK_SECONDS = 30
"""How long to look where such a run is: the server may be down."""


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

    def __init__(self, seed: int, first: int, runs: int, most_disasters: int, folder: Path) -> None:
        self.indices = range(first, first + runs)
        self.seed = seed
        self.chance = Random(f"{seed}-{first}")
        self.effects = Effects(folder)
        self.build: Build = partial(build, seed=seed, first=first, runs=runs)
        self.server = KillableServer(folder)
        self.disasters = Disasters(self.chance, self.server, self.build, self.effects, QUEUE)
        self.report = Report(self.disasters.done)
        self.forced: set[str] = set()
        self.terminated: set[str] = set()
        self.given_up: set[str] = set()
        self.most_disasters = most_disasters
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
            expected = await asyncio.wait_for(self.undisturbed(), CALM_SECONDS)
            await self.disasters.hire()
            storm = PROCESSES.Process(target=restart_all, args=(self.build, self.effects, *self.place), daemon=True)
            storm.start()
            await self.disturbed(expected)
        finally:
            if storm is not None:
                kill(storm)
            await self.disasters.end()
            await self.server.kill()
        return self.report

    async def disturbed(self, expected: dict[int, WorkflowResult[Any]]) -> None:
        mastra = await self.registry(QUEUE)
        # When only some runs are left, each would be hit more often than all were before.
        striking = asyncio.create_task(
            self.disasters.strike(self.most_disasters, lambda: self.most / max(self.under_way, 1))
        )
        trials = asyncio.gather(*(self.one(mastra, index, expected[index]) for index in self.indices))
        await asyncio.wait({striking, trials}, return_when=asyncio.FIRST_COMPLETED)
        if striking.done():
            striking.result()  # raises if that is why it is over: then nothing is tried any more
        await trials
        striking.cancel()
        await asyncio.gather(striking, return_exceptions=True)

    @property
    def place(self) -> tuple[str, str]:
        return self.server.address, QUEUE

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

    # Runs

    async def one(self, mastra: Mastra, index: int, expected: WorkflowResult[Any]) -> None:
        run_id = f"run-{self.seed}-{index}"
        chance = Random(run_id)
        ways = ["restart", "storm", "force", "nobody", "terminate"]
        how = chance.choices(ways, weights=[5, 3, 1, 2, 1])[0]
        async with self.limit, self.counted():
            # Not `wait_for`: it waits for what it cancels, and an update of the SDK hides that it was canceled.
            trial = asyncio.create_task(self.tried(mastra, index, run_id, how, chance, expected))
            await asyncio.wait({trial}, timeout=RUN_SECONDS)
            if trial.done():
                found = trial.result()
            else:
                self.given_up.add(run_id)
                trial.cancel()
                found = [f"not over after {RUN_SECONDS} s, at {awaited(trial)}: {await self.state(run_id)}"]
        self.report.faults += [f"{run_id} ({how}): {fault}" for fault in found]
        self.report.done["runs"] += 1

    async def tried(
        self, mastra: Mastra, index: int, run_id: str, how: str, chance: Random, expected: WorkflowResult[Any]
    ) -> list[str]:
        """Start a run, bring it to its end, and tell what is wrong with it."""
        run = await persistently(lambda: mastra.get_workflow(name_of(self.seed, index)).create_run(run_id=run_id))
        await persistently(lambda: run.start_async(input_data=INPUT))
        result = await self.brought_to_its_end(run, how, chance)
        history = await persistently(lambda: recorded(self.client, run_id))
        attempts = Journal(self.effects.folder).attempts()
        own = [attempts[key] for key in attempts if key.startswith(f"{run_id}/")]
        self.report.done["attempts of steps"] += sum(map(len, own))
        return faults(
            result,
            expected,
            history,
            attempts,
            self.disasters.lives,
            forced=run_id in self.forced,
            terminated=run_id in self.terminated,
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

        async def look() -> str:
            handle = self.client.get_workflow_handle(run_id)
            description = (await persistently(handle.describe)).raw_description
            events = (await persistently(handle.fetch_history)).events
            last = [f"{event.event_id} {event.WhichOneof('attributes')}" for event in events[-20:]]
            return f"{description.pending_activities} {description.pending_workflow_task} {last}"

        try:
            return await asyncio.wait_for(look(), LOOK_SECONDS)
        except asyncio.TimeoutError:
            return "the server does not answer"

    async def brought_to_its_end(self, run: Run[Any], how: str, chance: Random) -> WorkflowResult[Any]:
        while True:
            await asyncio.sleep(chance.uniform(0, 3))
            if run.run_id in self.given_up:
                raise asyncio.CancelledError
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
        self.terminated.add(run.run_id)
        await self.client.get_workflow_handle(run.run_id).terminate("chaos")
        self.report.done["terminations"] += 1


def awaited(task: asyncio.Task[Any]) -> str:
    """Where a task waits: the lines of its coroutines, from the outermost to the innermost."""
    lines: list[str] = []
    inner: Any = task.get_coro()
    while (frame := getattr(inner, "cr_frame", None)) is not None:
        lines.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}")
        inner = inner.cr_await
    return f"{' > '.join(lines)} > {inner!r}"


def answer_to(suspended: WorkflowResult[Any]) -> dict[str, Any]:
    """The arguments of `resume()` for the first of the steps that ask."""
    assert suspended.suspended is not None
    return {"step": suspended.suspended[0], "resume_data": "yes"}


async def batch(seed: int, first: int, runs: int, *, most_disasters: int = 10**6) -> Report:
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        report = await Chaos(seed, first, runs, most_disasters, Path(folder)).run()
    print(f"runs {first} to {first + runs - 1}: {report}", file=sys.stderr, flush=True)
    return report
