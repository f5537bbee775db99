"""Handlers that create, start, resume, restart, time travel and cancel runs."""

from __future__ import annotations

from typing import Any

from mastra_temporal import Run, RunNotActiveError
from mastra_temporal.server.answers import RunCreated, result_as_json
from mastra_temporal.server.errors import HttpError
from mastra_temporal.server.handlers.finding import context_of, existing_run, new_run, suspended_run
from mastra_temporal.server.handlers.streams import begun
from mastra_temporal.server.models import CreateRunBody, Message, RestartBody, ResumeBody, StartBody, TimeTravelBody
from mastra_temporal.server.route import Call

__all__ = [
    "cancel",
    "create_run",
    "restart",
    "restart_all",
    "restart_all_async",
    "restart_async",
    "resume",
    "resume_arguments",
    "resume_async",
    "resume_no_wait",
    "start",
    "start_async",
    "time_travel",
    "time_travel_arguments",
    "time_travel_async",
]

INACTIVE = ("pending", "suspended", "canceled", "paused")


async def create_run(call: Call) -> RunCreated:
    """Create a run without starting it."""
    body: CreateRunBody = call.body
    run = await new_run(call, call.query.run_id, body.resource_id)
    if run.status == "pending":
        call.created.add(run)
    return RunCreated(run_id=run.run_id)


async def start(call: Call) -> Message:
    """Start a created run and return at once. Errors such as a wrong input, which Mastra only logs, are answered."""
    run = await existing_run(call, call.query.run_id)
    await started(call, run)
    return Message(message="Workflow run started")


async def start_async(call: Call) -> dict[str, Any]:
    """Start a run and wait for its result. The run continues if the client disconnects."""
    body: StartBody = call.body
    run = await new_run(call, call.query.run_id, body.resource_id)
    await started(call, run)
    return result_as_json(await call.wait(run.join()))


async def started(call: Call, run: Run[Any]) -> None:
    """Start a run with the data of the request."""
    body: StartBody = call.body
    await run.start_async(
        input_data=body.input_data,
        initial_state=body.initial_state,
        request_context=context_of(call),
        per_step=body.per_step,
        tracing_options=body.tracing(),
    )
    call.created.forget(run.workflow_id, run.run_id)


def resume_arguments(call: Call) -> dict[str, Any]:
    """Return the arguments for `Run.resume`, `Run.resume_async` and `Run.resume_stream`."""
    body: ResumeBody = call.body
    return {
        "step": body.step or None,
        "resume_data": body.resume_data,
        "label": body.label,
        "for_each_index": body.for_each_index,
        "request_context": context_of(call),
        "per_step": body.per_step,
        "tracing_options": body.tracing(),
    }


async def resume(call: Call) -> Message:
    """Resume a run and return at once."""
    await (await suspended_run(call, call.query.run_id)).resume_async(**resume_arguments(call))
    return Message(message="Workflow run resumed")


async def resume_no_wait(call: Call) -> RunCreated:
    """Resume a run and return its id at once."""
    run = await suspended_run(call, call.query.run_id)
    return RunCreated(run_id=await run.resume_async(**resume_arguments(call)))


async def resume_async(call: Call) -> dict[str, Any]:
    """Resume a run and wait for its result."""
    run = await suspended_run(call, call.query.run_id)
    return result_as_json(await call.wait(run.resume(**resume_arguments(call))))


async def restart(call: Call) -> Message:
    """Restart a run that lost its worker, and return at once."""
    run = await existing_run(call, call.query.run_id)
    if await run.fetch_status() in INACTIVE:
        raise RunNotActiveError("This workflow run was not active")
    call.background.start(f"The restart of run `{run.run_id}`", run.restart(**_restart_arguments(call)))
    return Message(message="Workflow run restarted")


async def restart_async(call: Call) -> dict[str, Any]:
    """Restart a run that lost its worker, and wait for its result."""
    run = await existing_run(call, call.query.run_id)
    return result_as_json(await call.wait(run.restart(**_restart_arguments(call))))


def _restart_arguments(call: Call) -> dict[str, Any]:
    body: RestartBody = call.body
    return {"request_context": context_of(call), "tracing_options": body.tracing()}


async def restart_all(call: Call) -> Message:
    """Restart all runs of a workflow that lost their workers. Return when they make progress again."""
    await call.workflow.restart_all_active_workflow_runs()
    return Message(message="All active workflow runs restarted")


async def restart_all_async(call: Call) -> Message:
    """Restart all runs of a workflow that lost their workers, and wait for their results."""
    report = await call.workflow.restart_all_active_workflow_runs()
    await call.wait(report.wait())
    return Message(message="All active workflow runs restarted")


def time_travel_arguments(call: Call) -> dict[str, Any]:
    """Return the arguments for `Run.time_travel` and `Run.time_travel_stream`."""
    body: TimeTravelBody = call.body
    return {
        "step": body.step,
        "input_data": body.input_data,
        "context": body.context,
        "nested_steps_context": body.nested_steps_context,
        "resume_data": body.resume_data,
        "initial_state": body.initial_state,
        "request_context": context_of(call),
        "per_step": body.per_step,
        "tracing_options": body.tracing(),
    }


async def time_travel(call: Call) -> Message:
    """Run again from a step, and return when the run has begun to do so."""
    run = await travelling_run(call)
    output = run.time_travel_stream(**time_travel_arguments(call))
    try:
        await begun(output)
    finally:
        await output.aclose()
    return Message(message="Workflow run time travel started")


async def time_travel_async(call: Call) -> dict[str, Any]:
    """Run again from a step, and wait for the result."""
    run = await travelling_run(call)
    return result_as_json(await call.wait(run.time_travel(**time_travel_arguments(call))))


async def travelling_run(call: Call) -> Run[Any]:
    """Return a run that can time travel.

    Raises:
        HttpError: 409, the run is running.
    """
    run = await existing_run(call, call.query.run_id)
    if await run.fetch_status() == "running":
        raise HttpError(409, "This workflow run is still running, cannot time travel")
    return run


async def cancel(call: Call) -> Message:
    """Cancel a run. A run that has ended is not changed."""
    run = await existing_run(call, call.path["runId"])
    await run.cancel()
    return Message(message="Workflow run cancelled")
