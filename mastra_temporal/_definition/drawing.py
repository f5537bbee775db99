"""Drawings of a workflow's graph: as a Mermaid flowchart, and as indented text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from mastra_temporal._definition.markdown import KINDS
from mastra_temporal._protocol.graph import (
    Body,
    ConditionalEntry,
    Entry,
    ForeachEntry,
    FunctionInfo,
    LoopEntry,
    NestedEntry,
    ParallelEntry,
    SleepEntry,
    SleepUntilEntry,
    StepEntry,
    WorkflowGraph,
)

__all__ = ["mermaid", "text"]

MAX_CONDITION = 60
"""The longest condition in a drawing, in characters."""

SIGNS = {"eq": "=", "ne": "≠", "lt": "<", "lte": "≤", "gt": ">", "gte": "≥"}
"""The comparisons of a predicate, for a person."""

Source = tuple[str, str | None]
"""A node from which an edge begins, and the edge's label."""


def mermaid(graph: WorkflowGraph) -> str:
    """Return a graph as a Mermaid flowchart, for GitHub, Markdown or https://mermaid.live."""
    drawing = _Flowchart()
    ends = drawing.flow(graph.entries, [(drawing.node("([start])"), None)])
    drawing.node("([end])", ends)
    return "\n".join(["flowchart TD", *drawing.lines])


def text(graph: WorkflowGraph) -> str:
    """Return a graph as indented text, one entry a line."""
    return "\n".join([graph.id, *_lines(graph.entries, "  ")])


class _Flowchart:
    """A flowchart that grows entry by entry. Each entry begins with one new node."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._nodes = 0
        self._indent = "  "

    def flow(self, entries: Iterable[Entry], sources: list[Source]) -> list[Source]:
        """Draw entries one after the other. Return where the next one begins."""
        for entry in entries:
            sources = self._entry(entry, sources)
        return sources

    def node(self, shape: str, sources: Iterable[Source] = ()) -> str:
        """Draw a node with the edges that lead to it, and return its name."""
        self._nodes += 1
        name = f"n{self._nodes}"
        self._line(f"{name}{shape}")
        for source in sources:
            self._edge(source, name)
        return name

    def _entry(self, entry: Entry, sources: list[Source]) -> list[Source]:
        match entry:
            case StepEntry() | NestedEntry():
                return self._body(entry, sources)
            case ParallelEntry():
                fork = self.node("{{all of}}", sources)
                return [end for body in entry.steps for end in self._body(body, [(fork, None)])]
            case ConditionalEntry():
                return self._branches(entry, sources)
            case LoopEntry():
                return self._loop(entry, sources)
            case ForeachEntry():
                return self._inside(KINDS["foreach"](entry), [entry.step], sources)
            case SleepEntry() | SleepUntilEntry():
                return [(self.node(f"([{_quoted(KINDS[entry.type](entry))}])", sources), None)]
            case _:
                return [(self.node(f"[/{_quoted(entry.id)}/]", sources), None)]

    def _body(self, body: Body, sources: list[Source]) -> list[Source]:
        if isinstance(body, NestedEntry):
            return self._inside(body.id, body.serialized_step_flow, sources)
        shape = f"[[{_quoted(body.step.id)}]]" if body.step.can_suspend else f"[{_quoted(body.step.id)}]"
        return [(self.node(shape, sources), None)]

    def _inside(self, title: str, entries: Iterable[Entry], sources: list[Source]) -> list[Source]:
        """Draw entries within a frame."""
        self._line(f"subgraph s{self._nodes + 1} [{_quoted(title)}]")
        self._indent += "  "
        ends = self.flow(entries, sources)
        self._indent = self._indent[2:]
        self._line("end")
        return ends

    def _branches(self, entry: ConditionalEntry, sources: list[Source]) -> list[Source]:
        fork = self.node("{those whose condition holds}", sources)
        conditions = _conditions(entry)
        ends = [
            end for body, name in zip(entry.steps, conditions, strict=True) for end in self._body(body, [(fork, name)])
        ]
        return [*ends, (fork, "none holds")]

    def _loop(self, entry: LoopEntry, sources: list[Source]) -> list[Source]:
        head = f"n{self._nodes + 1}"
        ends = self._body(entry.step, sources)
        decision = self.node(f"{{{_quoted(_condition(entry.serialized_condition, entry.predicate))}}}", ends)
        again, on = ("yes", "no") if entry.loop_type == "dowhile" else ("no", "yes")
        self._edge((decision, again), head)
        return [(decision, on)]

    def _edge(self, source: Source, target: str) -> None:
        name, label = source
        self._line(f"{name} --> {target}" if label is None else f"{name} -->|{_quoted(label)}| {target}")

    def _line(self, line: str) -> None:
        self.lines.append(f"{self._indent}{line}")


def _lines(entries: Iterable[Entry], indent: str) -> Iterator[str]:
    for entry in entries:
        yield from _lines_of(entry, indent)


def _lines_of(entry: Entry, indent: str, condition: str | None = None) -> Iterator[str]:
    when = "" if condition is None else f"if {condition}: "
    name = entry.body_id if isinstance(entry, StepEntry) else entry.id
    until = f" {_condition(entry.serialized_condition, entry.predicate)}" if isinstance(entry, LoopEntry) else ""
    suspends = ", can suspend" if isinstance(entry, StepEntry) and entry.step.can_suspend else ""
    kind = f"{KINDS[entry.type](entry)}{until}{suspends}"
    yield f"{indent}{when}{f'{name} ({kind})' if name else kind}"
    if isinstance(entry, NestedEntry):
        yield from _lines(entry.serialized_step_flow, f"{indent}  ")
    elif isinstance(entry, ConditionalEntry):
        for body, name in zip(entry.steps, _conditions(entry), strict=True):
            yield from _lines_of(body, f"{indent}  ", name)
    elif not isinstance(entry, StepEntry):
        yield from _lines(entry.bodies, f"{indent}  ")


def _conditions(entry: ConditionalEntry) -> list[str]:
    predicates = entry.predicates or [None] * len(entry.steps)
    return [_condition(*pair) for pair in zip(entry.serialized_conditions, predicates, strict=True)]


def _condition(function: FunctionInfo, predicate: dict[str, Any] | None) -> str:
    """Return a condition for a person: the predicate, or the code of a short function, or its id."""
    shown = " ".join((function.fn if predicate is None else _predicate(predicate)).split())
    return shown if 0 < len(shown) <= MAX_CONDITION else function.id


def _predicate(predicate: dict[str, Any]) -> str:
    sign = SIGNS.get(predicate["op"])
    return (
        json.dumps(predicate)
        if sign is None
        else f"{_operand(predicate['left'])} {sign} {_operand(predicate['right'])}"
    )


def _operand(operand: dict[str, Any]) -> str:
    return str(operand["path"]) if "path" in operand else json.dumps(operand["literal"], ensure_ascii=False)


def _quoted(shown: str) -> str:
    """Return a text for Mermaid, which ends it at a quote."""
    return '"' + " ".join(shown.split()).replace('"', "#quot;") + '"'
