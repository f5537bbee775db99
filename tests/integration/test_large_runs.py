"""Runs that grow: they go on in new executions, or fail by themselves before the server would terminate them."""

import random
from typing import Any

import pytest

from mastra_temporal import FunctionContext, StepContext, create_step, create_workflow
from mastra_temporal._worker.workflow import history_size
from tests.integration.test_continue_as_new import executions
from tests.support import Stage, within

pytestmark = pytest.mark.usefixtures("short_histories")


@pytest.fixture
def short_histories(monkeypatch: pytest.MonkeyPatch):
    """A worker that finds histories of 60 events long, and of 400 events full."""
    monkeypatch.setattr(history_size, "LONG_EVENTS", 60)
    monkeypatch.setattr(history_size, "FULL_EVENTS", 400)


def counting(stage: Stage, name: str = "plus"):
    async def plus(value: int) -> int:
        stage.effects.add(name)
        return value + 1

    return create_step(id=name, execute=plus)


def large(name: str):
    """A step with an output of 1.2 MB that cannot be compressed to less than 0.9 MB."""

    async def produce(_: Any) -> dict[str, Any]:
        return {"text": random.Random(name).randbytes(600_000).hex()}

    return create_step(id=name, execute=produce)


async def start_sizes(stage: Stage, run_id: str) -> list[int]:
    """The bytes with which each execution of a run started, the first one first."""
    found: list[tuple[Any, int]] = []
    async for item in stage.client.list_workflows(f"WorkflowId = '{run_id}'"):
        handle = stage.client.get_workflow_handle(run_id, run_id=item.run_id)
        async for event in handle.fetch_history_events(page_size=1):
            size = event.workflow_execution_started_event_attributes.input.ByteSize()
            found.append((item.start_time, size))
            break
    return [size for _, size in sorted(found)]


async def test_what_a_foreach_begins_with_is_its_list_once_and_outputs(stage: Stage):
    items = [f"item {index}: " + "x" * 500 for index in range(60)]

    async def shorten(value: str) -> str:
        return value.partition(":")[0]

    flow = create_workflow(id="list").foreach(create_step(id="shorten", execute=shorten), concurrency=5).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        result = await within(run.start(input_data=items))
    assert result.result == [f"item {index}" for index in range(60)]
    sizes = await start_sizes(stage, run.run_id)
    assert len(sizes) > 3
    assert max(sizes) < sizes[0] * 1.3


@pytest.mark.any_cache  # without one, each workflow task reads outputs of several megabytes again
@pytest.mark.parametrize("kind", ["loop", "foreach", "steps", "nested"])
async def test_a_run_that_cannot_go_on_in_a_new_execution_fails_by_itself(stage: Stage, kind: str):
    plus = counting(stage)
    flow = create_workflow(id="grown").then(large("first")).then(large("second")).then(large("third"))
    flow = flow.map(lambda _: list(range(200)) if kind == "foreach" else 0)
    if kind == "loop":
        flow = flow.dowhile(plus, lambda value: value < 200)
    elif kind == "foreach":
        flow = flow.foreach(plus, concurrency=3)
    elif kind == "steps":
        for index in range(80):
            flow = flow.then(counting(stage, f"plus{index}"))
    else:
        flow = flow.dowhile(create_workflow(id="body").then(plus).commit(), lambda value: value < 200)
    flow = flow.commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        result = await within(run.start(input_data=0), 40)
    assert result.status == "failed"
    assert result.error is not None
    assert result.error["name"] == "HistoryTooLargeError"
    assert "the output of `first` (1,2" in result.error["message"]
    assert "external storage" in result.error["message"]
    assert 10 < sum(stage.effects.counts().values()) < 80
    assert [result.steps[name].status for name in ("first", "second", "third")] == ["success"] * 3
    assert len(await executions(stage, run.run_id)) == 1


async def test_chunks_and_resumes_count(stage: Stage):
    """A loop whose body streams and waits for a person: both add to the history, and the run goes on all the same."""

    async def ask(value: int, ctx: StepContext) -> int:
        if ctx.resume_data is None:
            await ctx.writer.write({"asking": value})
            return await ctx.suspend({"value": value})
        return value + 1

    flow = create_workflow(id="chat").dowhile(create_step(id="ask", execute=ask), lambda value: value < 12).commit()
    async with stage.worker(flow):
        run = await flow.create_run()
        result = await within(run.start(input_data=0))
        while result.status == "suspended":
            result = await within(run.resume(resume_data={"go": "on"}))
    assert (result.status, result.result) == ("success", 12)
    assert len(await executions(stage, run.run_id)) > 1


async def test_a_function_cannot_change_what_the_run_has(stage: Stage):
    async def produce(value: dict[str, list[int]]) -> list[int]:
        return value["numbers"]

    def spoil(value: list[int], ctx: FunctionContext) -> list[int]:
        ctx.get_init_data()["numbers"].append(99)
        ctx.get_step_result("produce").append(98)
        value.append(97)
        return value

    async def read(value: list[int], ctx: StepContext) -> dict[str, Any]:
        return {"init": await ctx.get_init_data(), "step": await ctx.get_step_result("produce"), "value": value}

    flow = (
        create_workflow(id="spoiled")
        .then(create_step(id="produce", execute=produce))
        .map(spoil)
        .then(create_step(id="read", execute=read))
        .commit()
    )
    async with stage.worker(flow):
        run = await flow.create_run()
        result = await within(run.start(input_data={"numbers": [1, 2]}))
    assert result.result == {"init": {"numbers": [1, 2]}, "step": [1, 2], "value": [1, 2, 97]}
