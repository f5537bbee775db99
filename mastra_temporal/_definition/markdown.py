"""The graph of a workflow for people: a Markdown table that the Temporal UI shows with every run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta

from mastra_temporal._protocol.graph import (
    ConditionalEntry,
    Entry,
    ForeachEntry,
    LoopEntry,
    MappingEntry,
    NestedEntry,
    ParallelEntry,
    SleepEntry,
    SleepUntilEntry,
    StepEntry,
    WorkflowGraph,
)

__all__ = ["cell", "fingerprint", "outline", "table_head", "table_row"]

MAX_ROWS = 60
MAX_CELL = 120
"""Characters. With `MAX_ROWS` it keeps the table under the 20,000 bytes that the server takes."""
KINDS = {ParallelEntry: "all of", ConditionalEntry: "those whose condition holds", MappingEntry: "mapping"}

Row = tuple[str, str, str, str | None]
"""Number, name, what it does, description."""


def outline(graph: WorkflowGraph) -> str:
    """The entries of a workflow as a Markdown table, nested ones numbered below their parents."""
    rows = list(_rows(graph.entries, ""))
    lines = [table_row(number, name, cell(kind), cell(about or "")) for number, name, kind, about in rows]
    if len(lines) > MAX_ROWS:
        lines[MAX_ROWS:] = [table_row("", "", f"{len(rows) - MAX_ROWS} more", "")]
    return "\n".join([*table_head("#", "Step", "Kind", "Description"), *lines])


def fingerprint(graph: WorkflowGraph) -> str:
    """What tells one graph from another: runs with the same one follow the same definition."""
    return hashlib.sha256(graph.model_dump_json(by_alias=True).encode()).hexdigest()[:12]


def table_head(*titles: str) -> list[str]:
    """The first two lines of a Markdown table."""
    return [table_row(*titles), "|" + " --- |" * len(titles)]


def table_row(*cells: str) -> str:
    """A line of a Markdown table. The UI leaves no room between columns, so each cell brings its own."""
    return "| " + " | ".join(f"{text}\u2003" for text in cells) + " |"


def cell(text: str) -> str:
    """A text that fits into one cell of a Markdown table."""
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= MAX_CELL else f"{line[: MAX_CELL - 1]}…"


def _rows(entries: Iterable[Entry], prefix: str) -> Iterable[Row]:
    for number, entry in enumerate(entries, start=1):
        yield from _rows_of(entry, f"{prefix}{number}")


def _rows_of(entry: Entry, number: str) -> Iterable[Row]:
    if isinstance(entry, StepEntry):
        yield number, _code(entry.step.id), entry.step.component or "step", entry.step.description
    elif isinstance(entry, NestedEntry):
        yield number, _code(entry.id), "workflow", entry.description
        yield from _rows(entry.serialized_step_flow, f"{number}.")
    elif isinstance(entry, (ParallelEntry, ConditionalEntry)):
        yield number, _code(entry.id), KINDS[type(entry)], entry.description
        yield from _rows(entry.steps, f"{number}.")
    elif isinstance(entry, LoopEntry):
        yield number, _code(entry.id), "repeat while" if entry.loop_type == "dowhile" else "repeat until", None
        yield from _rows([entry.step], f"{number}.")
    elif isinstance(entry, ForeachEntry):
        at_once = "some" if entry.opts.concurrency is None else entry.opts.concurrency
        yield number, _code(entry.id), f"for each item, {at_once} at once", entry.description
        yield from _rows([entry.step], f"{number}.")
    else:
        yield number, _code(entry.id), _timing(entry), entry.description


def _timing(entry: MappingEntry | SleepEntry | SleepUntilEntry) -> str:
    if isinstance(entry, MappingEntry):
        return "mapping"
    if isinstance(entry, SleepUntilEntry):
        return f"sleep until {entry.date}" if entry.date else "sleep until a computed date"
    if entry.duration is None:
        return "sleep for a computed time"
    return f"sleep {timedelta(milliseconds=entry.duration)}"


def _code(name: str | None) -> str:
    return f"`{cell(name)}`" if name else ""
