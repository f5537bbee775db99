"""Build the record of one run, including the steps of its nested workflows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from mastra_temporal._data.shown import shown
from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal._definition.serialize import public_graph
from mastra_temporal._protocol.graph import (
    Entry,
    NestedEntry,
    WorkflowGraph,
)
from mastra_temporal._protocol.keys import without_index, without_iteration
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._protocol.results import ErrorInfo, RunStatus, StepResult
from mastra_temporal._worker.workflow.scope import Inspection, RunState, Scope
from mastra_temporal.errors import RunError

__all__ = ["WorkflowState", "nested_state", "only", "root_state", "wanted_fields", "with_graph", "with_steps"]


class WorkflowState(CamelModel):
    """Record of one run. Returned by `Workflow.get_workflow_run_by_id`; Mastra's ``WorkflowState``.

    A field is None if it was not requested with ``fields`` or if the run does not have it.
    """

    run_id: str
    workflow_name: str
    resource_id: str | None = None
    created_at: datetime
    updated_at: datetime
    """Time of the last event of the run."""
    status: RunStatus
    is_from_in_memory: bool | None = None
    """Whether the run is not started and exists in this process only."""
    initial_state: dict[str, Any] | None = None
    """Current state of the workflow. The name is Mastra's."""
    result: Any = None
    """Output of a successful run, as JSON data."""
    error: ErrorInfo | None = None
    """Error of a failed run."""
    payload: Any = None
    """Validated input of the run, as JSON data."""
    steps: dict[str, StepResult] | None = None
    """All steps that have begun, by id. The id is ``parent.child`` for a step of a nested workflow, and
    ``parent[0].child`` if that workflow is in a foreach."""
    active_steps_path: dict[str, list[int]] | None = None
    """Running steps and sleeps, each with its position in the graph."""
    serialized_step_graph: list[dict[str, Any]] | None = None
    """The graph with which this run was started."""
    suspended_paths: dict[str, list[int]] | None = None
    """Suspended steps, each with its position in the graph."""
    resume_labels: dict[str, dict[str, Any]] | None = None
    """Targets of the labels at which the run can be resumed."""
    waiting_paths: dict[str, list[int]] | None = None
    """Always empty, as in Mastra."""
    request_context: dict[str, Any] | None = None
    """Request context of the run. Only included if requested with ``fields``."""


ALWAYS = {"run_id", "workflow_name", "resource_id", "created_at", "updated_at", "status", "is_from_in_memory"}
"""Fields that are always included."""
ON_REQUEST = {"request_context"}
"""Fields that are included only if requested by name."""


def wanted_fields(fields: Iterable[str] | None) -> set[str]:
    """Return the names of the fields to fill in.

    Args:
        fields: The requested fields, by Python or Mastra name. None or empty: all but `ON_REQUEST`.

    Raises:
        RunError: A requested field does not exist.
    """
    names = {name: name for name in WorkflowState.model_fields}
    names |= {field.alias: name for name, field in WorkflowState.model_fields.items() if field.alias}
    if fields is not None and (isinstance(fields, str) or not isinstance(fields, Iterable)):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check types
        raise RunError(f"`fields` is a list of names of fields, got {shown(fields)}.")
    wanted = list(fields or ())
    if not wanted:
        return set(names.values()) - ON_REQUEST
    for name in wanted:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check types
            raise RunError(f"`fields` is a list of names of fields, got {shown(name)} in it.")
        if name not in names:
            raise RunError(f"A run record has no field `{name}`.{did_you_mean(name, names)}")
    return ALWAYS | {names[name] for name in wanted}


def only(state: WorkflowState, fields: set[str]) -> WorkflowState:
    """Return the record with these fields only; all others are None."""
    return state.model_copy(update=dict.fromkeys(WorkflowState.model_fields.keys() - fields))


def root_state(inspection: Inspection, base: Mapping[str, Any], *, nested: bool) -> WorkflowState:
    """Return the record of the started workflow.

    Args:
        inspection: The state of the run.
        base: The fields that do not come from the replayed workflow.
        nested: Whether to include the steps of nested workflows.
    """
    run, scope, result = inspection.run, inspection.scope, inspection.result
    state = WorkflowState(
        status=inspection.status if result is None else result.status,
        result=None if result is None else result.result,
        error=None if result is None else result.error,
        resume_labels=inspection.resume_labels,
        resource_id=run.resource_id,
        request_context=run.request_context,
        **base,
    )
    return _filled(state, run, scope, inspection.graph, nested)


