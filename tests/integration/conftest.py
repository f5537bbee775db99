"""What the integration tests share."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.integration.cli import Cli
from tests.support import Effects, Stage
from tests.tracing import SpanMemory


@pytest.fixture
def memory() -> SpanMemory:
    """What is traced is kept here, by workers and clients that are told so."""
    return SpanMemory()


@pytest.fixture
async def stage(mastra_client: Client, mastra_task_queue: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    stage = Stage(mastra_client, mastra_task_queue, Effects(tmp_path))
    yield stage
    stage.close()


@pytest.fixture
def cli(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, for the stage's server."""
    return Cli(stage, monkeypatch)
