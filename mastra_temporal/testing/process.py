"""`WorkerProcess`: a worker process that a test can kill."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable

from temporalio.client import Client

from mastra_temporal.mastra import Mastra
from mastra_temporal.worker import run_worker

__all__ = ["WorkerProcess"]

# A fork server starts a process in milliseconds. Windows does not have it.
_PROCESSES = (
    multiprocessing.get_context("forkserver")
    if "forkserver" in multiprocessing.get_all_start_methods()
    else multiprocessing.get_context("spawn")
)


class WorkerProcess:
    """A worker in a process of its own. Creating the object starts the process."""

    def __init__(self, app: Callable[[str], Mastra], client: Client, task_queue: str) -> None:
        """Start the worker.

        Args:
            app: Returns the registry for a task queue. It must be a function at the top level of a module, because the
                process imports it.
            client: A client of the server that the worker connects to.
            task_queue: The task queue to poll.
        """
        address = client.service_client.config.target_host
        self._process = _PROCESSES.Process(
            target=_serve, args=(app, address, client.namespace, task_queue), daemon=True
        )
        self._process.start()

    def kill(self) -> None:
        """Kill the process with SIGKILL and wait until it has ended."""
        self._process.kill()
        self._process.join()


def _serve(app: Callable[[str], Mastra], address: str, namespace: str, task_queue: str) -> None:
    os.environ |= {
        "TEMPORAL_ADDRESS": address,
        "TEMPORAL_NAMESPACE": namespace,
        "TEMPORAL_CONFIG_FILE": os.devnull,
    }
    asyncio.run(run_worker(app(task_queue)))
