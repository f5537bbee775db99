"""How a `Mastra` object connects to Temporal: `ConnectSettings` and the function of ``Mastra(connect=...)``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence

from temporalio.client import Client, Plugin
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import Runtime

from mastra_temporal._client.rpc_errors import unreachable
from mastra_temporal._data.shown import shown
from mastra_temporal.errors import ConfigurationError, MastraError

__all__ = ["Connect", "ConnectSettings", "connect_client", "connect_with"]

DEFAULT_ADDRESS = "localhost:7233"
"""The address of the server if the environment names none."""
CONNECT_FAILED = "Failed client connect"
"""The beginning of the SDK's message when no connection can be made. It raises a plain `RuntimeError`."""

AFTER_CONNECTION = "call error after connection"
"""Part of the SDK's message if the server was reached, and then did not answer the first call."""


class ConnectSettings(ClientConnectConfig, total=False):
    """Arguments for ``Client.connect``: what the environment, the options of a command and this package ask for.

    ``target_host`` and ``plugins`` are always there. ``namespace``, ``api_key``, ``tls`` and ``rpc_metadata`` are there
    if Temporal's environment variables or configuration file set them.
    """

    plugins: Sequence[Plugin]
    """The `MastraPlugin` of the registry."""
    runtime: Runtime
    """The SDK's runtime if a command needs one of its own, for example to serve metrics."""


Connect = Callable[[ConnectSettings], Awaitable[Client]]
"""A function that connects to Temporal with the settings that it gets."""


async def connect_client(settings: ConnectSettings) -> Client:
    """Connect with the settings as they are. This is the default of ``Mastra(connect=...)``."""
    return await Client.connect(**settings)


async def connect_with(connect: Connect, plugin: Plugin, runtime: Runtime | None) -> Client:
    """Call the function that connects, with the settings of the environment.

    Args:
        connect: The function.
        plugin: The plugin for the client.
        runtime: The SDK's runtime for the client. Default: the plugin chooses it.

    Raises:
        ServerUnreachableError: No server answers at the address.
        ConfigurationError: The environment's settings cannot be read, the server refuses the connection, the function
            failed, or it returned no client.
    """
    settings = _settings(plugin, runtime)
    try:
        connecting = connect(settings)
        client = await connecting if inspect.isawaitable(connecting) else connecting
    except MastraError:
        raise
    except Exception as error:  # the user's function may raise anything
        if isinstance(error, RuntimeError) and str(error).startswith(CONNECT_FAILED):
            raise _not_connected(settings.get("target_host", DEFAULT_ADDRESS), str(error)) from error
        raise ConfigurationError(f"Mastra(connect=...) failed: {type(error).__name__}: {error}") from error
    if not isinstance(client, Client):
        raise ConfigurationError(
            f"Mastra(connect=...) returned {shown(client)}. It is an async function that returns a temporalio Client."
        )
    return client


def _not_connected(address: str, message: str) -> MastraError:
    """Return the error for a failed connection. The SDK reports it as the text of an error of its core.

    Args:
        address: The address of the server.
        message: The text.
    """
    if (certificate := re.search(r"InvalidCertificate\((.*?)\)", message)) is not None:
        return ConfigurationError(
            f"The TLS certificate of the server at {address} is not accepted ({certificate[1]}): "
            "check TEMPORAL_TLS_SERVER_CA_CERT_PATH and TEMPORAL_TLS_SERVER_NAME."
        )
    if AFTER_CONNECTION not in message:
        return unreachable(address)
    if "transport error" in message:
        return ConfigurationError(
            f"The server at {address} closes the connection: it may want TLS (TEMPORAL_TLS=true), or a client "
            "certificate that it knows (TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH)."
        )
    refusal = re.search(r'code: .*?, message: "(.*?)"', message)
    return ConfigurationError(
        f"The server at {address} refuses the first call ({refusal[1] if refusal else message}): "
        "check TEMPORAL_API_KEY and the server's log."
    )


def _settings(plugin: Plugin, runtime: Runtime | None) -> ConnectSettings:
    try:
        environment = ClientConfig.load_client_connect_config()
    except Exception as error:
        raise ConfigurationError(f"Temporal's environment configuration cannot be read: {error}") from error
    settings: ConnectSettings = {"target_host": DEFAULT_ADDRESS, **environment, "plugins": [plugin]}
    if runtime is not None:
        settings["runtime"] = runtime
    return settings
