"""``mastra-temporal search-attributes``: registers the search attributes for finding runs."""

from __future__ import annotations

import typer
from rich.console import Console

from mastra_temporal._client.records.search_attributes import KEYS, register
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, App, Namespace, Target

__all__ = ["search_attributes"]


def search_attributes(app: App = None, address: Address = None, namespace: Namespace = None) -> None:
    """Register the search attributes for finding runs in the Temporal UI. `dev` registers them itself."""
    target = Target(app, address, namespace)

    async def command() -> None:
        client = (await target.connect()).client
        await register(client)
        names = ", ".join(key.name for key in KEYS)
        Console(highlight=False, soft_wrap=True).print(f"Namespace {client.namespace} has {names}")

    raise typer.Exit(run(command(), target))
