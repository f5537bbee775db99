"""Our side of `benchmarks.overhead`."""

from benchmarks.work import PARALLEL, SEQUENTIAL, Item, one_more
from mastra_temporal import Mastra, create_step, create_workflow

__all__ = ["mastra", "parallel", "sequential"]


def _step(name: str):
    return create_step(id=name, execute=one_more, input_schema=Item, output_schema=Item)


sequential = create_workflow(id="sequential", input_schema=Item, output_schema=Item)
for name in SEQUENTIAL:
    sequential.then(_step(name))
sequential.commit()

parallel = create_workflow(id="parallel", input_schema=Item).parallel([_step(name) for name in PARALLEL]).commit()

mastra = Mastra(workflows=[sequential, parallel], task_queue="overhead")
