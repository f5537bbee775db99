"""`missing_code`: the steps and functions that a recorded graph needs and an app no longer has."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.graph import (
    ConditionalEntry,
    Entry,
    ForeachEntry,
    FunctionRef,
    LoopEntry,
    MappingEntry,
    NestedEntry,
    SleepEntry,
    SleepUntilEntry,
    WorkflowGraph,
)

__all__ = ["missing_code"]


def missing_code(
    workflows: Mapping[str, WorkflowDefinition], graph: WorkflowGraph, ended: Container[tuple[str, str]]
) -> list[str]:
    """Return what an open run needs and these workflows do not have, in words. A worker would wait for it.

    Args:
        workflows: The workflows of the app by id, with the nested ones.
        graph: The graph that the run recorded.
        ended: The steps, mappings and sleeps that have ended, each as workflow id and id. They are not needed any more.
    """
    return list(dict.fromkeys(_missing(workflows, graph.id, graph.entries, ended)))


def _missing(
    workflows: Mapping[str, WorkflowDefinition],
    workflow_id: str,
    entries: Iterable[Entry],
    ended: Container[tuple[str, str]],
) -> Iterator[str]:
    workflow = workflows.get(workflow_id)
    if workflow is None:
        yield f"workflow `{workflow_id}`"
        return
    for entry in entries:
        if all((workflow_id, id) in ended for id in entry.result_ids):
            continue
        for reference in _functions(entry):
            if workflow.functions.find(reference) is None:
                yield f"function `{reference.id}` of workflow `{workflow_id}`"
        for body in entry.bodies:
            if (workflow_id, body.body_id) in ended:
                continue
            if isinstance(body, NestedEntry):
                yield from _missing(workflows, body.workflow_id, body.serialized_step_flow, ended)
            elif body.step.id not in workflow.steps:
                yield f"step `{body.step.id}` of workflow `{workflow_id}`"


def _functions(entry: Entry) -> list[FunctionRef]:
    """Return the functions that an entry calls."""
    match entry:
        case ConditionalEntry():
            found = [condition.function for condition in entry.serialized_conditions]
        case LoopEntry():
            found = [entry.serialized_condition.function]
        case ForeachEntry():
            found = [entry.opts.function]
        case MappingEntry():
            found = [entry.plan.function, *(source.fn for source in entry.plan.sources.values())]
        case SleepEntry() | SleepUntilEntry():
            found = [entry.function]
        case _:
            found = []
    return [reference for reference in found if reference is not None]
