"""``mastra-temporal search-attributes``: registers the search attributes by which runs are found."""

from __future__ import annotations

from rich.console import Console
from temporalio.client import Client
from temporalio.envconfig import ClientConfig

from mastra_temporal._client.records.search_attributes import KEYS, register
from mastra_temporal._client.rpc_errors import unreachable
from mastra_temporal.cli.environment import use_server

__all__ = ["register_search_attributes"]


async def register_search_attributes(*, address: str | None, namespace: str | None) -> None:
    """Register what is missing, and say what there is.

    Args:
        address: Host and port of the server; by default the environment's.
        namespace: Namespace; by default the environment's.
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
