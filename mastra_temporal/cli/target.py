"""`Target`: the server, namespace, task queue and app that a command is for, and the options that name them."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from temporalio.envconfig import ClientConfig

from mastra_temporal.cli.environment import use_server
from mastra_temporal.cli.loading import load_app
from mastra_temporal.mastra import Mastra

__all__ = ["Address", "App", "AppNeeded", "AsJson", "Namespace", "Target", "TaskQueue"]

App = Annotated[
    str | None,
    typer.Option(metavar="MODULE:ATTRIBUTE", help="The Mastra object; not needed, but its connection is used."),
]
"""The option of commands that work with the server alone."""
AppNeeded = Annotated[
    str, typer.Option("--app", metavar="MODULE:ATTRIBUTE", help="The Mastra object that has the workflow.")
]
"""The option of commands that need the workflows' code."""
Address = Annotated[str | None, typer.Option(help="Server's host and port (default: the environment's).")]
Namespace = Annotated[str | None, typer.Option(help="Temporal namespace (default: the environment's).")]
TaskQueue = Annotated[str | None, typer.Option(help="Task queue (default: the Mastra object's).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with Mastra's names, for programs.")]


@dataclass
class Target:
    """What a command is for. Its text names what was asked, for error messages."""

    app: str | None = None
    address: str | None = None
    namespace: str | None = None
    task_queue: str | None = None
    _mastra: Mastra | None = None

    async def connect(self) -> Mastra:
        """Connect to the server and return the registry. Without an app it has no workflows.

        Raises:
            ConfigurationError: The app cannot be imported, or the settings cannot be read.
            ServerUnreachableError: No server answers.
        """
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s: %(message)s")
        mastra = self.load()
        await mastra.connect()
        return mastra

    def load(self) -> Mastra:
        """Return the registry, which is not connected yet. Without an app it has no workflows.

        Raises:
            ConfigurationError: The app cannot be imported.
        """
        use_server(self.address, self.namespace)
        self._mastra = mastra = load_app(self.app) if self.app else Mastra(workflows=[])
        if self.task_queue:
            mastra.session.task_queue = self.task_queue
        elif self.app:
            self.task_queue = mastra.task_queue
        return mastra

    def __str__(self) -> str:
        server, namespace = self._connection()
        queue = f", task queue {self.task_queue}" if self.task_queue else ""
        return f"[server {server}, namespace {namespace}{queue}]"

    def _connection(self) -> tuple[str, str]:
        """Return the server and the namespace that were asked, or that would have been."""
        if self._mastra is not None and self._mastra.session.is_connected:
            client = self._mastra.client
            return client.service_client.config.target_host, client.namespace
        try:
            settings: Any = ClientConfig.load_client_connect_config()
        except Exception:  # the command has reported that the settings cannot be read
            settings = {}
        address = self.address or settings.get("target_host", "localhost:7233")
        return address, self.namespace or settings.get("namespace", "default")
