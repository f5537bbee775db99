"""The one way into user code. Whatever happens there comes back as a value or as an ordinary exception.

Some exceptions may not pass through an event loop: ``StopIteration`` cannot be set on a future, so that whoever waits
for it waits for ever; ``SystemExit`` and ``KeyboardInterrupt`` of a task end the loop, and the worker's process with
it; a ``CancelledError`` says that the attempt is to end, also when it comes from a task of the user's own. They are
replaced by a `UserCodeError` where they come up: in the thread, or in the coroutine.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, cast

from mastra_temporal._worker.activities.description import name_of, text_of

__all__ = ["UserCodeError", "call", "user_code"]

MESSAGE_BYTES = 2000


class UserCodeError(Exception):
    """Stands for an exception of user code that may not go on as it is."""

    def __init__(self, owner: str, original: BaseException) -> None:
        """Create the error.

        Args:
            owner: Whose code raised it, for the message.
            original: What was raised.
        """
        super().__init__(_what_happened(owner, original))
        self.original = original


class user_code:  # noqa: N801 - read as a statement: `with user_code(owner):`
    """A block that runs user code, and in which nothing is awaited.

    Raises:
        UserCodeError: The code raised what may not go on as it is. Ordinary exceptions pass.
    """

    def __init__(self, owner: str) -> None:
        """Name whose code it is: ``step `charge` of workflow `orders```."""
        self._owner = owner

    def __enter__(self) -> None:
        self._token = _owner.set(self._owner)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _owner.reset(self._token)
        if error is not None and not _may_pass(error):
            raise UserCodeError(self._owner, error) from error


async def call(function: Callable[[], Any], *, owner: str, executor: concurrent.futures.Executor | None) -> Any:
    """Call a user function, and await what it returns as long as that can be awaited, however it was written.

    Args:
        function: The function with its arguments.
        owner: Whose function it is, for messages.
        executor: Its threads make the call; with None the event loop does.

    Raises:
        Exception: What the function raised, or a `UserCodeError` in its place.
        CancelledError: Only when the caller is cancelled.
    """
    loop = asyncio.get_running_loop()
    _contain_tasks(loop)
    if executor is None:
        with user_code(owner):
            value = function()
    else:
        context = contextvars.copy_context()
        value = await _outcome(loop.run_in_executor(executor, lambda: context.run(_in_thread, function, owner)), owner)
    while inspect.isawaitable(value) or isinstance(value, concurrent.futures.Future):
        with user_code(owner):
            future = _future_of(value)
        value = await _outcome(future, owner)
    return value


def _future_of(value: Any) -> asyncio.Future[Any]:
    if isinstance(value, concurrent.futures.Future):  # of a thread pool
        return asyncio.wrap_future(cast("concurrent.futures.Future[Any]", value))
    return asyncio.ensure_future(value)


def _in_thread(function: Callable[[], Any], owner: str) -> Any:
    with user_code(owner):
        return function()


async def _outcome(future: asyncio.Future[Any], owner: str) -> Any:
    """The result of user code. Its own cancellation is a failure; the caller's is handed on to it."""
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError:
            cancelled = True
            future.cancel()
    if cancelled and future.cancelled():
        raise asyncio.CancelledError
    with user_code(owner):
        return future.result()


_owner: contextvars.ContextVar[str | None] = contextvars.ContextVar("mastra_user_code", default=None)
"""Whose code is running. Tasks and threads that user code starts inherit it."""


class _Contained(Coroutine[Any, Any, Any]):
    """A coroutine of user code in a task of its own, out of which nothing comes that would end the event loop."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], owner: str) -> None:
        self._coroutine = coroutine
        self._owner = owner

    def send(self, value: Any, /) -> Any:
        try:
            return self._coroutine.send(value)
        except (SystemExit, KeyboardInterrupt) as error:
            raise UserCodeError(self._owner, error) from error

    def throw(self, *error: Any) -> Any:
        try:
            return self._coroutine.throw(*error)
        except (SystemExit, KeyboardInterrupt) as stop:
            raise UserCodeError(self._owner, stop) from stop

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def __getattr__(self, name: str) -> Any:  # its name and frame, for those who look at tasks
        return getattr(self._coroutine, name)


class _TaskFactory:
    """Makes tasks as before; those of user code are contained."""

    def __init__(self, before: Any) -> None:
        self._before = before

    def __call__(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **settings: Any) -> asyncio.Future[Any]:
        owner = _owner.get()
        if owner is not None:
            coroutine = _Contained(coroutine, owner)
        if self._before is not None:
            return self._before(loop, coroutine, **settings)
        settings["name"] = settings.get("name") or owner  # by which it is known when it blocks the event loop
        return asyncio.Task(coroutine, loop=loop, **settings)


def _contain_tasks(loop: asyncio.AbstractEventLoop) -> None:
    factory: Any = loop.get_task_factory()
    if not isinstance(factory, _TaskFactory):
        loop.set_task_factory(_TaskFactory(factory))


def _may_pass(error: BaseException) -> bool:
    kind = type(error)  # not isinstance(), which asks the error's own attributes
    return issubclass(kind, Exception) and not issubclass(kind, StopIteration)


def _what_happened(owner: str, error: BaseException) -> str:
    text = text_of(error, MESSAGE_BYTES)
    if issubclass(type(error), SystemExit):
        return f"{owner} called sys.exit({text})"
    what = f"{owner} raised {name_of(error)}"
    if issubclass(type(error), asyncio.CancelledError):
        what += ", although nobody had canceled it"
    return f"{what}: {text}" if text else what
