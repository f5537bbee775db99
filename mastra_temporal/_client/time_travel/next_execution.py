"""Time travel of an open run: the run itself starts its next execution, in an activity.

The caller sends an update. A concurrent resume is an update too, so the run accepts the first one and rejects the
other. After the run has accepted a time travel, it does nothing else. The activity is retried until the next execution
is started, even if the caller or a worker dies meanwhile.
"""

# pyright: reportUnknownMemberType=false
# Some of the SDK's overloads are not fully typed.

from __future__ import annotations

import asyncio
import uuid

from temporalio import activity
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.busy import unhurried
from mastra_temporal._client.presentation import start_options
from mastra_temporal._client.recovery.stuck import send_until_answered
from mastra_temporal._client.waiting import waiting
from mastra_temporal._definition.workflow_definition import find_workflow
from mastra_temporal._protocol.limits import size_error
from mastra_temporal._protocol.names import ACTIVITY_START_NEXT_EXECUTION, UPDATE_TIME_TRAVEL
from mastra_temporal._protocol.time_travel import NextExecution, TimeTravelUpdate
from mastra_temporal._tracing.client import CallHeaders, sending
from mastra_temporal._tracing.headers import TracingHeader
from mastra_temporal._worker.activities.definitions import Definitions
from mastra_temporal.errors import PayloadTooLargeError, TimeTravelConflictError

__all__ = ["NextExecutionStarter", "time_travel_open_run"]

SHORTEST_SECONDS, LONGEST_SECONDS = 0.02, 1.0
"""Minimum and maximum seconds between two looks for the next execution."""


async def time_travel_open_run(client: Client, seen: WorkflowExecutionDescription, request: TimeTravelUpdate) -> None:
    """Send a time travel to an open run and return when its next execution exists.

    Args:
        client: The client.
        seen: The execution for which the request was planned.
        request: The request.

    Raises:
        TimeTravelConflictError: Another caller was first: the run was resumed, canceled or time travelled. Nothing
            changed.
        PayloadTooLargeError: The snapshot for the next execution is too large.
    """
    too_large = size_error(request, f"What run `{seen.id}` would begin with", request.envelope.stored_from)
    if too_large is not None:
        raise PayloadTooLargeError(too_large["message"])
    # The first run id stays the same after continue-as-new and changes with time travel. Without it, the update could
    # reach an execution for which it was not planned.
    first = seen.raw_description.workflow_execution_info.first_run_id
    handle = client.get_workflow_handle(seen.id, first_execution_run_id=first)
    update_id = f"travel-{uuid.uuid4()}"
    try:
        async with waiting(client).turn(seen.id):
            await send_until_answered(lambda: handle.execute_update(UPDATE_TIME_TRAVEL, request, id=update_id))
    except WorkflowUpdateFailedError as error:
        raise TimeTravelConflictError(_said(error)) from None
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        # The execution has closed. If it had accepted our update and we missed the reply, the server still has the
        # outcome. Without this look, a time travel that succeeded would be reported as failed.
        asked = client.get_workflow_handle(seen.id, run_id=seen.run_id)
        try:
            await asked.get_update_handle(update_id, workflow_run_id=seen.run_id).result()
        except (RPCError, WorkflowUpdateFailedError):
            raise TimeTravelConflictError(
                f"Run `{seen.id}` has ended, or has travelled in time, before this time travel. Look at it again."
            ) from None
    pause = SHORTEST_SECONDS
    while True:
        now = await unhurried(client.get_workflow_handle(seen.id).describe)
        if now.raw_description.workflow_execution_info.first_run_id != first:
            return
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_SECONDS)


def _said(error: WorkflowUpdateFailedError) -> str:
    """Return the message with which the run rejected the update."""
    return error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)


class NextExecutionStarter:
    """The activity that starts the next execution."""

    def __init__(self, definitions: Definitions) -> None:
        """Create the activity for the workflows that are registered with the worker."""
        self._definitions = definitions

    @activity.defn(name=ACTIVITY_START_NEXT_EXECUTION)
    async def start(self, next_execution: NextExecution) -> None:
        """Start the next execution of this activity's run. The server terminates the current one.

        Args:
            next_execution: The accepted request and the tracing headers.
        """
        info, client, request = activity.info(), activity.client(), next_execution.request
        run_id = info.workflow_id or ""
        now = await client.get_workflow_handle(run_id).describe()
        if now.run_id != info.workflow_run_id or now.status != WorkflowExecutionStatus.RUNNING:
            return  # an earlier attempt has started the next execution; starting again would terminate that one
        workflow = find_workflow(self._definitions.workflows, request.workflow_id)
        headers = CallHeaders(TracingHeader.model_validate(next_execution.header), next_execution.context)
        with sending(headers):
            await client.start_workflow(
                workflow.id,
                request.envelope,
                **start_options(workflow, request.envelope, run_id, request.task_queue),
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
            )
        # A cancel may have reached the old execution before it was terminated. Without this, it would be lost.
        before = await client.get_workflow_handle(run_id, run_id=info.workflow_run_id).describe()
        if before.raw_description.workflow_extended_info.cancel_requested:
            await client.get_workflow_handle(run_id).cancel()
        # The execution that scheduled this activity is terminated, so a completion would be rejected and logged.
        activity.raise_complete_async()
