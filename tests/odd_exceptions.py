"""Exceptions as user code can raise them, beyond the ordinary ones."""

import asyncio
import concurrent.futures
import sys
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["GRIN", "KINDS", "Group", "Unreadable", "refuse"]

GRIN = "\U0001f600"


def refuse(*_: Any) -> Any:
    raise SystemExit("nobody may look at me")


class Unreadable(Exception):
    """Everything about it raises."""

    args = exceptions = __cause__ = __context__ = __suppress_context__ = property(refuse)  # type: ignore[assignment]
    __traceback__ = __class__ = __dict__ = property(refuse)  # type: ignore[assignment]
    __str__ = __repr__ = __hash__ = __eq__ = refuse  # type: ignore[assignment]


class Group(Exception):
    """An exception group as Python 3.10 has it from a package: recognized by its exceptions."""

    def __init__(self, message: str, exceptions: list[BaseException]) -> None:
        super().__init__(message)
        self._exceptions = tuple(exceptions)

    @property
    def exceptions(self) -> tuple[BaseException, ...]:
        return self._exceptions


class Halt(BaseException):
    """Not an `Exception`."""


def raising(make: Callable[[], BaseException]) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise make()

    return fail


def unreadable_cause() -> NoReturn:
    raise RuntimeError("told") from Unreadable()


def closed_chain() -> NoReturn:
    error = RuntimeError("told")
    error.__cause__ = KeyError("cause")
    error.__cause__.__cause__ = error
    raise error


def with_attributes() -> NoReturn:
    error, deep = RuntimeError("told \ud83d"), "inside"
    for _ in range(300):
        deep = [deep]
    vars(error).update(deep=deep, half="\ud83d", number=float("nan"))
    raise error


KINDS: dict[str, tuple[Callable[[], NoReturn], str]] = {
    "StopIteration": (lambda: next(iter([])), "StopIteration"),
    "CancelledError": (raising(asyncio.CancelledError), "although nobody had canceled it"),
    "GeneratorExit": (raising(GeneratorExit), "GeneratorExit"),
    "Halt": (raising(lambda: Halt("at once")), "raised Halt: at once"),
    "SystemExit": (lambda: sys.exit(2), "called sys.exit(2)"),
    "KeyboardInterrupt": (raising(KeyboardInterrupt), "KeyboardInterrupt"),
    "Unreadable": (raising(Unreadable), "Unreadable"),
    "unreadable cause": (unreadable_cause, "told"),
    "closed chain": (closed_chain, "told"),
    "attributes": (with_attributes, "told \ufffd"),
    "long number": (raising(lambda: ValueError(10**6000)), "ValueError"),
    "million emoji": (raising(lambda: RuntimeError(GRIN * 1_000_000)), GRIN),
    "group": (raising(lambda: Group("many", [KeyError("one"), Group("more", [Halt("two")])])), "KeyError: 'one'; Halt"),
    "cancelled thread": (raising(concurrent.futures.CancelledError), "CancelledError"),
}
"""What is raised, and what the recorded message says of it."""
