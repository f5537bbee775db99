"""Start arguments of an execution, including summary, details, memo and search attributes for the Temporal UI."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mastra_temporal._client.records.search_attributes import at_start
from mastra_temporal._definition.markdown import fingerprint, graph_table
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.names import MEMO_CONTINUED_FROM, MEMO_GRAPH, MEMO_RESOURCE, MEMO_RESUME_COUNT
from mastra_temporal._protocol.results import WorkflowResult
from mastra_temporal._protocol.start import StartEnvelope

__all__ = ["presentation", "start_options"]

MAX_SUMMARY = 200
"""Maximum length of the summary in characters. The server accepts 400 bytes."""


def start_options(
    workflow: WorkflowDefinition, envelope: StartEnvelope, run_id: str, task_queue: str
) -> dict[str, Any]:
    """Return the arguments of the Temporal call that starts an execution.

    Args:
        workflow: The workflow.
        envelope: The workflow's argument.
        run_id: The run, which is Temporal's workflow id.
        task_queue: The task queue.
    """
    return {
        "id": run_id,
        "task_queue": task_queue,
        "execution_timeout": workflow.options.execution_timeout,
        "result_type": WorkflowResult[Any],
        **presentation(workflow, envelope),
    }


def presentation(workflow: WorkflowDefinition, envelope: StartEnvelope) -> dict[str, Any]:
    """Return the start arguments that the Temporal UI shows: summary, details, memo and search attributes.

    Args:
        workflow: The workflow.
        envelope: The workflow's argument.
    """
    details, graph = _of(workflow)
    resource_id = envelope.resource_id
    memo = {
        MEMO_GRAPH: graph,
        MEMO_RESOURCE: resource_id,
        MEMO_CONTINUED_FROM: None if envelope.snapshot is None else envelope.snapshot.continued_from,
        MEMO_RESUME_COUNT: None if envelope.snapshot is None else envelope.snapshot.resume_count,
    }
    found_by = {"search_attributes": at_start(workflow.id, resource_id)} if envelope.search_attributes else {}
    return {
        "static_summary": (workflow.description or workflow.id)[:MAX_SUMMARY],
        "static_details": details,
        "memo": {key: value for key, value in memo.items() if value is not None},
        **found_by,
    }


@lru_cache(maxsize=256)
def _of(workflow: WorkflowDefinition) -> tuple[str, str]:
    """Return the table of a workflow's graph and the graph's fingerprint."""
    return graph_table(workflow.graph), fingerprint(workflow.graph)
