"""Spans of conditions that raise, and the trace of a stream."""

from typing import Any

import pytest

from mastra_temporal import create_step, create_workflow, step
from tests.support import Stage, run, within
from tests.tracing import SpanMemory


def one(step_id: str) -> Any:
    return create_step(id=step_id, execute=lambda value: value)


def boom(_: Any) -> bool:
    raise ValueError("boom")


async def test_a_condition_that_raised_has_an_error_and_no_output(stage: Stage, memory: SpanMemory):
    branch = create_workflow(id="branch").branch([(boom, one("a")), (lambda _: True, one("b"))]).commit()
    loop = create_workflow(id="loop").dountil(one("c"), boom).commit()
    async with stage.worker(branch, loop, tracing=memory.provider):
        assert (await run(branch, input_data=1)).result == {"b": 1}
        assert (await run(loop, input_data=1)).status == "failed"
    for name, raised in (("condition '0'", True), ("condition '1'", False), ("condition: 'dountil'", True)):
        span = memory.spans.named(name)
        has_output = any(key.endswith(".output") for key in span.attributes)
        assert (has_output, "exception" in span.events) == (not raised, raised), name
    assert "mastra.result" not in memory.spans.named("condition '0'").attributes


@step
async def double(value: int) -> int:
    return value * 2


@pytest.mark.parity("stream.traceId")
async def test_a_stream_tells_its_trace(stage: Stage, memory: SpanMemory):
    flow = create_workflow(id="flow").then(double).commit()
    async with stage.worker(flow, tracing=memory.provider):
        run_ = await flow.create_run()
        started = run_.stream(input_data=1)
        assert started.trace_id is None
        result = await within(started.result)
        journey = run_.time_travel_stream(step="double", input_data=5)
        again = await within(journey.result)
    assert again.result == 10
    traces = {span.trace_id for span in memory.spans.all}
    assert started.trace_id == result.trace_id in traces
    assert journey.trace_id == again.trace_id in traces
