"""The Temporal server of a conformance run."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mastra_temporal.devserver import start_dev_server


@asynccontextmanager
async def conformance_server() -> AsyncGenerator[None]:
    """A dev server to which ``Mastra.connect()`` connects, in this process and in its children."""
    async with start_dev_server() as server:
        os.environ["TEMPORAL_ADDRESS"] = server.address
        yield
