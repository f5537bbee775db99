"""What a run carries from its start on for those who look at it in the Temporal UI."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mastra_temporal._client.records.search_attributes import at_start
from mastra_temporal._definition.markdown import fingerprint, outline
from mastra_temporal._protocol.names import MEMO_CONTINUED_FROM, MEMO_GENERATION, MEMO_GRAPH, MEMO_RESOURCE
from mastra_temporal._protocol.results import WorkflowResult
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal.workflow import Workflow

__all__ = ["presentation", "start_options"]

MAX_SUMMARY = 200
"""Characters: the server takes 400 bytes."""


def start_options(
    workflow: Workflow[Any, Any, Any], envelope: StartEnvelope, run_id: str, task_queue: str
) -> dict[str, Any]:
    """Arguments for the start of an execution."""
    return {
        "id": run_id,
        "task_queue": task_queue,
        "execution_timeout": workflow.options.execution_timeout,
        "result_type": WorkflowResult[Any],
        **presentation(workflow, envelope),
    }


def presentation(workflow: Workflow[Any, Any, Any], envelope: StartEnvelope) -> dict[str, Any]:
    """Arguments for the start of a run."""
    details, graph = _of(workflow)
    resource_id = envelope.resource_id
    memo = {
        MEMO_GRAPH: graph,
        MEMO_RESOURCE: resource_id,
        MEMO_CONTINUED_FROM: None if envelope.seed is None else envelope.seed.continued_from,
        MEMO_GENERATION: None if envelope.seed is None else envelope.seed.generation,
    }
    found_by = {"search_attributes": at_start(workflow.id, resource_id)} if envelope.search_attributes else {}
    return {
        "static_summary": (workflow.description or workflow.id)[:MAX_SUMMARY],
        "static_details": details,
        "memo": {key: value for key, value in memo.items() if value is not None},
        **found_by,
    }


@lru_cache(maxsize=256)
def _of(workflow: Workflow[Any, Any, Any]) -> tuple[str, str]:
    return outline(workflow.graph), fingerprint(workflow.graph)
