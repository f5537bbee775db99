"""Reading a run out of its recorded history alone: no worker has to answer.

The interpreter is deterministic and the graph is recorded, so replaying a history through the interpreter, without any
user code, gives the run's state exactly as its worker had it.
"""

from __future__ import annotations

from typing import Any

from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from mastra_temporal.execution.compiler import compile_workflow
from mastra_temporal.execution.temporal_workflow import MastraWorkflow
from mastra_temporal.tracing.recorded import recorded_ids
from mastra_temporal.wire import RunStatus, StartEnvelope, WorkflowResult

__all__ = ["recorded_result", "recorded_run", "recorded_status"]


async def recorded_result(client: Client, run_id: str) -> WorkflowResult[Any]:
    """The results of all steps that the history knows of, as far as the run came."""
    history = await client.get_workflow_handle(run_id).fetch_history()
    return (await replay(client, history)).snapshot().model_copy(update=recorded_ids(history))


async def recorded_status(client: Client, run_id: str) -> RunStatus:
    """The status of an open run."""
    return (await recorded_run(client, run_id)).status().status


async def recorded_run(client: Client, run_id: str, execution: str | None = None) -> MastraWorkflow:
    """The state of a run at the end of its history.

    Args:
        client: The client.
        run_id: The run.
        execution: The Temporal run id; by default that of the newest execution.
    """
    return await replay(client, await client.get_workflow_handle(run_id, run_id=execution).fetch_history())


async def replay(client: Client, history: WorkflowHistory) -> MastraWorkflow:
    """The workflow's state at the end of its history."""
    seen: list[MastraWorkflow] = []

    class Observed(MastraWorkflow):
        def __init__(self, envelope: StartEnvelope) -> None:
            super().__init__(envelope)
            seen.append(self)

    name = history.events[0].workflow_execution_started_event_attributes.workflow_type.name
    replayer = Replayer(
        workflows=[compile_workflow(name, name, base=Observed)],
        data_converter=client.data_converter,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return seen[0]
