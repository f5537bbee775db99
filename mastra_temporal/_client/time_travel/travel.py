"""`Run.time_travel`: read the recorded state, plan the next execution, and start it."""

from __future__ import annotations

import time
from typing import Any

from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from mastra_temporal._client.arguments import TimeTravelOptions
from mastra_temporal._client.busy import unhurried
from mastra_temporal._client.handle import RunHandle
from mastra_temporal._client.records.open_status import open_status
from mastra_temporal._client.recovery.queues import warning_when_unattended
from mastra_temporal._client.replay import RecordedRun, recorded_run
from mastra_temporal._client.step_path import StepPath, path_of
from mastra_temporal._client.time_travel.next_execution import time_travel_open_run
from mastra_temporal._client.time_travel.plan import TimeTravelRequest, plan_time_travel, step_contexts
from mastra_temporal._data.gate import json_object, to_json
from mastra_temporal._definition.validation import validate_resume_data, validate_step_input
from mastra_temporal._protocol.limits import stored_from
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._protocol.time_travel import TimeTravelUpdate
from mastra_temporal.errors import TimeTravelConflictError, TimeTravelError

__all__ = ["time_travel", "time_travel_request"]


def time_travel_request(run: RunHandle, step: StepPath, options: TimeTravelOptions) -> TimeTravelRequest:
    """Validate the arguments of a time travel and build the request.

    Args:
        run: The run.
        step: The target step.
        options: The caller's further arguments.

    Returns:
        The request.

    Raises:
        TimeTravelError: No step is given.
        SchemaValidationError: The data do not match the step's schema.
        SerializationError: An argument cannot be written as JSON.
    """
    target: list[str] = to_json(path_of(step), what=f"`step` of {run.label}") if step else []
    if not target or not all(target):
        raise TimeTravelError("Step is required and must be a valid step or array of steps")
    nested = options.get("nested_steps_context")
    return TimeTravelRequest(
        target=target,
        now=round(time.time() * 1000),
        run_id=run.run_id,
        input_data=validate_step_input(run.workflow, target, options.get("input_data")),
        resume_data=validate_resume_data(run.workflow, target, options.get("resume_data")),
        initial_state=_state(run, options.get("initial_state")),
        context=step_contexts(options.get("context"), what=f"`context` of {run.label}"),
        nested_contexts={
            name: step_contexts(steps, what=f"`nested_steps_context` of {run.label}, `{name}`")
            for name, steps in json_object(nested, what=f"`nested_steps_context` of {run.label}").items()
        },
    )


def _state(run: RunHandle, given: Any) -> dict[str, Any] | None:
    return None if given is None else json_object(given, what=f"The initial state of {run.label}")


async def time_travel(
    run: RunHandle,
    seen: WorkflowExecutionDescription | None,
    request: TimeTravelRequest,
    *,
    request_context: dict[str, Any],
    per_step: bool,
) -> int:
    """Start a new execution of a run that begins at the target step.

    Args:
        run: The run.
        seen: Temporal's description of the run. None if it was never started.
        request: The target step and the data.
        request_context: Values that override the recorded ones.
        per_step: Stop after the first entry.

    Returns:
        The resume count of the new execution, which `wait_for_outcome` needs.

    Raises:
        TimeTravelError: The step cannot be reached. Nothing changed.
        TimeTravelConflictError: The run is running, or another caller was first. Nothing changed.
    """
    recorded = None
    if seen is not None:
        if seen.status == WorkflowExecutionStatus.RUNNING and await open_status(seen) == "running":
            raise TimeTravelConflictError("This workflow run is still running, cannot time travel")
        recorded = await recorded_run(run.client, run.run_id, seen.run_id)
    scopes = {} if recorded is None else recorded.run.scopes
    snapshot = plan_time_travel(request, run.workflow.graph.entries, scopes)
    # Waiters are shared by run id and resume count. If the count started at 0 again, a waiter on the new execution
    # could get the outcome of an earlier one.
    resume_count = 0 if recorded is None else recorded.resume_count + 1
    known = None if recorded is None else recorded.run
    envelope = StartEnvelope(
        input_data=snapshot.scope.init_data,
        request_context={**({} if known is None else known.request_context), **request_context} or None,
        run_id=run.run_id,
        resource_id=run.resource_id if known is None else known.resource_id,
        per_step=per_step or None,
        graph=run.workflow.graph,
        search_attributes=run.session.has_search_attributes or None,
        stored_from=stored_from(run.client.data_converter),
        snapshot=snapshot.model_copy(
            update={
                "continued_from": None if seen is None else seen.run_id,
                "resume_count": resume_count,
                "first_resume_count": resume_count,
            }
        ),
    )
    if seen is not None and recorded is not None and seen.status == WorkflowExecutionStatus.RUNNING:
        await _through_the_run(run, seen, recorded, envelope)
    else:
        await _start(run, envelope)
    return resume_count


async def _through_the_run(
    run: RunHandle, seen: WorkflowExecutionDescription, recorded: RecordedRun, envelope: StartEnvelope
) -> None:
    """Ask the open run to start its next execution. The run decides whether this or a concurrent resume comes first."""
    request = TimeTravelUpdate(
        resume_count=recorded.resume_count,
        workflow_id=run.workflow.id,
        task_queue=run.session.task_queue,
        envelope=envelope,
    )
    async with warning_when_unattended(run.client, run.run_id, what="time travel"):
        await time_travel_open_run(run.client, seen, request)


async def _start(run: RunHandle, envelope: StartEnvelope) -> None:
    """Start the next execution of a run that is closed or was never started."""
    options: dict[str, Any] = {
        **run.start_options(envelope),
        "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        "id_conflict_policy": WorkflowIDConflictPolicy.FAIL,
    }
    try:
        await unhurried(lambda: run.client.start_workflow(run.workflow.id, envelope, **options))
    except WorkflowAlreadyStartedError:
        raise TimeTravelConflictError(
            f"Another caller has started {run.label} before this time travel. Look at it again."
        ) from None
