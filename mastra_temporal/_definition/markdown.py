"""The graph of a workflow as a Markdown table, which the Temporal UI shows with every run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from mastra_temporal._protocol.graph import (
    Entry,
    ForeachEntry,
    NestedEntry,
    SleepEntry,
    SleepUntilEntry,
    StepEntry,
    WorkflowGraph,
)

__all__ = ["cell", "fingerprint", "graph_table", "table_head", "table_row"]

MAX_ROWS = 60
MAX_CELL = 120
"""The longest text of a cell, in characters. `MAX_ROWS` and `MAX_CELL` keep the table below the server's limit of
20,000 bytes."""

Row = tuple[str, str, str, str | None]
"""The number, name, kind and description of an entry."""


def graph_table(graph: WorkflowGraph) -> str:
    """Return the entries of a workflow as a Markdown table, with nested entries below their parents."""
    rows = list(_rows(graph.entries, ""))
    lines = [table_row(number, name, cell(kind), cell(about or "")) for number, name, kind, about in rows]
    if len(lines) > MAX_ROWS:
        lines[MAX_ROWS:] = [table_row("", "", f"{len(rows) - MAX_ROWS} more", "")]
    return "\n".join([*table_head("#", "Step", "Kind", "Description"), *lines])


def fingerprint(graph: WorkflowGraph) -> str:
    """Return the fingerprint of a graph. Runs with the same fingerprint follow the same graph."""
    return hashlib.sha256(graph.model_dump_json(by_alias=True).encode()).hexdigest()[:12]


def table_head(*titles: str) -> list[str]:
    """Return the first two lines of a Markdown table."""
    return [table_row(*titles), "|" + " --- |" * len(titles)]


def table_row(*cells: str) -> str:
    """Return a line of a Markdown table. Each cell ends with a space, because the UI shows no gap between columns."""
    return "| " + " | ".join(f"{text}\u2003" for text in cells) + " |"


def cell(text: str) -> str:
    """Return the text for one cell of a Markdown table: on one line, with escaped bars, cut after `MAX_CELL`."""
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= MAX_CELL else f"{line[: MAX_CELL - 1]}…"


def _rows(entries: Iterable[Entry], prefix: str) -> Iterable[Row]:
    for number, entry in enumerate(entries, start=1):
        yield from _rows_of(entry, f"{prefix}{number}")


def _rows_of(entry: Entry, number: str) -> Iterable[Row]:
    shown = entry.step if isinstance(entry, StepEntry) else entry
    yield number, _code(shown.id), KINDS[entry.type](entry), shown.description
    inside = entry.serialized_step_flow if isinstance(entry, NestedEntry) else entry.bodies
    if inside != [entry]:
        yield from _rows(inside, f"{number}.")


def _sleep_until(entry: SleepUntilEntry) -> str:
    return f"sleep until {entry.date}" if entry.date else "sleep until a computed date"


def _sleep(entry: SleepEntry) -> str:
    return "sleep for a computed time" if entry.duration is None else f"sleep {timedelta(milliseconds=entry.duration)}"


def _foreach(entry: ForeachEntry) -> str:
    at_once = "some" if entry.opts.concurrency is None else entry.opts.concurrency
    return f"for each item, {at_once} at once"


KINDS: dict[str, Callable[[Any], str]] = {
    "step": lambda entry: entry.step.component or "step",
    "workflow": lambda _: "workflow",
    "parallel": lambda _: "all of",
    "conditional": lambda _: "those whose condition holds",
    "loop": lambda entry: "repeat while" if entry.loop_type == "dowhile" else "repeat until",
    "foreach": _foreach,
    "mapping": lambda _: "mapping",
    "sleep": _sleep,
    "sleepUntil": _sleep_until,
}
"""Functions that describe an entry in words, by the entry's type."""


def _code(name: str | None) -> str:
    return f"`{cell(name)}`" if name else ""
