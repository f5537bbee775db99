"""The boundary around user code: what comes out of it, and what it does to the event loop that it shares."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mastra_temporal._worker.activities.boundary import UserCodeError, call, user_code


async def on_loop(function: Callable[[], Any]) -> Any:
    return await asyncio.wait_for(call(function, owner="step `a`", executor=None), 5)


async def leave() -> None:
    await asyncio.sleep(0)
    sys.exit(2)


async def test_a_task_of_user_code_does_not_end_the_loop():
    """Nor does one that nobody waits for."""
    left_behind = list[asyncio.Task[Any]]()

    async def body() -> None:
        left_behind.append(asyncio.create_task(leave(), name="left behind"))
        assert "leave()" in repr(left_behind[0])
        await asyncio.wait_for(leave(), 1)

    with pytest.raises(UserCodeError, match=r"step `a` called sys.exit\(2\)"):
        await on_loop(body)
    with pytest.raises(UserCodeError):
        await left_behind[0]
    assert left_behind[0].get_name() == "left behind"


async def test_a_task_that_is_cancelled_before_it_begins_leaves_no_warning():
    async def body() -> str:
        task = asyncio.create_task(leave())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return "done"

    assert await on_loop(body) == "done"


async def test_other_tasks_are_left_alone_and_an_earlier_task_factory_is_kept():
    made = list[Any]()

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **settings: Any) -> asyncio.Task[Any]:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **settings)

    asyncio.get_running_loop().set_task_factory(factory)

    async def body() -> None:
        await asyncio.create_task(asyncio.sleep(0))

    await call(body, owner="step `a`", executor=None)
    assert len(made) == 2
    own = asyncio.sleep(0)
    await asyncio.create_task(own)
    assert made[2] is own


async def test_only_the_callers_cancellation_is_one():
    begun = asyncio.Event()

    async def cancel_myself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    async def wait() -> None:
        begun.set()
        await asyncio.sleep(60)

    async def refuse() -> str:
        try:
            await wait()
        except asyncio.CancelledError:
            return "cleaned up"
        raise AssertionError

    with pytest.raises(UserCodeError, match="although nobody had canceled it"):
        await on_loop(cancel_myself)
    for body, raised in ((wait, asyncio.CancelledError), (refuse, None)):
        begun.clear()
        calling = asyncio.create_task(call(body, owner="step `a`", executor=None))
        await begun.wait()
        calling.cancel()
        [outcome] = await asyncio.gather(calling, return_exceptions=True)
        assert outcome == "cleaned up" if raised is None else isinstance(outcome, raised)


async def test_an_awaitable_whose_result_is_itself():
    class Again:
        def __await__(self) -> Any:
            yield
            return self

    def future() -> Any:
        made = asyncio.get_running_loop().create_future()
        made.set_result(made)
        return made

    for made in (future, Again):
        with pytest.raises(TypeError, match="step `a` returned an awaitable whose result is an awaitable"):
            await on_loop(made)


async def test_ordinary_exceptions_pass_as_they_are():
    """A timeout, for example, is an answer that a step's author wants to see."""
    error = asyncio.TimeoutError()

    async def body() -> None:
        raise error

    with pytest.raises(asyncio.TimeoutError) as raised:
        await on_loop(body)
    assert raised.value is error


def test_a_block_of_user_code():
    with pytest.raises(UserCodeError, match="step `a` raised StopIteration") as raised, user_code("step `a`"):
        next(iter([]))
    assert isinstance(raised.value.original, StopIteration)
