"""`check_history`: replays recorded runs against the code of an app before it is deployed.

A worker runs the workflow tasks of open runs on new code. Two things can go wrong, and both are found here. The new
version of this package may decide otherwise than the history says; then the workflow task fails. Or the app may lack a
step or function that an open run still needs; then the run waits for a worker that has it.
"""

from __future__ import annotations

from functools import cache

from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from mastra_temporal._client.replay import RecordedRun, failure_messages, replay_failure, replay_with
from mastra_temporal._client.streams.execution import CLOSED
from mastra_temporal._definition.missing import missing_code
from mastra_temporal._protocol.model import CamelModel
from mastra_temporal._tracing.headers import TracingHeader
from mastra_temporal._worker.activities.definitions import Definitions
from mastra_temporal.errors import MastraError
from mastra_temporal.mastra import Mastra
from mastra_temporal.plugin import MastraPlugin

__all__ = ["ReplayCheck", "check_history"]


class ReplayCheck(CamelModel):
    """What a replay of one history has shown."""

    run_id: str
    workflow_name: str
    problem: str | None = None
    """Why a worker with this code could not go on with the run. None if it could."""


async def check_history(
    mastra: Mastra, history: WorkflowHistory, converter: DataConverter | None = None
) -> ReplayCheck:
    """Replay a history against the code of a registry.

    Args:
        mastra: The registry.
        history: The history of a run, for example from ``WorkflowHistory.from_json``.
        converter: The data converter of the client that has read the history. Default: the one of `MastraPlugin`.
    """
    name = history.events[0].workflow_execution_started_event_attributes.workflow_type.name
    found = ReplayCheck(run_id=history.workflow_id, workflow_name=name)
    replayer = Replayer(
        workflows=[],
        plugins=[MastraPlugin(mastra)],
        workflow_runner=UnsandboxedWorkflowRunner(),
        runtime=_quiet_runtime(),
        data_converter=converter or DataConverter.default,
    )
    failure = await replay_failure(replayer, history)
    if failure is not None:
        found.problem = " ".join([*failure_messages(failure), failure][0].split())
    elif history.events[-1].event_type not in CLOSED:
        settings = replayer.config(active_config=True)
        found.problem = await _lacking(mastra, history, settings.get("data_converter") or DataConverter.default)
    return found


async def _lacking(mastra: Mastra, history: WorkflowHistory, converter: DataConverter) -> str | None:
    """Return what the app lacks for an open run, in words."""
    try:
        run = await replay_with(converter, history, lambda workflow: RecordedRun.of(workflow, TracingHeader()))
    except MastraError as error:
        return str(error)
    ended = {
        (scope.workflow_id, id)
        for scope in run.run.scopes.values()
        for id, result in scope.steps.items()
        if result.ended_at is not None
    }
    workflows = Definitions(workflow.definition for workflow in mastra.list_workflows().values()).workflows
    lacking = [] if run.graph is None else missing_code(workflows, run.graph, ended)
    return f"the code lacks {', '.join(lacking)}" if lacking else None


@cache
def _quiet_runtime() -> Runtime:
    """Return a runtime that does not log. The reason of a failed replay is returned instead."""
    return Runtime(telemetry=TelemetryConfig(logging=None))
