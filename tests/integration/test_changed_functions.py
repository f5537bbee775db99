"""Functions that a deploy has moved or changed: an open run gets the one that it was started with, or waits for it."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mastra_temporal import Run, StepContext, create_step, create_workflow, step
from tests.support import Stage, pending_failures, until, within

HOUR = timedelta(hours=1)
Define = Callable[[Any], Any]
"""Adds what is behind the suspended step."""


@step
async def ask(ctx: StepContext) -> Any:
    return await ctx.suspend() if ctx.resume_data is None else ctx.resume_data


def work(step_id: str) -> Any:
    return create_step(id=step_id, execute=lambda value: [step_id, value])


def more(step_id: str) -> Any:
    return create_step(id=step_id, execute=lambda value: value + 1)


def deployed(define: Define) -> Any:
    return define(create_workflow(id="changed").then(ask)).commit()


async def started(stage: Stage, define: Define) -> str:
    """A run that is suspended, its worker gone."""
    workflow = deployed(define)
    async with stage.worker(workflow):
        run: Run[Any] = await workflow.create_run()
        assert (await within(run.start())).status == "suspended"
    return run.run_id


async def resumed(stage: Stage, define: Define, run_id: str, data: Any = 1) -> Any:
    """The result of the run on a worker of another deploy."""
    workflow = deployed(define)
    async with stage.worker(workflow):
        result = await within((await workflow.create_run(run_id=run_id)).resume(resume_data=data))
    return result.result if result.status == "success" else result


def multiplied(*factors: int) -> Define:
    def define(flow: Any) -> Any:
        for factor in factors:
            flow = flow.map(lambda value, factor=factor: value * factor)
        return flow

    return define


def added(*numbers: int) -> Define:
    def define(flow: Any) -> Any:
        def adding(number: int) -> Any:
            return lambda value: value + number  # pyright: ignore[reportUnknownLambdaType, reportUnknownVariableType]

        for number in numbers:
            flow = flow.map(adding(number))
        return flow

    return define


@pytest.mark.parametrize(
    ("before", "after", "result"),
    [
        pytest.param(
            lambda flow: flow.map(lambda value: value + 1),
            lambda flow: flow.map(lambda value: value * 100).map(lambda value: value + 1),
            2,
            id="inserted",
        ),
        pytest.param(
            lambda flow: flow.map(lambda value: value + 1).map(lambda value: value * 100),
            lambda flow: flow.map(lambda value: value * 100).map(lambda value: value + 1),
            200,
            id="swapped",
        ),
        pytest.param(
            lambda flow: flow.map({"key": {"fn": lambda value: value + 1}}),
            lambda flow: flow.map({"key": {"fn": lambda value: value * 100}}).map(
                {"key": {"fn": lambda value: value + 1}}
            ),
            {"key": 2},
            id="inserted keys",
        ),
        pytest.param(multiplied(2, 3), multiplied(5, 2, 3), 6, id="defaults"),
        pytest.param(added(2, 3), added(5, 2, 3), 6, id="captured"),
        pytest.param(
            lambda flow: flow.map(lambda value: value + 1),
            lambda flow: flow.map(lambda value: value * 100).map(lambda value: value + 1, id="named"),
            2,
            id="named since",
        ),
        pytest.param(
            lambda flow: flow.map(lambda value: value + 1),
            lambda flow: flow.map(lambda value: value * 100, id="mapping_changed_0").map(lambda value: value + 1),
            2,
            id="another one got the id",
        ),
        pytest.param(
            lambda flow: flow.branch([(lambda value: value > 0, work("a")), (lambda value: value < 0, work("b"))]),
            lambda flow: flow.branch([(lambda value: value < 0, work("a")), (lambda value: value > 0, work("b"))]),
            {"a": ["a", 1]},
            id="conditions",
        ),
        pytest.param(
            lambda flow: flow.sleep(lambda _: 10).map(lambda _: "awake"),
            lambda flow: flow.sleep(lambda _: HOUR).sleep(lambda _: 10).map(lambda _: "awake"),
            "awake",
            id="durations",
        ),
    ],
)
async def test_a_function_is_found_wherever_it_has_moved(stage: Stage, before: Define, after: Define, result: Any):
    run_id = await started(stage, before)
    assert await resumed(stage, after, run_id) == result


def now(_: Any) -> datetime:
    return datetime.now(timezone.utc)


CHANGED: dict[str, tuple[Define, Define, Any, Any]] = {
    "mapping_changed_0": (
        lambda flow: flow.map(lambda value: value + 1),
        lambda flow: flow.map(lambda value: value + 2),
        1,
        2,
    ),
    "mapping_changed_0.key": (
        lambda flow: flow.map({"key": {"fn": lambda value: value + 1}}),
        lambda flow: flow.map({"key": {"fn": lambda value: value + 2}}),
        1,
        {"key": 2},
    ),
    "a-condition": (
        lambda flow: flow.branch([(lambda value: value > 0, work("a")), (lambda value: True, work("b"))]),
        lambda flow: flow.branch([(lambda value: value > 5, work("a")), (lambda value: True, work("b"))]),
        1,
        {"a": ["a", 1], "b": ["b", 1]},
    ),
    "more-condition": (
        lambda flow: flow.dountil(more("more"), lambda value: value > 2),
        lambda flow: flow.dountil(more("more"), lambda value: value > 5),
        1,
        3,
    ),
    "sleep_changed_0": (
        lambda flow: flow.sleep(lambda _: 10),
        lambda flow: flow.sleep(lambda _: HOUR),
        1,
        1,
    ),
    "sleepUntil_changed_0": (
        lambda flow: flow.sleep_until(now),
        lambda flow: flow.sleep_until(lambda _: datetime.now(timezone.utc) + HOUR),
        1,
        1,
    ),
    "more-concurrency": (
        lambda flow: flow.foreach(more("more"), concurrency=lambda items: len(items)),
        lambda flow: flow.foreach(more("more"), concurrency=lambda items: 1),
        [1, 2],
        [2, 3],
    ),
}


@pytest.mark.parametrize("function", CHANGED)
async def test_a_function_that_is_gone_is_waited_for(stage: Stage, function: str):
    before, after, data, result = CHANGED[function]
    run_id = await started(stage, before)
    missing = f"The function `{function}` of workflow `changed` is not registered on this worker"
    remedy = f"id={function.partition('.')[0]!r}."

    async def is_said() -> bool:
        return any(
            failure.message.startswith(missing) and failure.message.endswith(remedy)
            for failure in await pending_failures(stage.client, run_id)
        )

    changed, same = deployed(after), deployed(before)
    async with stage.worker(changed):
        run = await changed.create_run(run_id=run_id)
        resuming = asyncio.create_task(run.resume(resume_data=data))
        await until(is_said)
        assert await run.fetch_status() == "running"
    async with stage.worker(same):
        restarting = (await same.create_run(run_id=run_id)).restart()
        ended = await within(asyncio.gather(resuming, restarting))
    assert [(item.status, item.result) for item in ended] == [("success", result)] * 2


@pytest.mark.parametrize(
    ("before", "after", "data", "result"),
    [
        pytest.param(
            lambda flow: flow.map(lambda value: value + 1, id="m"),
            lambda flow: flow.map(lambda value: value + 2, id="m"),
            1,
            3,
            id="named",
        ),
        pytest.param(
            lambda flow: flow.map({"key": {"fn": lambda value: value + 1}}, id="m"),
            lambda flow: flow.map({"key": {"fn": lambda value: value + 2}}, id="m"),
            1,
            {"key": 3},
            id="a key of a named one",
        ),
        pytest.param(
            lambda flow: flow.map(lambda value: value + 1),
            lambda flow: flow.map(lambda value: value + 2, id="mapping_changed_0"),
            1,
            3,
            id="named by the remedy",
        ),
        pytest.param(
            lambda flow: flow.dountil(more("more"), lambda value: value > 2),
            lambda flow: flow.dountil(more("more"), lambda value: value > 5, id="more-condition"),
            1,
            6,
            id="a condition named by the remedy",
        ),
        pytest.param(
            lambda flow: flow.branch([(lambda value: value > 0, work("a"))], id="b"),
            lambda flow: flow.branch([(lambda value: value > 5, work("a"))], id="b"),
            1,
            {},
            id="a condition of a named branch",
        ),
        pytest.param(
            lambda flow: flow.sleep(lambda _: HOUR, id="nap"),
            lambda flow: flow.sleep(lambda _: 1, id="nap"),
            1,
            1,
            id="nap",
        ),
    ],
)
async def test_a_function_with_an_id_may_change(stage: Stage, before: Define, after: Define, data: Any, result: Any):
    run_id = await started(stage, before)
    assert await resumed(stage, after, run_id, data) == result
