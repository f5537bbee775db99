"""What befalls the workers and the server: killed, replaced, frozen, blocked, cut off from each other."""

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from tests.chaos.processes import BLOCK, BLOCK_SECONDS, kill, serve
from tests.chaos.server import KillableServer
from tests.proxy import Proxy, proxy_to
from tests.support import PROCESSES, Build, Effects

WORKERS = 3
MOST_PATIENCE = 6
"""How many times longer it is quiet at most when few runs are left: all would hit these few, and the end drag on."""
ENDS = {0, -signal.SIGKILL, -signal.SIGTERM, -BLOCK}
"""The exit statuses of workers that were ended; the last two come from a signal before the worker was ready for it."""
LONGEST_ABSENCE = 8.0
"""Seconds for which a worker is frozen or cut off at most: sometimes longer than the steps' heartbeat timeout."""
WEIGHTS = {"kill": 50, "terminate": 15, "freeze": 15, "cut off": 15, "block": 10, "kill all": 6, "server": 3}


@dataclass
class Lives:
    """What happened to workers' processes, and when, by their pids."""

    killed: dict[int, float] = field(default_factory=dict)
    """When a worker was killed, or told to stop: it hands its steps back then, and the threads of some run on."""
    absent: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    """From when to when a worker was frozen or cut off. An absence that has no end yet ends in infinity."""
    blocked: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    """From when to when a worker's event loop was blocked: the worker beats, but its async steps hear of nothing."""

    def of(self, pid: int) -> str:
        """What happened to one process."""
        return f"killed {self.killed.get(pid)}, absent {self.absent.get(pid, [])}, blocked {self.blocked.get(pid, [])}"


@dataclass(eq=False)
class Worker:
    """A worker in a process of its own, which reaches the server through a proxy of its own."""

    process: Any
    proxy: Proxy
    resources: contextlib.AsyncExitStack
    is_absent: bool = False
    blocked_until: float = 0.0

    @property
    def pid(self) -> int:
        return self.process.pid

    async def discard(self) -> None:
        kill(self.process)
        await self.resources.aclose()


class Disasters:
    """The workers of a batch, and the disasters that hit them and the server."""

    def __init__(self, chance: Random, server: KillableServer, build: Build, effects: Effects, queue: str) -> None:
        self.lives = Lives()
        self.done: Counter[str] = Counter()
        self._chance = chance
        self._server = server
        self._serve = partial(serve, build, effects)
        self._queue = queue
        self._workers: list[Worker] = []
        self._absences: set[asyncio.Task[None]] = set()

    async def hire(self) -> None:
        """Have as many workers as there should be. One that cannot be reached does not count."""
        for worker in [worker for worker in self._workers if not worker.process.is_alive()]:
            self._workers.remove(worker)
            if worker.process.exitcode not in ENDS:
                self.done["workers that ended by themselves"] += 1
            await worker.discard()
        while len(self._present) < WORKERS:
            resources = contextlib.AsyncExitStack()
            proxy = await resources.enter_async_context(proxy_to(self._server.address))
            process = PROCESSES.Process(target=self._serve, args=(proxy.address, self._queue), daemon=True)
            process.start()
            self._workers.append(Worker(process, proxy, resources))

    async def strike(self, most: int, calm: Callable[[], float]) -> None:
        """Each disaster once, then any. The same in the same order for a seed, but when they hit, nobody knows.

        Args:
            most: After how many disasters there is peace.
            calm: How much longer than usual it is to be quiet.
        """
        first = self._chance.sample(list(WEIGHTS), len(WEIGHTS))
        for _ in range(most):
            await asyncio.sleep(self._chance.uniform(0.2, 1.2) * min(MOST_PATIENCE, calm()))
            await self.hire()
            what = first.pop() if first else self._chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
            victim = self._chance.choice(self._present)
            seconds, comes_back = self._chance.uniform(0, LONGEST_ABSENCE), self._chance.random() < 0.7
            if what == "server":
                await self._restart_server(away=seconds / 4)
            elif what == "kill all":
                for worker in list(self._workers):
                    self._kill(worker)
            elif what == "kill" or time.time() < victim.blocked_until:
                self._kill(victim)
            elif what == "terminate":
                self.done["rolling restarts"] += 1
                self.lives.killed[victim.pid] = time.time()
                victim.process.terminate()
            elif what == "block":
                self._block(victim)
            else:
                absence = asyncio.create_task(self._absent(victim, what, seconds, comes_back))
                self._absences.add(absence)
                absence.add_done_callback(self._absences.discard)
            await asyncio.sleep(self._chance.uniform(0, 0.5))
            await self.hire()

    async def end(self) -> None:
        for absence in list(self._absences):
            absence.cancel()
        await asyncio.gather(*self._absences, return_exceptions=True)
        for worker in self._workers:
            await worker.discard()

    @property
    def _present(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.process.is_alive() and not worker.is_absent]

    async def _restart_server(self, *, away: float) -> None:
        self.done["kills of the server"] += 1
        await self._server.kill()
        await asyncio.sleep(away)
        await self._server.start()

    def _block(self, worker: Worker) -> None:
        self.done["blocked workers"] += 1
        worker.blocked_until = time.time() + BLOCK_SECONDS
        self.lives.blocked.setdefault(worker.pid, []).append((time.time(), worker.blocked_until))
        os.kill(worker.pid, BLOCK)

    async def _absent(self, worker: Worker, how: str, seconds: float, comes_back: bool) -> None:
        self.done["frozen workers" if how == "freeze" else "workers cut off"] += 1
        worker.is_absent = True
        absences = self.lives.absent.setdefault(worker.pid, [])
        absences.append((time.time(), float("inf")))
        if how == "freeze":
            os.kill(worker.pid, signal.SIGSTOP)
        else:
            worker.proxy.cut()
        await asyncio.sleep(seconds)
        if not comes_back:
            self._kill(worker)
        elif worker.process.is_alive():
            if how == "freeze":
                os.kill(worker.pid, signal.SIGCONT)
            else:
                worker.proxy.restore()
            absences[-1] = (absences[-1][0], time.time())
            worker.is_absent = False

    def _kill(self, worker: Worker) -> None:
        if worker.process.is_alive():
            self.lives.killed[worker.pid] = time.time()
            kill(worker.process)
            self.done["kills of workers"] += 1
