"""Every argument of a building method may be any value: a wrong one is refused by name, and no raw error gets out."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mastra_temporal import DefinitionError, Mastra, clone_step, create_step, create_workflow, step

HUGE = 10**5000
"""A number that ``repr`` and JSON refuse."""


def named(value: Any) -> str:
    """The same in every process, unlike an address."""
    return value if isinstance(value, str) and value.isidentifier() else type(value).__name__


@step
async def charge(amount: int) -> int: ...


def flow(input_schema: Any = int) -> Any:
    return create_workflow(id="shop", input_schema=input_schema)


ENTRIES = {
    "parallel": lambda **display: flow().parallel([charge], **display),
    "branch": lambda **display: flow().branch([(lambda value: True, charge)], **display),
    "dowhile": lambda **display: flow().dowhile(charge, lambda value: False, **display),
    "dountil": lambda **display: flow().dountil(charge, lambda value: True, **display),
    "foreach": lambda **display: flow(list[int]).foreach(charge, **display),
    "map": lambda **display: flow().map(lambda value: value, **display),
    "sleep": lambda **display: flow().sleep(1, **display),
    "sleep_until": lambda **display: flow().sleep_until(datetime(2030, 1, 1, tzinfo=timezone.utc), **display),
}


@pytest.fixture(params=ENTRIES)
def entry(request: pytest.FixtureRequest) -> Any:
    return ENTRIES[request.param]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *(("description", bad) for bad in (5, b"text", ["text"], HUGE, "half \ud83d")),
        *(("metadata", bad) for bad in (5, "text", ["text"], HUGE, {"a": float("nan")}, {"a": object()})),
        *(("id", bad) for bad in (5, "", b"text", HUGE, "half \ud83d", "nul \0", "x" * 2000)),
    ],
    ids=named,
)
def test_what_an_entry_shows(entry: Any, name: str, bad: Any) -> None:
    with pytest.raises(DefinitionError, match="workflow `shop`") as caught:
        entry(**{name: bad})
    assert name in str(caught.value)


def test_misspelled_argument(entry: Any) -> None:
    with pytest.raises(DefinitionError, match=r"\.\w+\(\) has no argument `desription`.*`description`"):
        entry(desription="text")


def test_keys_of_metadata_are_written_as_text(entry: Any) -> None:
    [added] = entry(metadata={1: "one"}).commit().graph.entries
    assert added.metadata == {"1": "one"}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), HUGE, "5", None], ids=named)
@pytest.mark.parametrize(
    "define",
    [lambda bad: flow().sleep(bad), lambda bad: flow(list[int]).foreach(charge, concurrency=bad)],
    ids=["sleep", "foreach"],
)
def test_numbers(define: Any, bad: Any) -> None:
    with pytest.raises(DefinitionError, match="workflow `shop`"):
        define(bad)


@pytest.mark.parametrize("bad", [5, float("nan"), HUGE, "text", timedelta(1), b"text", object()], ids=named)
@pytest.mark.parametrize(
    "define",
    [
        lambda bad: flow().then(bad),
        lambda bad: flow().parallel(bad),
        lambda bad: flow().parallel([bad]),
        lambda bad: flow().branch(bad),
        lambda bad: flow().branch([bad]),
        lambda bad: flow().branch([(bad, charge)]),
        lambda bad: flow().branch([({"predicate": bad}, charge)]),
        lambda bad: flow().map(bad),
        lambda bad: flow().map({"key": bad}),
        lambda bad: flow().map({"key": {"template": bad if bad != "text" else 5}}),
        lambda bad: flow().map({"key": {"step": bad}}).commit(),
        lambda bad: flow().map({"key": {"request_context_path": bad if bad != "text" else 5}}),
        lambda bad: flow().then(charge).map({"key": {"step": charge, "path": bad if bad != "text" else 5}}),
        lambda bad: flow().map({bad if bad != "text" else 5: {"value": 1}}),
    ],
)
def test_values_in_the_place_of_others(define: Any, bad: Any) -> None:
    with pytest.raises(DefinitionError, match="workflow `shop`"):
        define(bad)


@pytest.mark.parametrize(
    "define",
    [
        lambda: create_step(id=HUGE, execute=charge),  # pyright: ignore[reportCallIssue, reportArgumentType]
        lambda: create_workflow(id=HUGE),  # pyright: ignore[reportArgumentType]
        lambda: create_workflow(id="shop", input_schema=HUGE),  # pyright: ignore[reportArgumentType]
        lambda: clone_step(charge, id=HUGE),  # pyright: ignore[reportArgumentType]
        lambda: Mastra(workflows=HUGE),  # pyright: ignore[reportArgumentType]
        lambda: Mastra(workflows=[HUGE]),  # pyright: ignore[reportArgumentType]
        lambda: Mastra(workflows=[], agents=[HUGE]),
        lambda: Mastra(workflows=[], task_queue=HUGE),  # pyright: ignore[reportArgumentType]
    ],
)
def test_values_that_python_cannot_show(define: Any) -> None:
    with pytest.raises(DefinitionError, match="cannot be shown"):
        define()
