"""What changes the fingerprint of a function, and what does not."""

import functools
import linecache
import logging
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta, timezone
from fractions import Fraction
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from mastra_temporal._definition import fingerprint as module
from mastra_temporal._definition.fingerprint import fingerprint


def made(source: str, *, name: str = "f", with_source: bool = True, **scope: Any) -> Callable[..., Any]:
    """The function that a module with this source defines."""
    file = f"<{hash((source, with_source))}>"
    if with_source:
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), scope)
    return scope[name]


def of(source: str, **settings: Any) -> str:
    return fingerprint("mapping", made(source, **settings))


def mark(function: Any) -> str:
    return fingerprint("mapping", function)


SAME = [
    ("f = lambda x: x + 1", "\n\nf = (lambda x:   # adds\n  (x +\n  1))"),
    ("f = lambda x: 'a'", 'f = lambda x: "a"'),
    ("def f(x):\n  return x", "def f(x):\n    # comment\n    'Docs.'\n\n    return x"),
    ("def f(x):\n  return x", "def other(x):\n  return x\nf = other"),
    (
        "def f(x):\n  def g():\n    return x\n  return g()",
        "def f(x):\n  def g():\n    'Docs.'\n    return x\n  return g()",
    ),
]
if sys.version_info >= (3, 11):  # from here on code knows its columns, and lambdas in one line can be told apart
    SAME += [
        ("f = lambda x: x + 1", "a, f, b = lambda x: x + 2, lambda x: x + 1, lambda x: x + 3"),
        ("f = lambda x: x + 1", "f = (lambda: (lambda x: x + 1))()"),
    ]
