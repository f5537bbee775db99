"""Temporal's own client for TypeScript starts our workflows with the wire of Mastra's Temporal package."""

import pytest

from mastra_temporal import Mastra
from tests.server.node import installed_packages, node
from tests.support import Stage


@pytest.mark.any_cache
@pytest.mark.timeout(300)
async def test_it_starts_workflows_and_reads_results(mastra: Mastra, stage: Stage):
    installed_packages()
    await node("starter.mjs", TEMPORAL=stage.address, QUEUE=stage.task_queue)
