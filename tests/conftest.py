"""What all tests share. The server, clients and task queues come from the plugin that users get."""

from collections.abc import AsyncGenerator
from datetime import datetime, timezone

import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent, WorkflowTaskFailedEventAttributes
from temporalio.client import Client

pytest_plugins = ["mastra_temporal.testing"]


@pytest.fixture
async def mastra_client(mastra_client: Client, request: pytest.FixtureRequest) -> AsyncGenerator[Client]:
    """The plugin's client; afterwards no run that the test started may have had a failed workflow task.

    A test that makes them fail on purpose is marked ``failed_workflow_tasks``.
    """
    started = datetime.now(timezone.utc)
    yield mastra_client
    if not request.node.get_closest_marker("failed_workflow_tasks"):
        assert not await failed_workflow_tasks(mastra_client, since=started)


async def failed_workflow_tasks(client: Client, *, since: datetime) -> list[str]:
    """What the failed workflow tasks say of all runs that were started since then.

    Temporal retries such a task for ever: the run seems merely slow, and would be stuck in production.
    """
    return [
        f"{run.id}: {_why(event.workflow_task_failed_event_attributes)}"
        async for run in client.list_workflows(f"StartTime >= '{since.isoformat()}'")
        async for event in client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED and not _is_of_the_server(event)
    ]


def _why(failed: WorkflowTaskFailedEventAttributes) -> str:
    return f"{WorkflowTaskFailedCause.Name(failed.cause)} {failed.failure.message}"


def _is_of_the_server(event: HistoryEvent) -> bool:
    """Whether the server ended the task as part of its work, to try it again at once.

    A reset, a message that came with the last command, or more results in the meantime than it holds back.
    """
    return event.workflow_task_failed_event_attributes.cause in {
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
    }
