"""An open run that travels in time: it does nothing any more, and an activity starts its next execution.

The run itself decides between a time travel and a resume, because it gets both as updates: the first one wins, and the
validator refuses the other. After that the outcome does not depend on the caller any more. The activity is retried
until the next execution is there; its start terminates this one.
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
    """Say why a run cannot travel in time now; None when it can.

    Args:
        request: What the caller has seen of the run.
        leaving: Whether the run travels already.
        over: Whether it has ended, or is canceled.
        resume_count: How often it has been resumed.
        status: Its status.
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
    """Put together what the activity is told: the caller's request, and the headers that came with it."""
    came = inbound.get()
    header = came.header.model_dump(mode="json", by_alias=True, exclude_none=True)
    return NextExecution(request=request, header=header, context=came.context)


async def start_next_execution(engine: Engine, next_execution: NextExecution) -> None:
    """Have the next execution started."""
    await engine.attempts.budget.take(sent_size(next_execution, next_execution.request.envelope.stored_from))
    await workflow.execute_activity(
        ACTIVITY_START_NEXT_EXECUTION,
        next_execution,
        summary="time travel",
        start_to_close_timeout=timedelta(seconds=10),
        retry_policy=CRASH_RETRY,
    )