def nested_state(
    inspection: Inspection, workflow_id: str, base: Mapping[str, Any], *, nested: bool
) -> WorkflowState | None:
    """Return the record of a nested workflow, or None if it has not begun. It has the run id of its parent run.

    Args:
        inspection: The state of the parent run.
        workflow_id: The nested workflow.
        base: The fields that do not come from the replayed workflow.
        nested: Whether to include the steps of workflows nested in it.
    """
    run = inspection.run
    scopes = [scope for scope in run.scopes.values() if scope.workflow_id == workflow_id and scope.run_id == run.run_id]
    if not scopes or inspection.graph is None:
        return None
    scope = scopes[-1]
    container = _all_results(run.scopes[scope.path[:-1]])[without_iteration(scope.path[-1])]
    entries = _flow_of(inspection.graph.entries, workflow_id)
    state = WorkflowState(
        status=_nested_status(scope, container),
        result=container.output,
        error=container.error,
        resource_id=run.resource_id,
        request_context=run.request_context,
        **base,
    )
    return _filled(state, run, scope, WorkflowGraph(id=workflow_id, entries=entries), nested)


def _nested_status(scope: Scope, container: StepResult) -> RunStatus:
    """Return the status of a nested workflow, from the result of the step that contains it."""
    if container.status in ("bailed", "skipped"):
        return "success"
    sleeping = not scope.active and any(result.status == "waiting" for result in scope.steps.values())
    return "waiting" if sleeping and container.status == "running" else container.status


def _filled(
    state: WorkflowState, run: RunState, scope: Scope | None, graph: WorkflowGraph | None, nested: bool
) -> WorkflowState:
    """Fill in the graph, the steps and the data of a scope."""
    if graph is not None:
        with_graph(state, graph)
    if scope is None or graph is None:
        return with_steps(state, {}, None)
    state.initial_state = scope.state or None
    state.payload = scope.init_data
    with_steps(state, _all_results(scope), graph)
    if nested:
        state.steps = _with_nested(run, scope)
    return state


def with_graph(state: WorkflowState, graph: WorkflowGraph) -> None:
    """Fill in the graph."""
    state.serialized_step_graph = public_graph(graph)


def with_steps(state: WorkflowState, results: dict[str, StepResult], graph: WorkflowGraph | None) -> WorkflowState:
    """Fill in the workflow's own steps, and which of them are active or suspended."""
    places = {} if graph is None else dict(_places(graph.entries))
    state.steps, state.active_steps_path, state.suspended_paths, state.waiting_paths = results, {}, {}, {}
    for step_id, result in results.items():
        if result.status in ("running", "waiting"):
            state.active_steps_path[step_id] = places.get(step_id, [])
        elif result.status == "suspended":
            state.suspended_paths[step_id] = places.get(step_id, [])
    return state


def _all_results(scope: Scope) -> dict[str, StepResult]:
    """Return the results of a workflow's own steps, including running ones."""
    results = dict(scope.steps)
    for key, running in scope.active.items():
        step_id = without_index(key)
        if step_id == key:
            results[step_id] = running
        elif step_id not in results or results[step_id].status != "running":
            # The first running item of a foreach. Show the foreach, with all items as its payload.
            items = None if scope.progress is None else scope.progress.input_data
            results[step_id] = running.model_copy(update={"payload": items})
    return results


def _with_nested(run: RunState, scope: Scope) -> dict[str, StepResult]:
    """Return the results of a workflow's steps and of the steps of all workflows nested in it."""
    inside: dict[tuple[str, ...], dict[str, Scope]] = {}
    for path, child in run.scopes.items():
        if path:
            # Of a loop only the last iteration is shown; it replaces the previous ones.
            inside.setdefault(path[:-1], {})[without_iteration(path[-1])] = child
    return _flattened(scope, inside)


def _flattened(scope: Scope, inside: dict[tuple[str, ...], dict[str, Scope]]) -> dict[str, StepResult]:
    """Return the results of a scope's steps, each followed by those of the workflows nested in it.

    A nested workflow with a suspended step inside is shown as running.
    """
    children: dict[str, list[tuple[str, Scope]]] = {}
    for name, child in inside.get(scope.path, {}).items():
        children.setdefault(without_index(name), []).append((name, child))
    flat: dict[str, StepResult] = {}
    for step_id, result in _all_results(scope).items():
        flat[step_id] = result
        for name, child in children.get(step_id, ()):
            below = _flattened(child, inside)
            if result.status == "suspended" and any(each.status == "suspended" for each in below.values()):
                flat[step_id] = result.model_copy(update={"status": "running"})
            flat |= {f"{name}.{key}": each for key, each in below.items()}
    return flat


def _places(entries: list[Entry]) -> Iterable[tuple[str, list[int]]]:
    """Yield each step of a graph with its position: the entry's index, and the index within a block."""
    for position, entry in enumerate(entries):
        side_by_side = entry.type in ("parallel", "conditional")
        for index, result_id in enumerate(entry.result_ids):
            yield result_id, [position, index] if side_by_side else [position]


def _flow_of(entries: Iterable[Entry], workflow_id: str) -> list[Entry]:
    """Return the entries of a nested workflow at any depth of the graph."""
    nested = [body for entry in entries for body in entry.bodies if isinstance(body, NestedEntry)]
    for body in nested:
        if body.workflow_id == workflow_id:
            return body.serialized_step_flow
        if found := _flow_of(body.serialized_step_flow, workflow_id):
            return found
    return []
