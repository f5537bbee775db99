"""A worker that can be killed, in a test."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable

from temporalio.client import Client

from mastra_temporal.mastra import Mastra
from mastra_temporal.worker import run_worker

__all__ = ["WorkerProcess"]

# A fork server starts a process in milliseconds; Windows has none.
_PROCESSES = (
    multiprocessing.get_context("forkserver")
    if "forkserver" in multiprocessing.get_all_start_methods()
    else multiprocessing.get_context("spawn")
)


class WorkerProcess:
    """A worker in a process of its own, started by making the object."""

    def __init__(self, app: Callable[[str], Mastra], client: Client, task_queue: str) -> None:
        """Start the worker.

        Args:
            app: Makes the registry that works on a task queue. A function at the top level of a module, because the
                process has to import it.
            client: A client of the server to work for.
            task_queue: The queue to work on.
        """
        address = client.service_client.config.target_host
        self._process = _PROCESSES.Process(
            target=_serve, args=(app, address, client.namespace, task_queue), daemon=True
        )
        self._process.start()

    def kill(self) -> None:
        """Kill the process at once, as a power cut does (SIGKILL), and return when it is gone."""
        self._process.kill()
        self._process.join()


def _serve(app: Callable[[str], Mastra], address: str, namespace: str, task_queue: str) -> None:
    os.environ |= {
        "TEMPORAL_ADDRESS": address,
        "TEMPORAL_NAMESPACE": namespace,
        "TEMPORAL_CONFIG_FILE": os.devnull,
    }
    asyncio.run(run_worker(app(task_queue)))
