"""Run a worker as a deployed process: ``python -m workers.main --app examples.orders:mastra``.

Connection settings come from Temporal's environment variables (``TEMPORAL_ADDRESS``, ``TEMPORAL_NAMESPACE``,
``TEMPORAL_API_KEY``, ``TEMPORAL_TLS_...``) and configuration file. SIGTERM stops the worker gracefully.
"""

from __future__ import annotations

import argparse

from mastra_temporal.cli.running import run
from mastra_temporal.cli.worker import serve


def main() -> int:
    """Run a worker with the options of the command line, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m workers.main", description="Run a mastra_temporal worker.")
    parser.add_argument("--app", required=True, help="the Mastra object to work for, as module:attribute")
    parser.add_argument("--address", help="host and port of the server (default: the environment's)")
    parser.add_argument("--namespace", help="Temporal namespace (default: the environment's)")
    parser.add_argument("--task-queue", help="queue to work on (default: the Mastra object's)")
    arguments = parser.parse_args()
    return run(serve(**vars(arguments)))


if __name__ == "__main__":
    raise SystemExit(main())
