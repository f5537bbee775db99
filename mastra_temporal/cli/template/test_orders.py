"""Run with ``pytest``. Each test runs the workflow on a real server."""

import pytest
from orders import orders

from mastra_temporal.testing import RunWorkflow, StartWorker

pytestmark = pytest.mark.asyncio


async def test_a_small_order_is_confirmed(run_workflow: RunWorkflow):
    """The run ends without a question."""
    result = await run_workflow(orders, {"item": "teapot", "total": 24.5})
    assert result.result == "teapot is ordered"


async def test_a_large_order_waits_for_a_person(mastra_worker: StartWorker):
    """The run is suspended and ends after the answer."""
    await mastra_worker(orders)
    run = await orders.create_run()
    result = await run.start(input_data={"item": "piano", "total": 9000})
    assert result.status == "suspended"
    assert (await run.resume(resume_data={"approved": True})).result == "piano is ordered"
