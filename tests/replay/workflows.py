"""The workflows whose histories are recorded. Never change one: add another."""

from datetime import timedelta
from typing import Any

from mastra_temporal import Mastra, StepContext, TripWire, create_step, create_workflow


async def double(value: int) -> int:
    return value * 2


async def count(value: int, ctx: StepContext) -> int:
    ctx.set_state({"count": value})
    ctx.request_context["last"] = ctx.step_id
    return value + 1


async def fail(value: int) -> int:
    raise ValueError(f"no {value}")


failures: set[str] = set()
waits: set[str] = set()


async def fail_first_time(value: int, ctx: StepContext) -> int:
    if ctx.run_id not in failures:
        failures.add(ctx.run_id)
        raise ValueError("the first time")
    return value


async def fail_once(value: int, ctx: StepContext) -> int:
    if ctx.retry_count == 0:
        raise ValueError("once")
    return value


async def trip(value: int) -> int:
    raise TripWire("enough", metadata={"value": value})


async def ask(value: int, ctx: StepContext) -> Any:
    return await ctx.suspend({"value": value}, resume_label="approval")


async def ask_once(value: Any, ctx: StepContext) -> Any:
    if ctx.suspend_data is None:
        ctx.set_state({"asked": value})
        return await ctx.suspend({"value": value}, resume_label=f"about {value}")
    return ctx.resume_data


async def leave(value: int, ctx: StepContext) -> Any:
    return ctx.bail({"early": value})


async def wait(value: int, ctx: StepContext) -> int:
    await ctx.abort_signal.wait()
    return value


async def wait_at_first(value: int, ctx: StepContext) -> int:
    if ctx.last_checkpoint is None:
        ctx.checkpoint("seen")
        await ctx.abort_signal.wait()
    return value


async def wait_first_time(value: int, ctx: StepContext) -> int:
    if ctx.run_id not in waits:
        waits.add(ctx.run_id)
        await ctx.abort_signal.wait()
    return value


async def write(value: int, ctx: StepContext) -> int:
    await ctx.writer.write({"value": value})
    await ctx.writer.custom({"type": "data-value", "data": value})
    return value


async def callback(info: Any) -> None:
    assert info.run_id


def a(body: Any, step_id: str = "a", **settings: Any) -> Any:
    return create_step(id=step_id, execute=body, **settings)


def workflow(workflow_id: str, **settings: Any) -> Any:
    return create_workflow(id=workflow_id, **settings)


def range_of(value: int) -> list[int]:
    return list(range(value))


def sum_of(values: list[int]) -> int:
    return sum(values)


asker = workflow("asker").then(a(count)).then(a(ask_once, "b")).then(a(double, "c")).commit()
inner = workflow("inner", input_schema=int).then(a(count)).sleep(1).then(a(double, "b")).commit()
reopening = workflow("reopening").then(a(count)).then(a(wait_first_time, "b")).commit()
item = workflow("item").then(a(double)).then(a(count, "b")).commit()

WORKFLOWS = {
    flow.id: flow
    for flow in (
        workflow("sequence", input_schema=int).then(a(double)).then(a(count, "b")).commit(),
        workflow("mapping").then(a(double)).map({"a": {"step": "a"}, "b": {"template": "${initData}"}}).commit(),
        workflow("parallel").parallel([a(double), a(count, "b"), inner]).map(lambda found: found["a"]).commit(),
        workflow("branch")
        .branch([(lambda value: value > 1, a(double)), (lambda value: value > 5, a(fail, "b"))])
        .commit(),
        workflow("predicate")
        .branch([({"predicate": {"op": "gt", "left": {"path": "inputData"}, "right": {"literal": 1}}}, a(double))])
        .commit(),
        workflow("loop").dountil(a(double), lambda value: value > 10).commit(),
        workflow("foreach").map(range_of).foreach(a(double), concurrency=2).commit(),
        workflow("foreach-nested").map(range_of).foreach(item, concurrency=2).commit(),
        workflow("nested").then(inner).then(a(double, "c")).commit(),
        workflow("sleep").sleep(timedelta(milliseconds=20)).sleep(lambda value: value).then(a(double)).commit(),
        workflow("failed").then(a(double)).then(a(fail, "b")).commit(),
        workflow("tripwire").then(a(trip)).commit(),
        workflow("searchable").then(a(double)).then(a(ask, "b")).commit(),
        workflow("searchable-tripwire").then(a(double)).then(a(trip, "b")).commit(),
        workflow("bailed").then(a(leave)).then(a(fail, "b")).commit(),
        workflow("retried").then(a(fail_once, retries=1)).commit(),
        workflow("callbacks", options={"on_start": callback, "on_finish": callback}).then(a(double)).commit(),
        workflow("suspended").then(a(double)).then(a(ask, "b")).commit(),
        workflow("written").then(a(write)).then(a(double, "b")).commit(),
        workflow("resumed").then(a(double)).then(a(ask_once, "b")).then(a(count, "c")).commit(),
        workflow("resumed-parallel").parallel([a(ask_once), a(double, "b"), asker]).commit(),
        workflow("resumed-branch").branch([(lambda value: True, a(ask_once)), (lambda value: True, asker)]).commit(),
        workflow("resumed-loop").dountil(a(ask_once), lambda value: value > 10).commit(),
        workflow("resumed-foreach").map(range_of).foreach(a(ask_once), concurrency=2).commit(),
        workflow("resumed-foreach-nested").map(range_of).foreach(asker, concurrency=3).commit(),
        workflow("resumed-nested", retry_config={"attempts": 1})
        .then(workflow("approval").then(asker).then(a(fail_first_time, "c", retries=0)).commit())
        .commit(),
        workflow("resumed-callbacks", options={"on_finish": callback}).then(a(ask_once)).commit(),
        workflow("canceled-suspended", options={"on_finish": callback}).then(a(ask)).then(a(double, "b")).commit(),
        workflow("canceled").then(a(wait)).then(a(double, "b")).commit(),
        workflow("scheduled", input_schema=int).then(a(double)).commit(),
        workflow("restarted").parallel([a(wait_at_first), a(double, "b")]).commit(),
        workflow("reopened").then(a(double)).parallel([reopening, a(double, "b")]).commit(),
        workflow("time-traveled").map(range_of).foreach(item, concurrency=2).map(sum_of).then(a(double)).commit(),
    )
}

mastra = Mastra(workflows=WORKFLOWS.values(), task_queue="replay")
