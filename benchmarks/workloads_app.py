"""Our workflows of `benchmarks.workloads`, and a worker for all sides: ``python -m benchmarks.workloads_app``."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from temporalio import activity
from temporalio.worker import Worker

from mastra_temporal import Mastra, StepContext, Workflow, create_step, create_workflow

STEPS = [f"step_{number}" for number in range(1, 6)]
PARTS = [f"part_{number}" for number in range(1, 11)]
BRANCHES = ["negative", "zero", "positive"]
LARGE = 200
"""Items of the foreach, and turns of the loop."""
AT_ONCE = 10
"""Items of the foreach that run at the same time."""
TASK_QUEUE = "workloads"


class Item(BaseModel):
    """The data that each step passes to the next."""

    count: int
    name: str = "an item with a name of ordinary length"


async def one_more(item: Item) -> Item:
    """Return the item with its count increased by one. This is the body of every step."""
    return Item(count=item.count + 1, name=item.name)


async def ask(item: Item, ctx: StepContext) -> Any:
    """Suspend, and return the answer."""
    if ctx.resume_data is None:
        return await ctx.suspend({"count": item.count})
    return await one_more(Item.model_validate(ctx.resume_data))


def doubled(item: Item) -> Item:
    """Return the item with its count doubled. This is the body of every mapping."""
    return Item(count=item.count * 2, name=item.name)


def _step(name: str) -> Any:
    return create_step(id=name, execute=one_more, input_schema=Item, output_schema=Item)


def _flow(workflow_id: str) -> Any:
    return create_workflow(id=workflow_id, input_schema=Item)


def _sequential() -> Workflow[Any, Any, Any]:
    flow = _flow("sequential")
    for name in STEPS:
        flow = flow.then(_step(name))
    return flow.commit()


def _map() -> Workflow[Any, Any, Any]:
    flow = _flow("map").then(_step(STEPS[0]))
    for name in STEPS[1:3]:
        flow = flow.map(doubled).then(_step(name))
    return flow.commit()


def _branch() -> Workflow[Any, Any, Any]:
    conditions = lambda item: item.count < 0, lambda item: item.count == 0, lambda item: item.count > 0
    branches = [(condition, _step(name)) for condition, name in zip(conditions, BRANCHES, strict=True)]
    return _flow("branch").then(_step(STEPS[0])).branch(branches).commit()


OURS: dict[str, Workflow[Any, Any, Any]] = {
    "5 steps": _sequential(),
    "10 parallel": _flow("parallel").parallel([_step(name) for name in PARTS]).commit(),
    "branch of 3": _branch(),
    "map between steps": _map(),
    "suspend and resume": _flow("suspend")
    .then(create_step(id="ask", execute=ask, input_schema=Item))
    .then(_step(STEPS[2]))
    .commit(),
    f"foreach of {LARGE}": create_workflow(id="foreach", input_schema=list[Item])
    .foreach(_step(STEPS[0]), concurrency=AT_ONCE)
    .commit(),
    f"loop of {LARGE}": _flow("loop").dountil(_step(STEPS[0]), lambda item: item.count >= LARGE).commit(),
}
"""Our workflow of each workload."""
mastra = Mastra(workflows=list(OURS.values()), task_queue=TASK_QUEUE)


def _activity(name: str) -> Callable[..., Any]:
    @activity.defn(name=name)
    async def body(item: Item) -> Item:
        return await one_more(item)

    return body


async def work() -> None:
    """Run a worker for all sides until SIGTERM."""
    from benchmarks.workloads_by_hand import SANDBOXED, UNSANDBOXED  # it imports from here

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    activities = [_activity(name) for name in (*STEPS, *PARTS, *BRANCHES)]
    workflows = [*SANDBOXED.values(), *UNSANDBOXED.values()]
    async with Worker(await mastra.connect(), task_queue=TASK_QUEUE, workflows=workflows, activities=activities):
        await stop.wait()


if __name__ == "__main__":
    from benchmarks.workloads_app import work as work_of_the_module

    asyncio.run(work_of_the_module())
