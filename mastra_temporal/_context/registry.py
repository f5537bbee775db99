"""`Registry`: the application as user code sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Registry"]


class Registry(Protocol):
    """The application as user code sees it: the `Mastra` object that the worker runs."""

    @property
    def max_lost_attempts(self) -> int | None:
        """The number of attempts of a step that may be lost in a row on this worker; None for no limit."""
        ...

    def get_workflow(self, key: str) -> Any:
        """Return a registered `Workflow`, from which runs are created. Raises `WorkflowNotFoundError`."""
        ...

    def get_agent(self, key: str) -> Any:
        """Return the agent that is registered under a key. Raises `ConfigurationError`."""
        ...

    def get_agent_by_id(self, agent_id: str) -> Any:
        """Return the registered agent with an id. Raises `ConfigurationError`."""
        ...

    def get_tool(self, key: str) -> Any:
        """Return the tool that is registered under a key. Raises `ConfigurationError`."""
        ...

    def list_workflows(self) -> Mapping[str, Any]:
        """Return the registered workflows by key. Workflows registered as a list have their ids as keys."""
        ...

    def list_agents(self) -> Mapping[str, Any]:
        """Return the registered agents by key. Agents registered as a list have their ids as keys."""
        ...

    def list_tools(self) -> Mapping[str, Any]:
        """Return the registered tools by key. Tools registered as a list have their ids as keys."""
        ...
