"""Time travel of an open run: the run starts nothing more, and an activity starts its next execution.

The run decides between a time travel and a resume, because it receives both as updates. The first one wins, and the
validator refuses the other. From then on the result does not depend on the caller, which may crash: the activity is
retried until the next execution has started. That start terminates this execution.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from mastra_temporal._protocol.limits import sent_size
from mastra_temporal._protocol.names import ACTIVITY_START_NEXT_EXECUTION
from mastra_temporal._protocol.time_travel import NextExecution, TimeTravelUpdate
from mastra_temporal._tracing.headers import inbound
from mastra_temporal._worker.workflow.attempts import CRASH_RETRY
from mastra_temporal._worker.workflow.engine import Engine

__all__ = ["next_execution", "refusal", "start_next_execution"]


def refusal(request: TimeTravelUpdate, *, leaving: bool, over: bool, resume_count: int, status: str) -> str | None:
    """Return why a run cannot travel in time now, or None if it can.

    Args:
        request: The request, with the resume count that the caller has seen.
        leaving: Whether the run is already traveling.
        over: Whether the run has ended or is canceled.
        resume_count: How often the run has been resumed.
        status: The status of the run.
    """
    if leaving:
        return "Another caller has sent this run back in time before this time travel"
    if over:
        return "This workflow run has ended before this time travel"
    if request.resume_count != resume_count:
        return "This workflow run was resumed by another caller before this time travel"
    if status not in ("suspended", "waiting"):
        return "This workflow run is still running, cannot time travel"
    return None


def next_execution(request: TimeTravelUpdate) -> NextExecution:
    """Create the argument of the activity: the caller's request, and the tracing headers of its update."""
    came = inbound.get()
    header = came.header.model_dump(mode="json", by_alias=True, exclude_none=True)
    return NextExecution(request=request, header=header, context=came.context)


async def start_next_execution(engine: Engine, next_execution: NextExecution) -> None:
    """Run the activity that starts the next execution."""
    await engine.attempts.budget.take(sent_size(next_execution, next_execution.request.envelope.stored_from))
    await workflow.execute_activity(
        ACTIVITY_START_NEXT_EXECUTION,
        next_execution,
        summary="time travel",
        start_to_close_timeout=timedelta(seconds=10),
        retry_policy=CRASH_RETRY,
    )
