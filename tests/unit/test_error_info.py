"""Errors as data: whatever an exception does when it is looked at, it is told, bounded, as JSON that can be written."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError

from mastra_temporal import NonRetryableError, TripWire
from mastra_temporal._worker.activities.boundary import UserCodeError
from mastra_temporal._worker.activities.failure import (
    ERROR_BYTES,
    error_info,
    is_retryable,
    recorded_cause,
    summary,
    tripwire_info,
    wanted_delay,
)
from mastra_temporal.errors import SchemaValidationError
from tests.odd_exceptions import GRIN, Group, Unreadable, refuse

HALF = "\ud83d"


class Nameless(type):
    """A class whose name cannot be read."""

    __name__ = __mro__ = property(refuse)  # type: ignore[assignment]


class OfNameless(Exception, metaclass=Nameless):
    """Of such a class."""


class Text(str):
    """Text that cannot be used as such."""

    __getitem__ = __len__ = encode = __str__ = __iter__ = __format__ = refuse  # type: ignore[assignment]


class Speaking(Exception):
    """Says such a text."""

    def __str__(self) -> str:
        return Text("said")


def having(error: BaseException, **attributes: Any) -> BaseException:
    vars(error).update(attributes)
    return error


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def nested(levels: int) -> Any:
    value: Any = "inside"
    for _ in range(levels):
        value = [value]
    return value


def chain(length: int, *, closed: bool) -> BaseException:
    errors = [RuntimeError(f"link {index}") for index in range(length)]
    for error, cause in zip(errors, errors[1:] + errors[: int(closed)], strict=False):
        error.__cause__ = cause
    return errors[0]


def circle_of_contexts() -> BaseException:
    one, other = RuntimeError("one"), RuntimeError("other")
    one.__context__, other.__context__ = other, one
    return one


def recursion() -> BaseException:
    def again(left: int) -> None:
        once_more(left) if left else refuse()

    def once_more(left: int) -> None:
        again(left - 1)

    try:
        again(300)
    except SystemExit as error:
        return error
    raise AssertionError


MISUSED = SchemaValidationError(GRIN * 100_000, code=HALF, issues=[{"path": [], "message": HALF}] * 100_000)

ERRORS: dict[str, Callable[[], BaseException]] = {
    "unreadable": Unreadable,
    "unreadable cause": lambda: caused(RuntimeError("told"), Unreadable()),
    "unreadable class": lambda: OfNameless("told"),
    "unreadable text": Speaking,
    "number too long for a text": lambda: ValueError(10**6000),
    "numbers as attributes": lambda: having(RuntimeError("told"), number=10**6000, other=10**30),
    "closed chain": lambda: chain(3, closed=True),
    "long chain": lambda: chain(5000, closed=False),
    "circle of contexts": circle_of_contexts,
    "half a character": lambda: having(RuntimeError(f"half {HALF}"), half=HALF, **{HALF: {HALF: [HALF]}}),
    "zero": lambda: RuntimeError("\0"),
    "million emoji": lambda: RuntimeError(GRIN * 1_000_000),
    "million controls": lambda: RuntimeError("\x01" * 1_000_000),
    "million emoji as an attribute": lambda: having(RuntimeError("told"), face=GRIN * 1_000_000),
    "many large attributes": lambda: having(RuntimeError("told"), **{f"a{index}": GRIN * 1000 for index in range(999)}),
    "long key": lambda: having(RuntimeError("told"), **{"k" * 1_000_000: 1}),
    "too deep": lambda: having(RuntimeError("told"), deep=nested(300)),
    "much too deep": lambda: having(RuntimeError("told"), deep=nested(50_000)),
    "NaN": lambda: having(RuntimeError("told"), nan=float("nan"), infinite=[float("-inf")]),
    "odd keys": lambda: having(RuntimeError("told"), keys={1: 1, None: 2}, worse={(1, 2): 3}),
    "data": lambda: RuntimeError({"message": f"told {HALF}", "name": f"Own {HALF}", "code": 7, object: object()}),
    "data of no use": lambda: RuntimeError({"code": Unreadable()}),
    "misused": lambda: MISUSED,
    "stray": lambda: UserCodeError("step `a`", SystemExit(Unreadable())),
    "bare cancellation": lambda: UserCodeError("step `a`", asyncio.CancelledError()),
    "recursion": recursion,
    "long name": lambda: type("N" * 5000, (Exception,), {})("told"),
    "Temporal's": lambda: ApplicationError(GRIN * 1_000_000, {"a": 1}, type="Refused"),
    "group look-alike": lambda: having(RuntimeError("told"), exceptions=[RuntimeError(GRIN * 9999)] * 9999),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_is_told_within_bounds(kind: str):
    error = ERRORS[kind]()
    info = error_info(error)
    text = to_json(info)
    assert len(text) < ERROR_BYTES
    assert from_json(text) == info
    assert isinstance(info["name"], str)
    assert isinstance(info["message"], str)
    assert info["name"]
    assert len(summary(info).encode()) < 3000
    assert is_retryable(error, ["Unknown"])
    assert (wanted_delay(error), tripwire_info(error)) == (None, None)


@pytest.mark.parametrize("kind", ERRORS)
async def test_every_error_is_a_cause_that_temporal_can_record(kind: str):
    failure, raised = Failure(), ApplicationError("failed")
    raised.__cause__ = recorded_cause(ERRORS[kind]())
    await pydantic_data_converter.encode_failure(raised, failure)
    assert failure.cause.application_failure_info.type
    assert failure.ByteSize() < 100_000


def told(kind: str) -> dict[str, Any]:
    return error_info(ERRORS[kind]())


def test_what_can_be_said_is_said():
    assert told("unreadable") == {
        "name": "Unreadable",
        "message": "Unreadable without a readable message: its str() raises",
    }
    assert told("unreadable cause")["cause"]["name"] == "Unreadable"
    assert told("unreadable class") == {"name": "OfNameless", "message": "told"}
    assert told("unreadable text") == {"name": "Speaking", "message": "said"}
    assert told("numbers as attributes") == {"name": "RuntimeError", "message": "told", "other": 10**30}
    assert told("closed chain")["cause"]["cause"] == {"name": "RuntimeError", "message": "link 2"}
    assert told("circle of contexts")["cause"] == {"name": "RuntimeError", "message": "other"}
    assert told("half a character") == {
        "name": "RuntimeError",
        "message": "half \ufffd",
        "half": "\ufffd",
        "\ufffd": {"\ufffd": ["\ufffd"]},
    }
    assert told("million emoji")["message"].startswith(GRIN * 8000)
    assert told("million emoji")["message"].endswith(f"{GRIN}... (cut: it was too large)")
    assert told("too deep") == told("much too deep") == {"name": "RuntimeError", "message": "told"}
    assert told("NaN") == {"name": "RuntimeError", "message": "told", "nan": None, "infinite": [None]}
    assert told("odd keys") == {"name": "RuntimeError", "message": "told", "keys": {"1": 1, "null": 2}}
    assert told("data") == {"name": "Own \ufffd", "message": "told \ufffd", "code": 7}
    assert told("stray")["name"] == "SystemExit"
    assert told("bare cancellation")["message"] == "step `a` raised CancelledError, although nobody had canceled it"


def test_a_context_is_a_cause_unless_it_is_suppressed():
    def raised(**how: Any) -> dict[str, Any]:
        try:
            try:
                raise KeyError("first")
            except KeyError as error:
                if how:
                    raise RuntimeError("second") from (error if how["cause"] else None)
                raise RuntimeError("second")  # noqa: B904 - the point
        except RuntimeError as error:
            return error_info(error)

    first = {"name": "KeyError", "message": "'first'"}
    assert raised() == raised(cause=True) == {"name": "RuntimeError", "message": "second", "cause": first}
    assert raised(cause=False) == {"name": "RuntimeError", "message": "second"}


def test_a_group_tells_what_is_in_it():
    timeout = caused(TimeoutError("no answer"), OSError("unplugged"))
    inner = Group("inner", [timeout, UserCodeError("step `a`", SystemExit(2))])
    info = error_info(Group("outer", [ValueError("no"), inner]))
    assert info["message"] == (
        "outer: ValueError: no; TimeoutError: no answer; SystemExit: step `a` called sys.exit(2)"
    )
    value_error, group = info["errors"]
    assert value_error == {"name": "ValueError", "message": "no"}
    assert group["errors"][0]["cause"] == {"name": "OSError", "message": "unplugged"}
    assert [error["name"] for error in group["errors"]] == ["TimeoutError", "SystemExit"]
    many = error_info(Group("many", [RuntimeError(str(index)) for index in range(500)]))
    assert many["message"].endswith("RuntimeError: 9; and 490 more")
    assert many["errors"][499] == {"name": "RuntimeError", "message": "499"}


@pytest.mark.parametrize(
    ("error", "types", "retryable"),
    [
        (Group("g", [ValueError(), KeyError()]), [], True),
        (Group("g", [ValueError(), Group("h", [NonRetryableError("no")])]), [], False),
        (Group("g", [ValueError(), Group("h", [caused(KeyError(), NonRetryableError("no"))])]), [], False),
        (Group("g", [ApplicationError("no", non_retryable=True)]), [], False),
        (Group("g", [ZeroDivisionError()]), ["ArithmeticError"], False),
        (caused(RuntimeError(), NonRetryableError("no")), [], False),
        (caused(RuntimeError(), caused(KeyError(), ZeroDivisionError())), ["ZeroDivisionError"], False),
        (UserCodeError("step `a`", SystemExit(1)), [], True),
        (UserCodeError("step `a`", SystemExit(1)), ["SystemExit"], False),
    ],
)
def test_what_forbids_a_retry_is_found_inside(error: BaseException, types: list[str], retryable: bool):
    assert is_retryable(error, types) is retryable


def test_a_tripwire_is_found_in_a_group_but_not_as_a_cause():
    """Who raises another error from it has handled it."""
    tripwire = TripWire("stop", retry=False, metadata={"score": float("nan"), HALF: 1}, processor_id="moderation")
    told = {"reason": "stop", "retry": False, "metadata": {"score": None, "\ufffd": 1}, "processorId": "moderation"}
    assert tripwire_info(tripwire) == tripwire_info(Group("g", [KeyError(), Group("h", [tripwire])])) == told
    assert tripwire_info(caused(RuntimeError(), tripwire)) is None
    assert tripwire_info(TripWire("stop", metadata={"a": object()})) == {"reason": "stop"}


def test_the_delay_that_an_error_wants():
    assert wanted_delay(ApplicationError("later", next_retry_delay=timedelta(seconds=2))) == timedelta(seconds=2)
    assert wanted_delay(ApplicationError("later", next_retry_delay=timedelta(seconds=-2))) is None


async def test_the_recorded_cause_has_the_place_where_it_was_raised():
    async def fail() -> None:
        try:
            refuse()
        except SystemExit as error:
            raise Group("outer", [error]) from None

    try:
        await fail()
    except Group as error:
        recorded = recorded_cause(error)
    failure = Failure()
    await pydantic_data_converter.encode_failure(recorded, failure)
    assert failure.application_failure_info.type == "Group"
    assert ", in fail" in failure.stack_trace
    assert ", in refuse" in failure.cause.stack_trace
