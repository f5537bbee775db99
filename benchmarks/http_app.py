"""The application of `benchmarks.http`, with a route that reports the resources of its process, and a worker."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from mastra_temporal import Mastra, StepContext, create_workflow, run_worker, step
from mastra_temporal.server import create_app


@step(resume_schema=int)
async def ask(number: int, ctx: StepContext) -> int:
    return await ctx.suspend({"number": number}) if ctx.resume_data is None else number + ctx.resume_data


@step
async def double(number: int) -> int:
    return number * 2


asking = create_workflow(id="asking", input_schema=int, output_schema=int).then(ask).commit()
quick = create_workflow(id="quick", input_schema=int, output_schema=int).then(double).commit()
mastra = Mastra(workflows=[asking, quick], task_queue="http")
api = create_app(mastra, max_streams_per_client=10_000)


def mebibytes() -> int:
    """Return the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


async def held(request: Request) -> JSONResponse:
    """Return the process's numbers of tasks, streams and file descriptors, its memory, and its CPU time."""
    times = os.times()
    content: dict[str, Any] = {
        "tasks": len(asyncio.all_tasks()),
        "streams": api.state.streams.open,
        "files": len(os.listdir("/proc/self/fd")),
        "mebibytes": mebibytes(),
        "cpu": times.user + times.system,
    }
    return JSONResponse(content)


app = Starlette(routes=[Route("/held", held), Mount("/", api)])

if __name__ == "__main__":
    if sys.argv[1] == "worker":
        asyncio.run(run_worker(mastra))
    else:
        import uvicorn

        uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
