"""The worker process of ``mastra-temporal worker`` and ``python -m workers.main``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys

from mastra_temporal.cli.environment import use_server
from mastra_temporal.cli.loading import load_app
from mastra_temporal.cli.running import on_stop_signal
from mastra_temporal.mastra import Mastra
from mastra_temporal.worker import run_worker

__all__ = ["serve"]

_logger = logging.getLogger("mastra_temporal.worker")


async def serve(app: str, *, address: str | None, namespace: str | None, task_queue: str | None) -> None:
    """Run a worker until SIGINT or SIGTERM, with a log on standard error.

    Args:
        app: The registry as ``module:attribute``.
        address: The host and port of the server. Default: the environment's setting.
        namespace: The namespace. Default: the environment's setting.
        task_queue: The task queue to poll. Default: the task queue of the registry.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("temporalio").setLevel(logging.WARNING)
    use_server(address, namespace)
    working = asyncio.create_task(_work(load_app(app), app, task_queue))

    def stop() -> None:
        _logger.info("stopping: no new work, running steps may finish")
        working.cancel()

    on_stop_signal(stop)
    with contextlib.suppress(asyncio.CancelledError):
        await working
    _logger.info("stopped")


async def _work(mastra: Mastra, app: str, task_queue: str | None) -> None:
    client = await mastra.connect()
    _logger.info(
        "worker %s for %s at %s, namespace %s, task queue %s",
        client.identity,
        app,
        client.service_client.config.target_host,
        client.namespace,
        task_queue or mastra.task_queue,
    )
    await run_worker(mastra, client=client, task_queue=task_queue)
