"""Addresses at which a command serves HTTP."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator

from mastra_temporal.errors import ConfigurationError

__all__ = ["host_and_port", "listening"]


def host_and_port(address: str, *, option: str) -> tuple[str, int]:
    """Split an address such as ``0.0.0.0:8080``, ``:8080`` (all interfaces) or ``[::1]:8080``.

    Args:
        address: The host and the port.
        option: The option that has the address, for the message.

    Raises:
        ConfigurationError: The address has no port.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ConfigurationError(f"`{option} {address}` is not `host:port`, for example `0.0.0.0:8080`.")
    return host.strip("[]") or "0.0.0.0", int(port)


@contextlib.contextmanager
def listening(host: str, port: int) -> Generator[socket.socket]:
    """Listen on an address during the block.

    Raises:
        ConfigurationError: The address cannot be used, for example because another process uses it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from error
    with listener:
        yield listener
