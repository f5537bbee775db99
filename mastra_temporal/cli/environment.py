"""The options of commands that say where the server is."""

from __future__ import annotations

import os

__all__ = ["use_server"]


def use_server(address: str | None, namespace: str | None) -> None:
    """Let every client that this process makes use another server than that of the environment.

    Args:
        address: Host and port; by default the environment's.
        namespace: Namespace; by default the environment's.
    """
    for variable, value in (("TEMPORAL_ADDRESS", address), ("TEMPORAL_NAMESPACE", namespace)):
        if value:
            os.environ[variable] = value
