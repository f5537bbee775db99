"""The workflows of `benchmarks.readers`, and a worker for them: ``python -m benchmarks.readers_app``."""

from __future__ import annotations

import asyncio
import signal
import time

from pydantic import BaseModel

from mastra_temporal import Mastra, StepContext, create_step, create_workflow, step
from mastra_temporal.testing import worker_for

PAUSE_SECONDS = 0.02
"""The pause between two chunks."""


class Turns(BaseModel):
    """The input of ``turning``, and what each turn passes to the next."""

    total: int
    done: int = 0


@step
async def write(chunks: int, ctx: StepContext) -> None:
    """Write chunks at a steady rate. Each is the time at which it is written."""
    for _ in range(chunks):
        await ctx.writer.write(time.time())
        await asyncio.sleep(PAUSE_SECONDS)


async def _turn(turns: Turns) -> Turns:
    return turns.model_copy(update={"done": turns.done + 1})


def _is_done(turns: Turns) -> bool:
    return turns.done >= turns.total


turn = create_step(id="turn", execute=_turn, input_schema=Turns, output_schema=Turns)
writing = create_workflow(id="writing", input_schema=int).then(write).commit()
turning = create_workflow(id="turning", input_schema=Turns).dountil(turn, _is_done).commit()
mastra = Mastra(workflows=[writing, turning], task_queue="readers")


async def work() -> None:
    """Run a worker until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with worker_for(mastra, await mastra.connect()):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(work())
