"""``mastra-temporal search-attributes``: registers the search attributes for finding runs."""

from __future__ import annotations

from rich.console import Console
from temporalio.client import Client
from temporalio.envconfig import ClientConfig

from mastra_temporal._client.records.search_attributes import KEYS, register
from mastra_temporal._client.rpc_errors import unreachable
from mastra_temporal.cli.environment import use_server

__all__ = ["register_search_attributes"]


async def register_search_attributes(*, address: str | None, namespace: str | None) -> None:
    """Register the search attributes that are missing, and print all of them.

    Args:
        address: The host and port of the server. Default: the environment's setting.
        namespace: The namespace. Default: the environment's setting.
    """
    use_server(address, namespace)
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "localhost:7233")
    try:
        client = await Client.connect(**config)
    except RuntimeError as error:
        raise unreachable(str(config.get("target_host"))) from error
    await register(client)
    names = ", ".join(key.name for key in KEYS)
    Console(highlight=False, soft_wrap=True).print(f"Namespace {client.namespace} has {names}")
