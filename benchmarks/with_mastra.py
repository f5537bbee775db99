"""The workflows of `benchmarks.overhead` that are built with this package."""

from __future__ import annotations

from typing import Any

from benchmarks.work import PARALLEL, SEQUENTIAL, Item, one_more
from mastra_temporal import Mastra, create_step, create_workflow

__all__ = ["mastra", "registry"]


def _step(name: str) -> Any:
    return create_step(id=name, execute=one_more, input_schema=Item, output_schema=Item)


def registry(task_queue: str) -> Mastra:
    """Return a registry with the workflows ``sequential`` and ``parallel`` for a task queue."""
    sequential = create_workflow(id="sequential", input_schema=Item, output_schema=Item)
    for name in SEQUENTIAL:
        sequential.then(_step(name))
    parallel = create_workflow(id="parallel", input_schema=Item).parallel([_step(name) for name in PARALLEL])
    return Mastra(workflows=[sequential.commit(), parallel.commit()], task_queue=task_queue)


mastra = registry("overhead")
