"""The graph in Mastra's JSON shape, and the callbacks of a workflow."""

from __future__ import annotations

from typing import Any, cast

from mastra_temporal._data.path import is_array, is_object
from mastra_temporal._definition.function import UserFunction
from mastra_temporal._definition.options import WorkflowOptions
from mastra_temporal._protocol.graph import CallbackName, WorkflowGraph

__all__ = ["callbacks_of", "public_graph"]


def callbacks_of(options: WorkflowOptions, owner: str) -> dict[CallbackName, UserFunction]:
    """Return the callbacks of a workflow by name.

    Raises:
        DefinitionError: A callback is not a function that takes a context.
    """
    given = {"on_start": options.on_start, "on_finish": options.on_finish, "on_error": options.on_error}
    return {
        cast("CallbackName", name): UserFunction.of(function, owner=f"{owner}, {name}")
        for name, function in given.items()
        if function is not None
    }


def public_graph(graph: WorkflowGraph) -> list[dict[str, Any]]:
    """Return the entries in the shape of Mastra's ``serializedStepGraph``, without the data for execution."""
    entries: list[dict[str, Any]] = graph.model_dump(by_alias=True, mode="json")["entries"]
    return _without_plans(entries)


def _without_plans(value: Any) -> Any:
    if is_object(value):
        if value.get("type") == "step" and "componentId" in value["step"]:
            return _component_entry(value["step"])
        return {key: _without_plans(item) for key, item in value.items() if key != "temporal"}
    if is_array(value):
        return [_without_plans(item) for item in value]
    return value


def _component_entry(step: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of an agent or tool, which Mastra shows with a type of its own."""
    kind = step["component"].lower()
    shown = {name: step[name] for name in ("description", "metadata") if name in step}
    return {"type": kind, "id": step["id"], f"{kind}Id": step["componentId"], **shown}
