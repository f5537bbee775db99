"""What a step can do: sync and async bodies, and everything on their contexts."""

import asyncio
import dataclasses
import threading
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio import activity

from mastra_temporal import (
    FunctionContext,
    StepContext,
    StepOptions,
    SyncStepContext,
    clone_step,
    create_step,
    create_workflow,
    step,
)
from tests.support import Stage, run, until, within


class Order(BaseModel):
    total: int
    lines: list[int] = [1, 2]


async def test_a_sync_step_blocks_neither_its_heartbeat_nor_the_others(stage: Stage):
    opened, threads = threading.Event(), set[str]()

    @step(options=StepOptions(heartbeat_timeout=timedelta(seconds=2)))
    def block(value: Any) -> str:
        threads.add(threading.current_thread().name)
        stage.effects.add("block")
        assert opened.wait(20)
        return "unblocked"

    @step
    async def beside(value: Any) -> str:
        return "done"

    async with stage.worker(create_workflow(id="threads").parallel([block, beside]).commit()) as mastra:
        run_ = await mastra.get_workflow("threads").create_run()
        result = asyncio.create_task(run_.start())
        beats = set[float]()

        async def beaten() -> bool:
            description = await stage.client.get_workflow_handle(run_.run_id).describe()
            pending = description.raw_description.pending_activities
            beats.update(item.last_heartbeat_time.ToNanoseconds() for item in pending)
            return len(beats) > 2  # none yet is a time, too

        await stage.effects.seen("block")
        await until(beaten)
        opened.set()
        assert (await within(result)).result == {"block": "unblocked", "beside": "done"}
    assert threading.current_thread().name not in threads
    assert stage.effects.counts() == {"block": 1}


@pytest.mark.parity("state")
async def test_a_step_sees_the_state_as_it_was_when_it_began(stage: Stage):
    @step
    async def first(value: Any, ctx: StepContext) -> Any:
        ctx.set_state({"a": 1, "b": 1})
        return dict(ctx.state)

    @step
    def second(value: Any, ctx: SyncStepContext) -> Any:
        ctx.set_state({"b": 2})
        return [value, dict(ctx.state)]

    @step
    async def third(value: Any, ctx: StepContext) -> Any:
        return [*value, dict(ctx.state)]

    workflow = create_workflow(id="stateful").then(first).then(second).then(third).commit()
    async with stage.worker(workflow):
        result = await run(workflow, initial_state={"z": 0}, output_options={"include_state": True})
    assert result.result == [{"z": 0}, {"z": 0, "a": 1, "b": 1}, {"z": 0, "a": 1, "b": 2}]
    assert result.state == {"z": 0, "a": 1, "b": 2}


@pytest.mark.parity("requestContext")
async def test_changes_of_the_request_context_travel(stage: Stage):
    @step
    async def change(value: Any, ctx: StepContext) -> None:
        ctx.request_context["added"] = {"deep": [1]}
        ctx.request_context.set("kept", "changed")
        del ctx.request_context["gone"]

    @step
    def look(value: Any, ctx: SyncStepContext) -> Any:
        return ctx.request_context.to_json()

    def peek(value: Any, ctx: FunctionContext) -> Any:
        ctx.request_context["mapped"] = True
        return {"seen": value, "function": ctx.request_context.to_json()}

    inner = create_workflow(id="inner").then(change).commit()
    workflow = create_workflow(id="outer").then(inner).then(look).map(peek).then(clone_step(look, id="last")).commit()
    async with stage.worker(workflow):
        result = await run(workflow, request_context={"gone": 1, "kept": 1, "other": 1})
    expected = {"kept": "changed", "other": 1, "added": {"deep": [1]}}
    assert result.steps["look"].output == expected
    assert result.result == {**expected, "mapped": True}


async def test_earlier_results_and_the_input_can_be_looked_up(stage: Stage):
    @step
    async def first(value: Any) -> str:
        return f"first of {value}"

    @step
    async def ask(value: Any, ctx: StepContext) -> Any:
        await until(lambda: stage.effects.is_open(ctx.run_id))
        results = [await ctx.get_step_result(id) for id in (first, "first", "ask", "no such step")]
        return [await ctx.get_init_data(), *results]

    @step
    def ask_in_thread(value: Any, ctx: SyncStepContext) -> Any:
        answers = [ctx.get_init_data(), *(ctx.get_step_result(id) for id in (first, "ask", "outer_only"))]
        stage.effects.open(ctx.run_id)
        return answers

    @step
    async def outer_only(value: Any) -> str:
        return "input of the nested workflow"

    def from_function(value: Any, ctx: FunctionContext) -> Any:
        return {**value, "function": [ctx.get_init_data(), ctx.get_step_result(first)]}

    asking = create_workflow(id="asking").then(first).parallel([ask, ask_in_thread]).map(from_function).commit()
    workflow = create_workflow(id="outer").then(outer_only).then(asking).commit()
    async with stage.worker(workflow, asking):
        alone, nested = await asyncio.gather(run(asking, input_data="x"), run(workflow, input_data="y"))
    for result, given in ((alone, "x"), (nested, "input of the nested workflow")):
        assert result.result == {
            "ask": [given, f"first of {given}", f"first of {given}", None, None],
            "ask_in_thread": [given, f"first of {given}", None, None],
            "function": [given, f"first of {given}"],
        }


