"""The table of all routes, from which the application and its OpenAPI document are built."""

from __future__ import annotations

from typing import Any

from mastra_temporal import WorkflowState
from mastra_temporal.server import answers, models
from mastra_temporal.server.handlers import actions, records, schedules, streaming, workflows
from mastra_temporal.server.handlers.empty import EMPTY
from mastra_temporal.server.route import Route

__all__ = ["ROUTES"]

Result = dict[str, Any]
WORKFLOW = "/workflows/{workflowId}"
RUN = f"{WORKFLOW}/runs/{{runId}}"
SCHEDULE = "/schedules/{scheduleId}"


def _workflow(method: Any, path: str, handler: Any, summary: str, response: Any, **settings: Any) -> Route:
    return Route(method, path, handler, summary, "Workflows", response, **settings)


def _action(name: str, handler: Any, summary: str, response: Any, body: Any, **settings: Any) -> Route:
    """Return the route of an action on the run that ``runId`` in the query names."""
    settings = {"query": models.RunQuery, **settings}
    return _workflow("POST", f"{WORKFLOW}/{name}", handler, summary, response, body=body, **settings)


def _stream(name: str, handler: Any, summary: str, body: Any, **settings: Any) -> Route:
    return _action(name, handler, summary, answers.StreamedEvent, body, is_stream=True, **settings)


def _schedule(method: Any, path: str, handler: Any, summary: str, response: Any, **settings: Any) -> Route:
    return Route(method, path, handler, summary, "Schedules", response, **settings)


ROUTES: list[Route] = [
    _workflow(
        "GET",
        "/workflows",
        workflows.list_workflows,
        "List workflows",
        dict[str, answers.WorkflowInfo],
        query=models.WorkflowsQuery,
    ),
    _workflow("GET", "/workflows/run-counts", workflows.count_runs, "Count open runs", dict[str, answers.RunCounts]),
    _workflow("GET", WORKFLOW, workflows.get_workflow, "Describe a workflow", answers.WorkflowInfo),
    _workflow("GET", f"{WORKFLOW}/runs", records.list_runs, "List runs", answers.ListedRuns, query=models.RunsQuery),
    _workflow("GET", RUN, records.get_run, "Read a run", WorkflowState, query=models.RecordQuery),
    _workflow("DELETE", RUN, records.delete_run, "Delete a run", models.Message),
    _workflow("POST", f"{RUN}/cancel", actions.cancel, "Cancel a run", models.Message),
    _action(
        "create-run",
        actions.create_run,
        "Make a run",
        answers.RunCreated,
        models.CreateRunBody,
        query=models.OptionalRunQuery,
    ),
    _action("start", actions.start, "Start a run", models.Message, models.StartBody),
    _action(
        "start-async",
        actions.start_async,
        "Start a run and wait for its result",
        Result,
        models.StartBody,
        query=models.OptionalRunQuery,
    ),
    _stream("stream", streaming.stream, "Start a run and read its events", models.StreamBody),
    _stream("observe", streaming.observe, "Read the events of a run", None, query=models.ObserveQuery),
    _action("resume", actions.resume, "Resume a run", models.Message, models.ResumeBody),
    _action("resume-no-wait", actions.resume_no_wait, "Resume a run", answers.RunCreated, models.ResumeBody),
    _action("resume-async", actions.resume_async, "Resume a run and wait for its result", Result, models.ResumeBody),
    _stream("resume-stream", streaming.resume_stream, "Resume a run and read its events", models.ResumeBody),
    _action("restart", actions.restart, "Restart a run that lost its worker", models.Message, models.RestartBody),
    _action(
        "restart-async",
        actions.restart_async,
        "Restart a run that lost its worker and wait for its result",
        Result,
        models.RestartBody,
    ),
    _workflow(
        "POST",
        f"{WORKFLOW}/restart-all-active-workflow-runs",
        actions.restart_all,
        "Restart all runs that lost their workers",
        models.Message,
    ),
    _workflow(
        "POST",
        f"{WORKFLOW}/restart-all-active-workflow-runs-async",
        actions.restart_all_async,
        "Restart all runs that lost their workers and wait for their results",
        models.Message,
    ),
    _action("time-travel", actions.time_travel, "Run again from a step", models.Message, models.TimeTravelBody),
    _action(
        "time-travel-async",
        actions.time_travel_async,
        "Run again from a step and wait for the result",
        Result,
        models.TimeTravelBody,
    ),
    _stream(
        "time-travel-stream",
        streaming.time_travel_stream,
        "Run again from a step and read the events",
        models.TimeTravelBody,
    ),
    _schedule(
        "GET",
        "/schedules",
        schedules.list_schedules,
        "List schedules",
        answers.ScheduleList,
        query=models.SchedulesQuery,
    ),
    _schedule(
        "POST",
        "/schedules",
        schedules.create_schedule,
        "Make a schedule",
        answers.ScheduleView,
        body=models.CreateScheduleBody,
    ),
    _schedule("GET", SCHEDULE, schedules.get_schedule, "Read a schedule", answers.ScheduleView),
    _schedule(
        "PATCH",
        SCHEDULE,
        schedules.update_schedule,
        "Change a schedule",
        answers.ScheduleView,
        body=models.UpdateScheduleBody,
    ),
    _schedule("DELETE", SCHEDULE, schedules.delete_schedule, "Delete a schedule", models.Message),
    _schedule("POST", f"{SCHEDULE}/pause", schedules.pause_schedule, "Pause a schedule", answers.ScheduleView),
    _schedule("POST", f"{SCHEDULE}/resume", schedules.resume_schedule, "Resume a schedule", answers.ScheduleView),
    _schedule("POST", f"{SCHEDULE}/run", schedules.run_schedule, "Start a run now", answers.ScheduleFired),
    _schedule(
        "GET",
        f"{SCHEDULE}/triggers",
        schedules.list_triggers,
        "List the runs of a schedule",
        answers.ScheduleTriggers,
        query=models.TriggersQuery,
    ),
    *EMPTY,
]
