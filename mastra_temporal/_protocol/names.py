"""Names that workflow, worker and client share. They are recorded in histories: a changed name breaks open runs."""

from __future__ import annotations

import re

__all__ = [
    "ACTIVITY_CALLBACK",
    "ACTIVITY_FUNCTION",
    "ACTIVITY_REQUEST_CANCEL",
    "ACTIVITY_START_NEXT_EXECUTION",
    "ACTIVITY_STILL_LOST",
    "ACTIVITY_VALIDATE",
    "FAILED_RUN",
    "FAILED_STEP",
    "INVALID_DATA",
    "MEMO_CONTINUED_FROM",
    "MEMO_GRAPH",
    "MEMO_PREFIX",
    "MEMO_RESOURCE",
    "MEMO_RESUME_COUNT",
    "MEMO_STATUS",
    "NOT_SUSPENDED",
    "OUTPUT_TOPIC",
    "QUERY_LOOKUP",
    "QUERY_STATUS",
    "QUERY_STREAM",
    "REFUSED_RUN",
    "RESUME_CLAIMED",
    "RUN_NOT_SUSPENDED",
    "SEARCH_RESOURCE",
    "SEARCH_STATUS",
    "SEARCH_WORKFLOW",
    "STEP_NOT_REGISTERED",
    "STREAM_TOPIC",
    "TIME_TRAVEL_REFUSED",
    "UPDATE_OUTCOME",
    "UPDATE_RESTART",
    "UPDATE_RESUME",
    "UPDATE_TIME_TRAVEL",
    "outcome_update_id",
    "resume_claimed",
    "step_activity",
    "typescript_workflow_type",
]

ACTIVITY_CALLBACK = "mastra.callback"
ACTIVITY_START_NEXT_EXECUTION = "mastra.depart"
ACTIVITY_VALIDATE = "mastra.validate"
ACTIVITY_FUNCTION = "mastra.function"
ACTIVITY_REQUEST_CANCEL = "mastra.request_cancel"
ACTIVITY_STILL_LOST = "mastra.still_lost"

STREAM_TOPIC = "events"
"""The topic of a run's stream for the events of the engine."""
OUTPUT_TOPIC = "output"
"""The topic of a run's stream for the chunks that steps write."""

MEMO_PREFIX = "mastra"
"""The beginning of the keys of all our entries in a memo."""
MEMO_CONTINUED_FROM = "mastraContinuedFrom"
"""The run ID of the execution from which this one continues after a time travel."""
MEMO_GRAPH = "mastraGraph"
"""The fingerprint of the graph that the run follows."""
MEMO_RESOURCE = "mastraResourceId"
MEMO_RESUME_COUNT = "mastraResumeCount"
"""How often the run has been resumed."""
MEMO_STATUS = "mastraStatus"
"""The status of a run where Temporal has no status of its own: suspended, paused, tripwire."""

SEARCH_RESOURCE = "MastraResource"
SEARCH_STATUS = "MastraStatus"
SEARCH_WORKFLOW = "MastraWorkflow"

QUERY_LOOKUP = "mastra_lookup"
QUERY_STATUS = "mastra_status"
QUERY_STREAM = "mastra_stream"
UPDATE_OUTCOME = "mastra_outcome"
UPDATE_RESTART = "mastra_restart"
UPDATE_RESUME = "mastra_resume"
UPDATE_TIME_TRAVEL = "mastra_travel"

FAILED_STEP = "MastraStepFailed"
"""Type of the ``ApplicationError`` of a failed step. Its detail is a `StepFailure`."""
STEP_NOT_REGISTERED = "StepNotRegistered"
"""The type of the error of a step that the worker does not have."""
FAILED_RUN = "MastraRunFailed"
"""Type of the ``ApplicationError`` of a failed run. Its details are a `WorkflowResult` and a `FailedStep`."""
NOT_SUSPENDED = "This workflow run was not suspended"
RUN_NOT_SUSPENDED = "MastraRunNotSuspended"
"""Type of the ``ApplicationError`` that refuses a resume."""
RESUME_CLAIMED = "MastraResumeClaimed"
"""Type of the ``ApplicationError`` that refuses the second resume of one suspension."""
TIME_TRAVEL_REFUSED = "MastraTravelRefused"
"""Type of the ``ApplicationError`` that refuses a time travel."""
INVALID_DATA = "MastraInvalidData"
"""Type of the ``ApplicationError`` for data that do not match their schema. Its detail is a `DataProblem`."""
REFUSED_RUN = "MastraRunRefused"
"""Type of the ``ApplicationError`` of a run whose ``on_start`` raised or whose input is invalid. Its detail is that
error."""


def step_activity(workflow_id: str, step_id: str) -> str:
    """Return the activity type of a step."""
    return f"{workflow_id}.{step_id}"


def outcome_update_id(resume_count: int) -> str:
    """Return the ID of the update that all waiters share until the ``resume_count + 1``-th resume of the run."""
    return f"outcome-{resume_count}"


def resume_claimed(workflow_id: str, run_id: str, status: str) -> str:
    """Return the error message for a caller that resumes a suspension which another caller has resumed."""
    return (
        "This suspended workflow run was already resumed by another caller. "
        f'Workflow "{workflow_id}" run "{run_id}" moved from "suspended" to "{status}" before this resume could claim '
        "it. Only one resume() call may continue a given suspension; re-read the run state before resuming again."
    )


def typescript_workflow_type(workflow_id: str) -> str:
    """Return the workflow type that Mastra's TypeScript package uses: weather-workflow becomes weatherWorkflow."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", workflow_id) if word]
    camel = "".join(word if index == 0 else word[0].upper() + word[1:] for index, word in enumerate(words))
    return camel if camel.lower().endswith("workflow") else f"{camel}Workflow"
