"""The metrics of runs, recorded by the meter of the SDK. That meter ignores replays, so nothing is counted twice.

The ``Runtime`` of the worker exports them (Prometheus or OpenTelemetry) together with Temporal's own metrics, with the
labels ``namespace``, ``task_queue`` and ``workflow_type``. Times are in seconds.
"""

from __future__ import annotations

from temporalio import workflow

from mastra_temporal._protocol.results import RunStatus, StepResult

__all__ = ["count_restart", "count_run", "measure_step", "measure_suspension"]


def count_run(workflow_id: str, status: RunStatus) -> None:
    """Count a run that ended or is suspended."""
    counter = workflow.metric_meter().create_counter("mastra_runs", "Ends and suspensions of runs, by status")
    counter.add(1, {"workflow_id": workflow_id, "status": status})


def measure_step(workflow_id: str, step_id: str, result: StepResult) -> None:
    """Record the duration of a step that ended or is suspended: from its scheduling, retries included."""
    # Workflow times, not the clock of the worker: the replaying worker that records this may have begun much later.
    ended = result.suspended_at if result.status == "suspended" else result.ended_at
    if ended is None:
        return
    began = result.resumed_at if result.resumed_at is not None else result.started_at
    histogram = workflow.metric_meter().create_histogram_float(
        "mastra_step_duration", "Time from the scheduling of a step to its result", "seconds"
    )
    labels = {"workflow_id": workflow_id, "step_id": step_id, "status": result.status}
    histogram.record((ended - began) / 1000, labels)


def count_restart(workflow_id: str, steps: int) -> None:
    """Count a restart that scheduled steps again."""
    if steps:
        workflow.metric_meter().create_counter("mastra_restarts", "Restarts that scheduled steps again").add(
            1, {"workflow_id": workflow_id}
        )


def measure_suspension(workflow_id: str, milliseconds: int) -> None:
    """Record how long a run was suspended."""
    histogram = workflow.metric_meter().create_histogram_float(
        "mastra_run_suspended_time", "Time from a suspension to its resume", "seconds"
    )
    histogram.record(milliseconds / 1000, {"workflow_id": workflow_id})
