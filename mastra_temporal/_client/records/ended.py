"""Build the record of an ended run from its result, without reading and replaying its history.

The result has all that a record shows, with three exceptions, for which the history is read: the steps of nested
workflows, the request context, and an input that the result leaves out and that the results before it do not tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus

from mastra_temporal._client.outcome import ending
from mastra_temporal._client.records.description import started_with
from mastra_temporal._client.records.state import WorkflowState, with_graph, with_steps
from mastra_temporal._protocol.graph import Entry, NestedEntry
from mastra_temporal._protocol.results import StepResult, WorkflowResult
from mastra_temporal.errors import RunRefusedError

__all__ = ["state_from_result"]

ENDED_BY_ITSELF = (WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.FAILED)
"""Statuses of executions that have a result."""
STEP_FIELDS = {"steps", "active_steps_path", "suspended_paths", "waiting_paths"}
"""Fields of a record for which the steps are needed."""
ONE_AFTER_THE_OTHER = ("step", "mapping", "sleep", "sleepUntil")
"""Types of entries that have one result."""


async def state_from_result(
    client: Client,
    description: WorkflowExecutionDescription,
    base: Mapping[str, Any],
    wanted: set[str],
    *,
    nested: bool,
) -> WorkflowState | None:
    """Return the record of an ended run, or None if the history is needed for it.

    Args:
        client: The client.
        description: Temporal's description of the run.
        base: The fields that do not come from the workflow.
        wanted: The fields to fill in. Others may be filled in, too.
        nested: Whether to include the steps of nested workflows.
    """
    if description.status not in ENDED_BY_ITSELF or "request_context" in wanted:
        return None
    handle = client.get_workflow_handle(description.id, run_id=description.run_id, result_type=WorkflowResult[Any])
    try:
        result = await ending(handle)
    except RunRefusedError:
        return None
    envelope = await started_with(handle, client)
    if not isinstance(result, WorkflowResult) or result.compacted or envelope.graph is None:
        return None
    state = WorkflowState(
        status=result.status,
        result=result.result,
        error=result.error,
        resource_id=envelope.resource_id,
        initial_state=result.state or None,
        payload=result.input,
        resume_labels={},
        **base,
    )
    with_graph(state, envelope.graph)
    if not wanted & STEP_FIELDS:
        return state
    entries = envelope.graph.entries
    # A time travel records steps that it skips, and a result leaves them out.
    traveled = envelope.snapshot is not None and envelope.snapshot.continued_from is not None
    steps = None if traveled or not _has_all_steps(result, entries, nested=nested) else _with_inputs(result, entries)
    return None if steps is None else with_steps(state, steps, envelope.graph)


def _has_all_steps(result: WorkflowResult[Any], entries: list[Entry], *, nested: bool) -> bool:
    """Return whether a result has all steps that a record shows."""
    if nested and any(isinstance(body, NestedEntry) for entry in entries for body in entry.bodies):
        return False
    # A failed run may have ended while other steps of a block were open. A result leaves those out.
    return result.status == "success" or all(entry.type in ONE_AFTER_THE_OTHER for entry in entries)


def _with_inputs(result: WorkflowResult[Any], entries: list[Entry]) -> dict[str, StepResult] | None:
    """Return the steps with the inputs that the result leaves out because they equal the output of the step before.

    Returns:
        The steps, or None if an input cannot be told.
    """
    steps, before, is_known = dict(result.steps), result.input, True
    for entry in entries:
        for step_id in entry.result_ids:
            step = steps.get(step_id)
            if step is None or step.payload is not None or step.output is None:
                continue
            if not is_known or (entry.type == "loop" and before is not None):
                return None  # None may be its input, or it may be left out
            steps[step_id] = step.model_copy(update={"payload": before})
        is_known = len(entry.result_ids) == 1 and entry.type not in ("parallel", "conditional")
        last = steps.get(entry.result_ids[0]) if is_known else None
        before = None if last is None else last.output
    return steps
