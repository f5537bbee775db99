"""`make demo`: a run survives the death of its worker.

Starts a Temporal server and a worker, runs an order, kills the worker with SIGKILL while a line is being priced, starts
another worker, calls `restart()`, and shows what ran how often. ``--keep`` leaves the server up to look at the run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from examples.orders import Line, Order, Shipment, mastra, orders
from mastra_temporal import Run, WorkflowResult
from mastra_temporal.cli.running import on_stop_signal, run
from mastra_temporal.devserver import DevServer, start_dev_server
from mastra_temporal.errors import MastraError

ORDER = Order(
    id="A-1001",
    lines=[Line(sku=sku, quantity=number) for number, sku in enumerate(["kettle", "teapot", "cup", "tray"], start=1)],
    express=True,
)
KILLED_AT = "pricing cup"
PRICING_SECONDS = "1.5"

console = Console(highlight=False)


class Effects:
    """What the steps did, written by themselves: evidence that does not come from Temporal."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def count(self, effect: str) -> int:
        return sum(line["effect"] == effect for line in self.lines())


async def demo(keep: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        effects = Effects(Path(folder) / "effects.jsonl")
        database = Path(folder) / "temporal.db"
        async with start_dev_server(ui=True, database=database) as server, contextlib.AsyncExitStack() as workers:
            os.environ |= {"TEMPORAL_ADDRESS": server.address, "TEMPORAL_CONFIG_FILE": os.devnull}
            os.environ |= {"ORDERS_EFFECTS": str(effects.path), "ORDERS_PRICING_SECONDS": PRICING_SECONDS}
            await mastra.connect()
            order_run = await orders.create_run()
            first = await workers.enter_async_context(worker())
            console.print(f"Temporal server [bold]{server.address}[/], worker [bold]{first.pid}[/]")
            result, seconds, before = await crash_and_restart(order_run, effects, first, workers)
            show(order_run, result, seconds, before, effects, server)
            check(result, before, effects)
            if keep:
                await until_stopped()


async def crash_and_restart(
    order_run: Run[Shipment], effects: Effects, first: asyncio.subprocess.Process, workers: contextlib.AsyncExitStack
) -> tuple[WorkflowResult[Shipment], float, Counter[str]]:
    await order_run.start_async(input_data=ORDER)
    await until(lambda: effects.count(KILLED_AT) == 1)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    before = Counter(line["effect"] for line in effects.lines())
    console.print(f"[red]SIGKILL[/] to worker {first.pid} while {KILLED_AT}")
    second = await workers.enter_async_context(worker())
    console.print(f"Worker [bold]{second.pid}[/] started, calling [bold]restart()[/]")
    called = time.monotonic()
    restarted = asyncio.create_task(order_run.restart())
    await until(lambda: effects.count(KILLED_AT) == 2)
    seconds = time.monotonic() - called
    return await restarted, seconds, before


@contextlib.asynccontextmanager
async def worker() -> AsyncGenerator[asyncio.subprocess.Process, None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers.main", "--app", "examples.orders:mastra"), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise MastraError("The demo waited in vain: is the machine very slow?")
        await asyncio.sleep(0.01)


def show(
    order_run: Run[Shipment],
    result: WorkflowResult[Shipment],
    seconds: float,
    before: Counter[str],
    effects: Effects,
    server: DevServer,
) -> None:
    after = Counter(line["effect"] for line in effects.lines())
    steps = {line["effect"]: line["step"] for line in effects.lines()}
    table = Table("Step", "What it did", "Before the kill", "In all")
    for effect, total in after.items():
        again = before[effect] > 0 and total > before[effect]
        table.add_row(steps[effect], effect, str(before[effect] or ""), f"[yellow]{total}[/]" if again else str(total))
    console.print(table)
    kept = sum(after[effect] == 1 for effect in before)
    console.print(f"Kept: {kept} finished steps. Run again: {len(before) - kept}, {seconds:.2f} s after the call.")
    console.print(f"Result: [green]{result.status}[/] {result.result}")
    address = f"{server.ui_url}/namespaces/{server.namespace}/workflows/{order_run.run_id}"
    console.print(f"In the Temporal UI: {address}", soft_wrap=True)


def check(result: WorkflowResult[Shipment], before: Counter[str], effects: Effects) -> None:
    """The two lines that were being priced may have run twice; everything else exactly once."""
    after = Counter(line["effect"] for line in effects.lines())
    under_way = {KILLED_AT, "pricing tray"}
    repeated = [effect for effect, total in after.items() if total > (2 if effect in under_way else 1)]
    if result.status != "success" or repeated:
        raise MastraError(
            f"The demo failed: status {result.status}, run too often: {', '.join(repeated) or 'nothing'}."
        )


async def until_stopped() -> None:
    stopped = asyncio.Event()
    on_stop_signal(stopped.set)
    console.print("The server stays up until Ctrl-C.")
    await stopped.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description="A run survives its worker.")
    parser.add_argument("--keep", action="store_true", help="leave the server up until Ctrl-C")
    return run(demo(parser.parse_args().keep))


if __name__ == "__main__":
    raise SystemExit(main())
