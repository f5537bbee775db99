"""`use_server`: applies the ``--address`` and ``--namespace`` options of a command."""

from __future__ import annotations

import os

__all__ = ["use_server"]


def use_server(address: str | None, namespace: str | None) -> None:
    """Set the server and namespace of all clients that this process creates, including those of user code.

    Args:
        address: The host and port of the server. Default: the environment's setting.
        namespace: The namespace. Default: the environment's setting.
    """
    for variable, value in (("TEMPORAL_ADDRESS", address), ("TEMPORAL_NAMESPACE", namespace)):
        if value:
            os.environ[variable] = value
