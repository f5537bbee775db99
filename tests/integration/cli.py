"""Running commands in the test's own process, which is ten times as fast as a process for each."""

import asyncio
import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from typer.testing import CliRunner

from mastra_temporal import Mastra, Workflow
from mastra_temporal.cli.commands import application
from tests.support import Stage

APP = "app:mastra"


class Done:
    """A command that has ended."""

    def __init__(self, status: int, stdout: str, stderr: str) -> None:
        self.status, self.stdout, self.stderr = status, stdout, stderr

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def words(self) -> str:
        """What a person reads, with single spaces."""
        return " ".join(self.stdout.split())

    def error(self, status: int = 1) -> str:
        """The one line that tells a mistake."""
        assert (self.status, self.stdout) == (status, ""), self.stdout + self.stderr
        (line,) = self.stderr.splitlines()
        return line


class Cli:
    """The command line for one test's server, with an app if the test has one."""

    def __init__(self, stage: Stage, monkeypatch: Any) -> None:
        monkeypatch.setenv("TEMPORAL_CONFIG_FILE", os.devnull)
        self._stage, self._monkeypatch = stage, monkeypatch
        self._use_server()

    def _use_server(self) -> None:
        self._monkeypatch.setenv("TEMPORAL_ADDRESS", self._stage.address)
        self._monkeypatch.setenv("TEMPORAL_NAMESPACE", self._stage.client.namespace)

    def app(self, build: Callable[[], Iterable[Workflow[Any, Any, Any]]]) -> None:
        """Let `--app app:mastra` be these workflows. Each command has a registry of its own, as a process has."""

        def load(app: str) -> Mastra:
            return Mastra(workflows=build(), task_queue=self._stage.task_queue)

        self._monkeypatch.setattr("mastra_temporal.cli.target.load_app", load)

    async def __call__(self, *arguments: str, stdin: str | None = None) -> Done:
        self._use_server()  # the command before may have set others for the whole process
        found = await asyncio.to_thread(CliRunner().invoke, application, arguments, input=stdin)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Done(found.exit_code, found.stdout, found.stderr)
