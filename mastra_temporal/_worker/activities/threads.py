"""Threads for user code that is not async. A call never waits for a thread."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, TypeVar

__all__ = ["Threads"]

T = TypeVar("T")


class Threads(Executor):
    """An executor that runs each call in an idle thread, or else in a new one.

    The worker limits its concurrent calls, which limits the threads. A call that never returns keeps its thread, and
    the next call gets another. All threads are daemons: a stuck one does not keep the process from exiting.
    """

    def __init__(self, name: str) -> None:
        """Create the executor without any threads.

        Args:
            name: The prefix of the threads' names.
        """
        self._name = name
        self._numbers = itertools.count()
        self._calls = SimpleQueue[tuple["Future[Any]", Callable[[], Any]]]()
        self._free = threading.Semaphore(0)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See base class."""
        future = Future[T]()
        self._calls.put((future, functools.partial(fn, *args, **kwargs)))
        # One permit stands for one thread that is idle or about to take the next call.
        if not self._free.acquire(blocking=False):
            name = f"{self._name}-{next(self._numbers)}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            _make(*self._calls.get())
            self._free.release()


def _make(future: Future[Any], call: Callable[[], Any]) -> None:
    """Run a call and set its future, unless the future was cancelled."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
