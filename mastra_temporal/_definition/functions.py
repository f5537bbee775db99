"""`WorkflowFunctions`: the functions of a workflow that are not steps, such as conditions and mappings."""

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
    """A condition, mapping, duration, date or concurrency function of a workflow."""

    kind: FunctionKind
    body: UserFunction
    input_schema: Schema | None
    """The schema that reads the function's input: its own annotation, or the output schema of the entry before."""
    fingerprint: str
    named: bool
    """Whether the user gave an id to the entry that the function is in."""


@dataclass(frozen=True)
class WorkflowFunctions:
    """The functions of a workflow by id. Runs that were started with an older version look up functions here too."""

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
        """Add a function.

        Args:
            kind: The use of the function.
            function_id: The function's id.
            function: The function.
            named: Whether the user gave an id to its entry.
            offered: The output schema of the entry before.
            owner: The function's name for error messages.

        Returns:
            The reference that the graph records.

        Raises:
            DefinitionError: The value is not a function, or it needs more than an input and a context.
        """
        body = UserFunction.of(function, owner=owner)
        mark = fingerprint(kind, function)
        self.by_id[function_id] = WorkflowFunction(kind, body, body.input_schema or offered, mark, named)
        return FunctionRef(id=function_id, fingerprint=None if named else mark)

    def find(self, wanted: FunctionRef) -> WorkflowFunction | None:
        """Return the function for a recorded reference, or None if there is none.

        A reference without a fingerprint is found by its id. One with a fingerprint is found by the fingerprint, also
        if a redeploy has moved the function to another id. If no function has the fingerprint, the function with the
        recorded id is used, but only if the user gave that id. An id with a number in it, such as
        ``mapping_orders_0``, may belong to another entry after a redeploy, and the run would call the wrong function.
        """
        own = self.by_id.get(wanted.id)
        if wanted.fingerprint is None or (own is not None and own.fingerprint == wanted.fingerprint):
            return own
        same = next((each for each in self.by_id.values() if each.fingerprint == wanted.fingerprint), None)
        return same or (own if own is not None and own.named else None)
