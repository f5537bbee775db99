"""The functions of a workflow that are no steps: conditions, mappings, durations and concurrency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from mastra_temporal._data.schema import Schema
from mastra_temporal._definition.fingerprint import fingerprint
from mastra_temporal._definition.function import UserFunction
from mastra_temporal._protocol.graph import FunctionRef

__all__ = ["FunctionKind", "WorkflowFunction", "WorkflowFunctions"]

FunctionKind = Literal["condition", "mapping", "duration", "date", "concurrency"]


@dataclass(frozen=True)
class WorkflowFunction:
    """A condition, mapping, duration or concurrency function of a workflow."""

    kind: FunctionKind
    body: UserFunction
    input_schema: Schema | None
    """What the function's input is turned into: its own annotation, or the schema of the entry before."""
    fingerprint: str
    named: bool
    """Whether the user gave an id to the entry that the function is in."""


@dataclass(frozen=True)
class WorkflowFunctions:
    """The functions that a workflow has by now, looked up for runs that may be older."""

    by_id: dict[str, WorkflowFunction] = field(default_factory=lambda: dict[str, WorkflowFunction]())

    def add(
        self,
        kind: FunctionKind,
        function_id: str,
        function: Callable[..., Any],
        *,
        named: bool,
        offered: Schema | None,
        owner: str,
    ) -> FunctionRef:
        """Keep a function.

        Args:
            kind: What it is for.
            function_id: Its id.
            function: The function.
            named: Whether the user gave an id to its entry.
            offered: The schema of the entry before.
            owner: Whose function it is, for errors.

        Returns:
            What the graph records of it.

        Raises:
            DefinitionError: It is no function, or takes more than an input and a context.
        """
        body = UserFunction.of(function, owner=owner)
        mark = fingerprint(kind, function)
        self.by_id[function_id] = WorkflowFunction(kind, body, body.input_schema or offered, mark, named)
        return FunctionRef(id=function_id, fingerprint=None if named else mark)

    def find(self, wanted: FunctionRef) -> WorkflowFunction | None:
        """The function that a run means: the one that it recorded, wherever that is by now.

        Where it is not there any more, the one to which the user has given the recorded id takes its place.
        """
        own = self.by_id.get(wanted.id)
        if wanted.fingerprint is None or (own is not None and own.fingerprint == wanted.fingerprint):
            return own
        same = next((each for each in self.by_id.values() if each.fingerprint == wanted.fingerprint), None)
        return same or (own if own is not None and own.named else None)
