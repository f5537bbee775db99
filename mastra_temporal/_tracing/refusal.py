"""The span of a run that was refused before it started. Mastra shows it too, but Temporal does not know the run."""

from __future__ import annotations

import secrets
from typing import Any

from temporalio.client import Client

from mastra_temporal._tracing.attributes import data_attribute, metadata_attributes
from mastra_temporal._tracing.client import CallHeaders
from mastra_temporal._tracing.interceptor import TracingHeaders
from mastra_temporal._tracing.options import TracingOptions, run_metadata
from mastra_temporal.errors import MastraError

__all__ = ["record_refusal"]


def record_refusal(
    client: Client,
    error: MastraError,
    headers: CallHeaders,
    *,
    workflow_id: str,
    run_id: str,
    resource_id: str | None,
    input_data: Any,
) -> None:
    """Record the error of a refused call in a span, if this process traces.

    Args:
        client: The client.
        error: The error.
        headers: The tracing headers of the call.
        workflow_id: The id of the workflow.
        run_id: The id of the run.
        resource_id: The resource of the run.
        input_data: The input of the run.
    """
    interceptors = client.config(active_config=True)["interceptors"]
    ours = next((each for each in interceptors if isinstance(each, TracingHeaders)), None)
    if ours is None or ours.tracing is None:
        return
    tracing, options = ours.tracing, headers.header.parsed_options() or TracingOptions()
    parent = tracing.named(headers.context) or tracing.current()
    trace_id = secrets.randbits(128)
    if options.trace_id is not None:
        trace_id, parent = int(options.trace_id, 16), None
    if options.parent_span_id is not None:
        parent = tracing.remote(trace_id, int(options.parent_span_id, 16))
    span = tracing.start(
        options.root_span_name or f"workflow run: '{workflow_id}'",
        parent=parent,
        trace_id=trace_id,
        span_id=secrets.randbits(64),
        attributes={
            "mastra.span.type": "workflow_run",
            "mastra.entity.type": "workflow_run",
            "mastra.entity.id": workflow_id,
            **metadata_attributes(run_metadata(options, run_id, resource_id, {})),
            **({} if options.hide_input else data_attribute("workflow_run", "input", input_data)),
        },
    )
    tracing.record_error(span, error.wire_name, str(error))
    span.end()
