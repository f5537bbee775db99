"""Metrics of runs, as the worker's runtime sends them."""

from collections import Counter
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.runtime import MetricBuffer, MetricBufferDurationFormat, Runtime, TelemetryConfig

from mastra_temporal import StepContext, create_step, create_workflow
from mastra_temporal.plugin import HEARTBEAT_INTERVAL
from tests.support import Stage, within


async def test_runs_steps_retries_restarts_and_suspensions_are_counted_once(stage: Stage):
    buffer = MetricBuffer(10_000, duration_format=MetricBufferDurationFormat.SECONDS)
    runtime = Runtime(telemetry=TelemetryConfig(metrics=buffer), worker_heartbeat_interval=HEARTBEAT_INTERVAL)
    measured = Stage(await Client.connect(stage.address, runtime=runtime), stage.task_queue, stage.effects)

    async def flaky(value: int, ctx: StepContext) -> int:
        if ctx.retry_count == 0:
            raise ValueError("not yet")
        return value

    async def wait(value: int, ctx: StepContext) -> int:
        if stage.effects.add("wait") == 1:
            await ctx.abort_signal.wait()
        return value

    async def ask(value: int, ctx: StepContext) -> Any:
        return await ctx.suspend() if ctx.resume_data is None else value

    workflow = (
        create_workflow(id="measured")
        .then(create_step(id="flaky", execute=flaky, retries=1))
        .then(create_step(id="wait", execute=wait))
        .then(create_step(id="ask", execute=ask))
        .sleep(timedelta(milliseconds=5))
        .commit()
    )
    # Without a cache every workflow task replays the run: nothing may be counted again.
    async with measured.worker(workflow, max_cached_workflows=0, max_concurrent_workflow_tasks=1):
        run = await workflow.create_run()
        await run.start_async(input_data=1)
        await stage.effects.seen("wait")
        assert (await within(run.restart(force=True))).status == "suspended"
        assert (await within(run.resume(resume_data=1))).status == "success"

    counts: Counter[Any] = Counter()
    for update in buffer.retrieve_updates():
        name = update.metric.name.removeprefix("temporal_")
        if name.startswith("mastra_") and update.attributes["workflow_id"] == "measured":
            labels = tuple(update.attributes[key] for key in ("step_id", "status") if key in update.attributes)
            counts[(name, *labels)] += 1
    assert counts == {
        ("mastra_step_retries", "flaky"): 1,
        ("mastra_step_duration", "flaky", "success"): 1,
        ("mastra_step_duration", "wait", "success"): 1,
        ("mastra_step_duration", "ask", "suspended"): 1,
        ("mastra_step_duration", "ask", "success"): 1,
        ("mastra_restarts",): 1,
        ("mastra_runs", "suspended"): 1,
        ("mastra_runs", "success"): 1,
        ("mastra_run_suspended_time",): 1,
    }
