"""`Registry`: what user code sees of its application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Registry"]


class Registry(Protocol):
    """What user code sees of its application: the `Mastra` object that the worker runs."""

    @property
    def max_lost_attempts(self) -> int | None:
        """How many attempts of a step may be lost in a row on this worker; None for no limit."""
        ...

    def get_workflow(self, key: str) -> Any:
        """Return a registered `Workflow`, to make runs of it. Raises `WorkflowNotFoundError`."""
        ...

    def get_agent(self, key: str) -> Any:
        """Return a registered agent. Raises `ConfigurationError`."""
        ...

    def get_agent_by_id(self, agent_id: str) -> Any:
        """Return a registered agent. Raises `ConfigurationError`."""
        ...

    def get_tool(self, key: str) -> Any:
        """Return a registered tool. Raises `ConfigurationError`."""
        ...

    def list_workflows(self) -> Mapping[str, Any]:
        """The registered workflows by key; those of a list by id."""
        ...

    def list_agents(self) -> Mapping[str, Any]:
        """The registered agents by key; those of a list by id."""
        ...

    def list_tools(self) -> Mapping[str, Any]:
        """The registered tools by key; those of a list by id."""
        ...