async def test_a_step_knows_its_run(stage: Stage):
    @step
    async def know(value: Any, ctx: StepContext) -> Any:
        workflow = ctx.mastra.get_workflow("knowing").id
        return [ctx.run_id, ctx.workflow_id, ctx.step_id, ctx.resource_id, ctx.retry_count, workflow]

    workflow = create_workflow(id="knowing").then(know).commit()
    async with stage.worker(workflow):
        run_ = await workflow.create_run(resource_id="user-7")
        result = await within(run_.start())
    assert result.result == [run_.run_id, "knowing", "know", "user-7", 0, "knowing"]


async def test_idempotency_keys_are_stable_over_attempts_and_distinct_otherwise(stage: Stage):
    keys = stage.effects

    @step(retries=1)
    async def flaky(value: Any, ctx: StepContext) -> Any:
        if keys.add(ctx.idempotency_key) == 1:
            raise RuntimeError("once")
        return value

    @step
    def note(value: int, ctx: SyncStepContext) -> int:
        keys.add(ctx.idempotency_key)
        return value + 1

    def noting(id: str) -> Any:
        return clone_step(note, id=id)

    inner = create_workflow(id="inner").then(noting("twice")).dountil(noting("loop"), lambda n: n > 5).commit()
    workflow = (
        create_workflow(id="keys")
        .then(flaky)
        .foreach(noting("item"), concurrency=2)
        .foreach(inner, concurrency=2)
        .map(lambda values: 0)
        .then(noting("twice"))
        .dowhile(noting("loop"), lambda n: n < 3)
        .commit()
    )
    async with stage.worker(workflow):
        run_ = await workflow.create_run()
        result = await within(run_.start(input_data=[1, 2]))
    assert result.status == "success"
    counts = keys.counts()
    assert all(key.startswith(run_.run_id) for key in counts)
    # flaky, two items, per nested item: once and the loop from 3 resp. 4 up to 6, then once and the loop from 1 to 3
    assert len(counts) == 1 + 2 + (1 + 3) + (1 + 2) + 1 + 2
    assert [key for key, times in counts.items() if times > 1] == [key for key in counts if key.endswith("/flaky")]


async def test_a_checkpoint_is_there_on_the_next_attempt(stage: Stage):
    @step(retries=2)
    async def copy(value: Any, ctx: StepContext) -> Any:
        done = [*(ctx.last_checkpoint or []), ctx.retry_count]
        ctx.checkpoint(done)
        if ctx.retry_count < 2:
            raise RuntimeError("again")
        return done

    @step(retries=1)
    def copy_in_thread(value: Any, ctx: SyncStepContext) -> Any:
        seen = ctx.last_checkpoint
        ctx.checkpoint(Order(total=3))
        if ctx.retry_count < 1:
            raise RuntimeError("again")
        return seen

    workflow = create_workflow(id="checkpoints").parallel([copy, copy_in_thread]).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert result.result == {"copy": [0, 1, 2], "copy_in_thread": {"total": 3, "lines": [1, 2]}}


async def test_a_step_runs_on_its_own_task_queue(stage: Stage):
    gpu = dataclasses.replace(stage, task_queue=f"{stage.task_queue}-gpu")

    def build() -> Any:
        async def queue() -> str:
            return activity.info().task_queue

        here = create_step(id="here", execute=queue)
        there = create_step(id="there", execute=queue, options=StepOptions(task_queue=gpu.task_queue))
        return create_workflow(id="queues").parallel([here, there]).commit()

    workflow = build()
    async with stage.worker(workflow), gpu.worker(build()):
        result = await run(workflow)
    assert result.result == {"here": stage.task_queue, "there": gpu.task_queue}


async def test_functions_get_what_the_schemas_promise(stage: Stage):
    """An instance of the type that the entry before gives, without any annotation of their own."""

    @step
    async def load(total: int) -> Order:
        return Order(total=total, lines=[1, 2, 3])

    @step
    async def same(order: Order) -> Order:
        assert isinstance(order, Order)
        return Order(total=order.total + 1)

    workflow = (
        create_workflow(id="typed", input_schema=int, output_schema=Order)
        .then(load)
        .branch([(lambda order: order.total > 5, same), (lambda order: order.total < 0, clone_step(same, id="not"))])
        .map({"total": {"step": same, "path": "total"}, "lines": {"fn": lambda value: sorted(value)}})
        .map(lambda value: Order(total=value["total"]))
        .then(clone_step(same, id="again"))
        .sleep(lambda order: order.total / 100)
        .dountil(clone_step(same, id="loop"), lambda order, ctx: order.total > 9 and ctx.iteration_count)
        .map(lambda order: order.lines)
        .foreach(create_step(id="double", execute=lambda n: n * 2), concurrency=lambda lines: len(lines))
        .map(lambda values: Order(total=10, lines=values))
        .commit()
    )
    async with stage.worker(workflow):
        result = await run(workflow, input_data=6)
    assert result.error is None
    assert result.steps["loop"].output == {"total": 10, "lines": [1, 2]}
    assert result.result == Order(total=10, lines=[2, 4])
