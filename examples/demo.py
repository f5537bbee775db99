"""`make demo`: shows that a run survives a killed worker.

It starts a Temporal server and a worker, runs an order, and kills the worker with SIGKILL while lines are being priced.
Then it starts another worker, calls `restart()`, and shows how often each step ran. With ``--keep`` the server stays
up, so that you can look at the run in the Temporal UI.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
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
SHIPMENT = Shipment(order_id="A-1001", tracking="courier-A-1001", total=18_940)
UNDER_WAY = {"pricing cup", "pricing tray"}
"""The effects of the steps that are killed. Two lines are priced at a time, so by then the first two are finished."""
PRICING_SECONDS = "1.5"

PATIENCE_SECONDS = 40

console = Console(highlight=False)


class Effects:
    """The effects that the steps have written to a file, as evidence that does not come from Temporal."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def counts(self) -> Counter[str]:
        return Counter(line["effect"] for line in self.lines())

    async def until_under_way_ran(self, times: int) -> None:
        """Wait until each of the steps that are killed has begun this many times."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(self.counts()[effect] < times for effect in UNDER_WAY):
            if time.monotonic() > deadline:
                raise MastraError("The demo waited in vain: is the machine very slow?")
            await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Recovery:
    """The outcome of the restart."""

    result: WorkflowResult[Shipment]
    before: Counter[str]
    """How often each step had run when the worker was killed."""
    again_seconds: float
    """Seconds from the call until the killed steps ran again."""
    all_seconds: float
    """Seconds from the call until the run ended."""


async def demo(keep: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        effects = Effects(Path(folder) / "effects.jsonl")
        database = Path(folder) / "temporal.db"
        async with start_dev_server(ui=True, database=database) as server, contextlib.AsyncExitStack() as workers:
            use(server)
            os.environ |= {"ORDERS_EFFECTS": str(effects.path), "ORDERS_PRICING_SECONDS": PRICING_SECONDS}
            await mastra.connect()
            order_run = await orders.create_run(run_id=f"order-{ORDER.id}")
            first = await workers.enter_async_context(worker())
            console.print(f"Temporal server [bold]{server.address}[/], worker [bold]{first.pid}[/]")
            recovery = await crash_and_restart(order_run, effects, first, workers)
            show(order_run, recovery, effects, server)
            check(recovery, effects)
            if keep:
                await until_stopped()


def use(server: DevServer) -> None:
    """Set the environment so that this process and the workers connect to this server."""
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        del os.environ[name]
    os.environ |= {"TEMPORAL_ADDRESS": server.address, "TEMPORAL_CONFIG_FILE": os.devnull}


async def crash_and_restart(
    order_run: Run[Shipment], effects: Effects, first: asyncio.subprocess.Process, workers: contextlib.AsyncExitStack
) -> Recovery:
    await order_run.start_async(input_data=ORDER)
    await effects.until_under_way_ran(times=1)
    first.kill()
    await first.wait()
    before = effects.counts()
    console.print(f"[red]SIGKILL[/] to worker {first.pid} while {' and '.join(sorted(UNDER_WAY))}")
    second = await workers.enter_async_context(worker())
    console.print(f"Worker [bold]{second.pid}[/] started, calling [bold]restart()[/]")
    called = time.monotonic()
    restarted = asyncio.create_task(order_run.restart())
    await effects.until_under_way_ran(times=2)
    again_seconds = time.monotonic() - called
    result = await restarted
    return Recovery(result, before, again_seconds, time.monotonic() - called)


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


def show(order_run: Run[Shipment], recovery: Recovery, effects: Effects, server: DevServer) -> None:
    before, after = recovery.before, effects.counts()
    steps = {line["effect"]: line["step"] for line in effects.lines()}
    table = Table("Step", "What it did", "Before the kill", "In all")
    for effect, total in after.items():
        again = before[effect] > 0 and total > before[effect]
        table.add_row(steps[effect], effect, str(before[effect] or ""), f"[yellow]{total}[/]" if again else str(total))
    console.print(table)
    kept = sum(after[effect] == 1 for effect in before)
    console.print(
        f"Kept: {kept} finished steps. Run again: {len(before) - kept}, {recovery.again_seconds:.2f} s after the call; "
        f"over after {recovery.all_seconds:.2f} s."
    )
    console.print(f"Result: [green]{recovery.result.status}[/] {recovery.result.result}")
    address = f"{server.ui_url}/namespaces/{server.namespace}/workflows/{order_run.run_id}"
    console.print(f"In the Temporal UI: {address}", soft_wrap=True)


def check(recovery: Recovery, effects: Effects) -> None:
    """Check that the killed steps have run twice and all other steps exactly once."""
    wrong = [f"{effect}: {n} times" for effect, n in effects.counts().items() if n != 1 + (effect in UNDER_WAY)]
    result = recovery.result
    if result.status != "success" or result.result != SHIPMENT or wrong:
        raise MastraError(
            f"The demo failed. Status {result.status}, result {result.result}, ran too often: "
            f"{', '.join(wrong) or 'nothing'}."
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
