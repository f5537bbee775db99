"""What user code returns and can be awaited is awaited, however the function was written."""

import asyncio
import concurrent.futures
import functools
from collections.abc import Callable, Generator
from typing import Any

import pytest

from mastra_temporal import SyncStepContext, WorkflowOptions, create_step, create_workflow
from tests.support import Stage, run, until, within

Function = Callable[..., Any]


async def is_even(value: int) -> bool:
    await asyncio.sleep(0)
    return value % 2 == 0


def decorated(function: Function) -> Function:
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


def decorated_by_the_book(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


def run_to_its_end(function: Function) -> Function:
    """Makes an ordinary function of a coroutine function: it blocks, and has an event loop of its own."""

    @functools.wraps(function)
    def wrapper(value: Any) -> Any:
        return asyncio.run(function(value))

    return wrapper


def twice(function: Function) -> Function:
    """Returns a coroutine that returns a coroutine."""

    async def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


def in_a_pool(value: int) -> "concurrent.futures.Future[bool]":
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return pool.submit(lambda: value % 2 == 0)


class Awaited:
    """An awaitable of the user's own."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, Any, bool]:
        return is_even(self.value).__await__()


class AsyncCall:
    """An object that is called and awaited."""

    async def __call__(self, value: int) -> bool:
        return await is_even(value)


class Call:
    """An object whose call returns something to await."""

    def __call__(self, value: int) -> Any:
        return is_even(value)

    def method(self, value: int) -> Any:
        return is_even(value)


async def task(value: int) -> Any:
    return asyncio.create_task(is_even(value))


FUNCTIONS: dict[str, Function] = {
    "async def": is_even,
    "lambda": lambda value: is_even(value),
    "decorated": decorated(is_even),
    "decorated by the book": decorated_by_the_book(is_even),
    "run to its end": run_to_its_end(is_even),
    "twice": twice(is_even),
    "partial": functools.partial(is_even),
    "partial of a lambda": functools.partial(lambda value: is_even(value)),
    "decorated partial": decorated_by_the_book(functools.partial(is_even)),
    "async call": AsyncCall(),
    "call": Call(),
    "method": Call().method,
    "class": Awaited,
    "task": task,
    "pool": in_a_pool,
}


@pytest.mark.parametrize("kind", FUNCTIONS)
async def test_it_is_awaited_everywhere(stage: Stage, kind: str):
    function = FUNCTIONS[kind]

    def count(value: Any) -> int:
        stage.effects.add("count")
        return value + 1

    even = create_step(id="even", execute=lambda: "even")
    odd = create_step(id="odd", execute=lambda: "odd")
    workflow = (
        create_workflow(id="awaited")
        .dountil(create_step(id="count", execute=count), function)
        .map({"step": {"fn": function}, "fixed": {"value": 3}})
        .map(lambda value: 3)
        .branch([(function, even), (lambda value: value % 2 == 1, odd)])
        .map(lambda: 4)
        .then(create_step(id="check", execute=function))
        .map(lambda value: 4 if value is True else 5)
        .map(function)
        .commit()
    )
    async with stage.worker(workflow):
        result = await run(workflow, input_data=1)
    assert result.status == "success", result.error
    assert stage.effects.counts() == {"count": 1}
    assert "even" not in result.steps
    assert (result.steps["check"].output, result.result) == (True, True)


async def test_times_and_numbers_are_awaited(stage: Stage):
    async def later(value: Any) -> Any:
        return value

    running = set[int]()

    async def item(value: int) -> int:
        running.add(value)
        await until(lambda: len(running) == 2)
        return value

    workflow = (
        create_workflow(id="awaited")
        .sleep(lambda: later(1))
        .sleep_until(lambda: later("2020-01-01T00:00:00Z"))
        .foreach(create_step(id="item", execute=item), concurrency=lambda items: later(2))
        .commit()
    )
    async with stage.worker(workflow):
        assert (await run(workflow, input_data=[1, 2])).result == [1, 2]


async def test_a_coroutine_of_a_thread_awaits_its_context(stage: Stage):
    """On the event loop the blocking calls of the context would wait for themselves."""

    async def ask(ctx: SyncStepContext) -> Any:
        await ctx.writer.write("asking")
        if ctx.resume_data is None:
            return await ctx.suspend({"first": await ctx.get_step_result("first")})
        return [await ctx.get_init_data(), ctx.resume_data]

    workflow = (
        create_workflow(id="awaited")
        .then(create_step(id="first", execute=lambda value: value + 1))
        .then(create_step(id="ask", execute=lambda value, ctx: ask(ctx)))
        .commit()
    )
    async with stage.worker(workflow):
        flow_run = await workflow.create_run()
        suspended = await within(flow_run.start(input_data=1))
        assert suspended.suspend_payload == {"ask": {"first": 2}}
        assert (await within(flow_run.resume(resume_data="yes"))).result == [1, "yes"]


async def test_a_coroutine_of_a_thread_hears_of_the_cancellation(stage: Stage):
    async def wait() -> None:
        stage.effects.add("begun")
        try:
            await asyncio.sleep(60)
        finally:
            stage.effects.add("interrupted")

    workflow = create_workflow(id="awaited", options={"cancel_grace": 0.1}).then(
        create_step(id="wait", execute=lambda: wait())
    )
    workflow.commit()
    async with stage.worker(workflow):
        flow_run = await workflow.create_run()
        started = asyncio.create_task(flow_run.start())
        await stage.effects.seen("begun")
        await within(flow_run.cancel())
        assert (await within(started)).status == "canceled"
    assert stage.effects.counts() == {"begun": 1, "interrupted": 1}


class Lying:
    """Nobody can ask whether it can be awaited."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise SystemExit("lies")


@pytest.mark.parametrize("written", ["def", "async def"])
async def test_a_value_that_raises_when_it_is_looked_at_is_a_failure(stage: Stage, written: str):
    async def later(_: Any) -> Any:
        return Lying()

    function = later if written == "async def" else lambda _: Lying()  # pyright: ignore[reportUnknownLambdaType]
    step = create_workflow(id="odd-step").then(create_step(id="odd", execute=function)).commit()
    mapping = create_workflow(id="odd-mapping").map(function).commit()
    callback = (
        create_workflow(id="odd-callback", options=WorkflowOptions(on_finish=function)).map(lambda _: "done").commit()
    )
    async with stage.worker(step, mapping, callback):
        for workflow in (step, mapping):
            result = await run(workflow)
            assert (result.status, (result.error or {})["name"]) == ("failed", "SystemExit")
        assert (await run(callback)).result == "done"