DIFFERENT = [
    ("f = lambda x: x + 1", "f = lambda x: x + 2"),
    ("f = lambda x: x + 1", "f = lambda x: x + 1.0"),
    ("f = lambda x: 1", "f = lambda x: True"),
    ("f = lambda x: None", "f = lambda x: ..."),
    ("f = lambda x: x.a", "f = lambda x: x.b"),
    ("f = lambda x: x", "f = lambda x, y=1: x"),
    ("f = lambda x, n=1: n", "f = lambda x, n=2: n"),
    ("f = lambda x: [y for y in x]", "f = lambda x: {y for y in x}"),
    ("def f(x):\n  return x", "async def f(x):\n  return x"),
    ("import operator\nf = operator.itemgetter('a')", "import operator\nf = operator.itemgetter('b')"),
    ("import operator\nf = operator.attrgetter('a')", "import operator\nf = operator.attrgetter('b')"),
    ("import operator\nf = operator.methodcaller('a')", "import operator\nf = operator.methodcaller('b')"),
    (
        "import functools\n@functools.lru_cache\ndef f(x):\n  return 1",
        "import functools\n@functools.lru_cache\ndef f(x):\n  return 2",
    ),
    ("f = lambda x: (lambda y: y + 1)(x)", "f = lambda x: (lambda y: y + 2)(x)"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same(one: str, other: str):
    assert of(one) == of(other)


@pytest.mark.parametrize("with_source", [True, False])
@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different(one: str, other: str, with_source: bool):
    assert of(one, with_source=with_source) != of(other, with_source=with_source)


def test_an_annotation_counts():
    assert of("def f(x: int):\n  return x") != of("def f(x: str):\n  return x")


def test_without_source_the_code_itself_counts():
    assert of("f = lambda x: x + 1", with_source=False) == of("\n\nf = (lambda x: # adds\n x + 1)", with_source=False)


def test_what_it_is_used_for_counts():
    assert fingerprint("mapping", len) != fingerprint("condition", len)


def test_lambdas_on_one_line_are_told_apart_also_where_they_nest():
    found = [lambda x: x + 1, lambda x: x + 2, lambda x: (lambda x: x + 1)(x), (lambda x: lambda x: x + 1)(0)]
    marks = [mark(each) for each in found]  # pyright: ignore[reportUnknownVariableType]
    assert len(set(marks)) == 3
    assert marks[0] == marks[3]


def test_two_that_cannot_be_told_apart_in_the_source_are_told_apart_by_their_code(monkeypatch: pytest.MonkeyPatch):
    one, other = lambda x: x + 1, lambda x: x + 2  # pyright: ignore[reportUnknownVariableType, reportUnknownLambdaType]
    monkeypatch.setattr(module, "_places", lambda _: [])  # pyright: ignore[reportUnknownLambdaType] - as on Python 3.10
    assert mark(one) != mark(other)


class Order(BaseModel):
    total: int


@dataclass
class Limit:
    at: int


@dataclass(frozen=True)
class Above:
    """A function with a value of its own."""

    limit: int

    def __call__(self, value: int) -> bool:
        return value > self.limit

    def holds(self, value: int) -> bool:
        return value > self.limit


class Tariff:
    """An ordinary object with a value, and with something that is no data."""

    def __init__(self, rate: int, *, lock: bool = True) -> None:
        self.rate = rate
        self.zones = {"near", "far"}
        self.log = logging.getLogger(__name__)
        self.lock = threading.Lock() if lock else None

    def price(self, value: int) -> int:
        return value * self.rate


class CallableTariff(Tariff):
    def __call__(self, value: int) -> int:
        return value * self.rate


class Slotted:
    __slots__ = ("limit", "unset")

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __call__(self, value: int) -> bool:
        return value > self.limit


class Service:
    """What has a state that differs from process to process."""

    def __init__(self) -> None:
        self.calls = [object()]

    def call(self, value: Any) -> Any: ...

    def other(self, value: Any) -> Any:
        return value


def capturing(value: Any) -> Callable[..., Any]:
    return lambda _: value


VALUES = [
    (1, 2),
    ("a", "b"),
    ([1, {"a": (2,)}], [1, {"a": (3,)}]),
    ({1, 2}, {1, 3}),
    (timedelta(1), timedelta(2)),
    (Order(total=1), Order(total=2)),
    (Limit(1), Limit(2)),
    (lambda x: x + 1, lambda x: x + 2),  # pyright: ignore[reportUnknownLambdaType]
    (int, str),
    (Tariff(1, lock=False), Tariff(2, lock=False)),
    ([Tariff(1, lock=False)], [Tariff(2, lock=False)]),
    (Slotted(1), Slotted(2)),
    (SimpleNamespace(a=1), SimpleNamespace(a=2)),
    (re.compile("a"), re.compile("b")),
    (re.compile("a"), re.compile("a", re.IGNORECASE)),
    (range(3), range(4)),
    (deque([1]), deque([2])),
    (deque([1], 1), deque([1], 2)),
    (bytearray(b"a"), bytearray(b"b")),
    (frozenset("ab"), frozenset("ac")),
    (MappingProxyType({"a": 1}), MappingProxyType({"a": 2})),
    (timezone.utc, timezone(timedelta(hours=1))),
    (Fraction(1, 2), Fraction(1, 3)),
]


class TestCaptured:
    @pytest.mark.parametrize(("one", "other"), VALUES)
    def test_values_count(self, one: Any, other: Any):
        assert mark(capturing(one)) != mark(capturing(other))
        assert mark(functools.partial(capturing, one)) != mark(functools.partial(capturing, other))

    def test_other_objects_count_by_their_class(self):
        assert mark(capturing(Service())) == mark(capturing(Service())) != mark(capturing(object()))

    def test_what_belongs_to_one_process_counts_by_its_class(self):
        assert mark(capturing(Tariff(1))) == mark(capturing(Tariff(2)))
        before, log = mark(capturing(logging.getLogger("a"))), logging.getLogger("a")
        log.isEnabledFor(logging.INFO)  # fills a cache
        assert mark(capturing(log)) == before != mark(capturing(logging.getLogger("b")))

    def test_objects_that_lead_to_many_others(self):
        nodes = [SimpleNamespace(number=number, others=[]) for number in range(40)]
        for node in nodes:
            node.others = nodes
        assert mark(capturing((nodes[0], 1))) != mark(capturing((nodes[0], 2)))

    def test_what_captures_itself(self):
        def first(value: Any) -> Any:
            return second(value)

        def second(value: Any) -> Any:
            return first(value)

        endless: list[Any] = []
        endless.append(endless)
        assert mark(first) == mark(first)
        assert mark(capturing(endless)) == mark(capturing(endless))


class TestCallables:
    def test_objects(self):
        assert mark(Above(1)) == mark(Above(1)) != mark(Above(2))
        assert mark(Above(1).holds) == mark(Above(1).holds) != mark(Above(2).holds)
        assert mark(Above(1).holds) != mark(Above(1))
        assert mark(Slotted(1)) == mark(Slotted(1)) != mark(Slotted(2))

    def test_objects_with_a_state_that_is_partly_data(self):
        assert mark(CallableTariff(1)) == mark(CallableTariff(1)) != mark(CallableTariff(2))
        assert mark(Tariff(1).price) == mark(Tariff(1).price) != mark(Tariff(2).price)
        assert mark(functools.partial(Tariff(1).price, 1)) != mark(functools.partial(Tariff(2).price, 1))

    def test_wrappers_that_are_no_decorators(self):
        def times(function: Any, factor: int) -> Any:
            @functools.wraps(function)
            def wrapper(value: int) -> int:
                return function(value) * factor

            return wrapper

        marks = [mark(times(*given)) for given in ((len, 1), (len, 2), (sum, 1), (len, 1))]
        assert len(set(marks)) == 3
        assert marks[0] == marks[3]
        assert mark(functools.wraps(len)(lambda x: len(x))) != mark(functools.wraps(len)(lambda x: len(x) + 1))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]

    def test_a_single_dispatch_counts_with_its_registrations(self):
        def dispatching(*more: tuple[type, Any]) -> Any:
            function: Any = functools.singledispatch(lambda x: x)  # pyright: ignore[reportUnknownLambdaType]
            for kind, each in more:
                function.register(kind, each)
            return function

        used = dispatching((int, len), (str, sum))
        used(1.5)  # fills a cache
        assert mark(used) == mark(dispatching((str, sum), (int, len)))
        assert len({mark(each) for each in (dispatching(), used, dispatching((int, sum), (str, sum)))}) == 3

    def test_methods(self):
        assert mark(Service().call) == mark(Service().call) != mark(Service().other)

    def test_what_is_not_written_in_python(self):
        assert len({mark(each) for each in (len, sum, str.upper, str.lower, bool, "a".join, "b".join)}) == 7

    def test_a_decorated_function_is_the_one_that_was_written(self):
        template = (
            "import functools\n"
            "def by(n):\n  def deco(g):\n    @functools.wraps(g)\n    def w(*a):\n      return g(*a) * n\n"
            "    return w\n  return deco\n"
            "@by({factor})\ndef f(x):\n  return x + {term}\n"
        )
        marks = [of(template.format(factor=factor, term=term)) for factor, term in ((1, 1), (2, 1), (1, 2), (1, 1))]
        assert len(set(marks)) == 3
        assert marks[0] == marks[3]


def test_it_is_the_same_in_every_process():
    program = (
        "from tests.unit.test_fingerprint import *\n"
        "print([mark(capturing({'a', 'b', 'c', 'd'})), mark(Service().call), mark(made), mark(capturing(len)), "
        "mark(CallableTariff(1)), mark(Tariff(1).price), mark(functools.singledispatch(made)), "
        "[mark(capturing(value)) for pair in VALUES for value in pair]])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
