"""The bodies that a worker has: workflows by id, the nested ones included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mastra_temporal.definition.workflow import Workflow
from mastra_temporal.errors import DefinitionError

__all__ = ["Definitions"]


class Definitions:
    """All workflows of a registry, and those nested in them."""

    def __init__(self, workflows: Iterable[Workflow[Any, Any, Any]]) -> None:
        """Collect the workflows.

        Raises:
            DefinitionError: Two different workflows have one id, or one is not committed.
        """
        self.workflows: dict[str, Workflow[Any, Any, Any]] = {}
        for workflow in workflows:
            self._add(workflow)

    def _add(self, workflow: Workflow[Any, Any, Any]) -> None:
        known = self.workflows.setdefault(workflow.id, workflow)
        if known is not workflow:
            raise DefinitionError(
                f"Two different workflows have the id `{workflow.id}`: their steps could not be told apart. "
                "Give one of them another id."
            )
        assert workflow.graph
        for step in workflow.steps.values():
            if isinstance(step, Workflow):
                self._add(step)
