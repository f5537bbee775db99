"""The only entry into user code. Whatever happens there becomes a value or an ordinary exception.

Three kinds of exceptions must not pass through an event loop:

* ``StopIteration`` cannot be set on a future. Whatever awaits the future would wait forever.
* ``SystemExit`` and ``KeyboardInterrupt`` in a task end the loop, and with it the worker process.
* ``CancelledError`` means that the attempt is to end, even if it comes from a task that user code created.

They are replaced by a `UserCodeError` where they occur: in the thread or in the coroutine.
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
"""Maximum size of the original message in a `UserCodeError`, in bytes."""
MAX_AWAITS = 100
"""Maximum number of awaitables that are the result of each other. The result of a future may be the future itself."""


class UserCodeError(Exception):
    """Replaces an exception of user code that must not propagate as it is."""

    def __init__(self, owner: str, original: BaseException) -> None:
        """Create the error.

        Args:
            owner: Whose code raised it, for the message.
            original: What was raised.
        """
        super().__init__(_what_happened(owner, original))
        self.original = original


class user_code:  # noqa: N801 - read as a statement: `with user_code(owner):`
    """A context manager around user code that awaits nothing.

    Raises:
        UserCodeError: The code raised an exception that must not propagate. Ordinary exceptions pass unchanged.
    """

    def __init__(self, owner: str) -> None:
        """Create the block for an owner, such as ``step `charge` of workflow `orders```."""
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
    """Call a user function, and await its result as long as the result is awaitable.

    Args:
        function: The function with its arguments.
        owner: Whose function it is, for messages.
        executor: Makes the call in one of its threads. None makes the call on the event loop.

    Raises:
        Exception: What the function raised, or a `UserCodeError` in its place.
        CancelledError: Only if the caller is cancelled.
    """
    loop = asyncio.get_running_loop()
    _contain_tasks(loop)
    if executor is None:
        with user_code(owner):
            value = function()
    else:
        # `run_in_executor` does not pass the context on. The thread would lose the activity, the span and the log
        # fields.
        context = contextvars.copy_context()
        value = await _outcome(loop.run_in_executor(executor, lambda: context.run(_in_thread, function, owner)), owner)
    for _ in range(MAX_AWAITS):
        # Even the question whether a value can be awaited runs user code: its `__class__` may raise.
        with user_code(owner):
            future = _future_of(value)
        if future is None:
            return value
        value = await _outcome(future, owner)
    raise TypeError(f"{owner} returned an awaitable whose result is an awaitable again, {MAX_AWAITS} times")


def _future_of(value: Any) -> asyncio.Future[Any] | None:
    """Return a future for a value that can be awaited, or None for any other value."""
    if isinstance(value, concurrent.futures.Future):  # a future of a thread pool
        return asyncio.wrap_future(cast("concurrent.futures.Future[Any]", value))
    return asyncio.ensure_future(value) if inspect.isawaitable(value) else None


def _in_thread(function: Callable[[], Any], owner: str) -> Any:
    with user_code(owner):
        return function()


async def _outcome(future: asyncio.Future[Any], owner: str) -> Any:
    """Return the result of a future of user code.

    If user code cancelled the future itself, that is a failure. If the caller is cancelled, the future is cancelled
    too.
    """
    cancelled = False
    while not future.done():
        try:
            # `wait` does not cancel the future. Keep waiting after a cancellation: the body may still return a result.
            await asyncio.wait({future})
        except asyncio.CancelledError:
            cancelled = True
            future.cancel()
    if cancelled and future.cancelled():
        raise asyncio.CancelledError
    with user_code(owner):
        return future.result()


_owner: contextvars.ContextVar[str | None] = contextvars.ContextVar("mastra_user_code", default=None)
"""The owner of the code that is running. Tasks and threads that user code starts inherit it."""


class _Contained(Coroutine[Any, Any, Any]):
    """A coroutine of user code in its own task that cannot end the event loop.

    asyncio re-raises ``SystemExit`` and ``KeyboardInterrupt`` of a task into the loop, which would end the worker
    process.
    """

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

    def __getattr__(self, name: str) -> Any:  # gives debuggers the coroutine's name and frame
        return getattr(self._coroutine, name)


class _TaskFactory:
    """A task factory that contains the tasks of user code and delegates all others to the previous factory."""

    def __init__(self, before: Any) -> None:
        self._before = before

    def __call__(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **settings: Any) -> asyncio.Future[Any]:
        owner = _owner.get()
        if owner is not None:
            coroutine = _Contained(coroutine, owner)
        if self._before is not None:
            return self._before(loop, coroutine, **settings)
        settings["name"] = settings.get("name") or owner  # `LoopWatch` logs this name
        return asyncio.Task(coroutine, loop=loop, **settings)


def _contain_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Install `_TaskFactory` on the loop once. It is the only hook into tasks that user code creates itself."""
    factory: Any = loop.get_task_factory()
    if not isinstance(factory, _TaskFactory):
        loop.set_task_factory(_TaskFactory(factory))


def _may_pass(error: BaseException) -> bool:
    kind = type(error)  # isinstance() would run the error's own __class__ property
    return issubclass(kind, Exception) and not issubclass(kind, StopIteration)


def _what_happened(owner: str, error: BaseException) -> str:
    text = text_of(error, MESSAGE_BYTES)
    if issubclass(type(error), SystemExit):
        return f"{owner} called sys.exit({text})"
    what = f"{owner} raised {name_of(error)}"
    if issubclass(type(error), asyncio.CancelledError):
        what += ", although nobody had canceled it"
    return f"{what}: {text}" if text else what
