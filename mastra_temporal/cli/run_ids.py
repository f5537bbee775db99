"""`RunId`: the argument of commands about one run. The shell completes it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from mastra_temporal.cli.target import Target

__all__ = ["OptionalRunId", "OptionalRunIdOption", "RunId"]

NEWEST = 100
"""How many runs the shell offers."""
PATIENCE_SECONDS = 3.0
"""Seconds that the shell waits for the server."""


def _complete(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the newest runs whose ids begin with the text, with their workflow and status."""
    given = context.params
    target = Target(app=given.get("app"), address=given.get("address"), namespace=given.get("namespace"))
    try:
        return asyncio.run(asyncio.wait_for(_newest(target, incomplete), PATIENCE_SECONDS))
    except Exception:
        return []  # a shell shows no errors while it completes


async def _newest(target: Target, incomplete: str) -> list[tuple[str, str]]:
    client = (await target.connect()).client
    # Not the list of records: it reads the status of each open run, and takes too long while a person types.
    found = client.list_workflows(limit=NEWEST)
    return [
        (run.id, f"{run.workflow_type}, {run.status.name.lower() if run.status else 'unknown'}")
        async for run in found
        if run.id.startswith(incomplete)
    ]


_ARGUMENT = typer.Argument(help="The run's id.", autocompletion=_complete, show_default=False)
RunId = Annotated[str, _ARGUMENT]
OptionalRunId = Annotated[str | None, _ARGUMENT]
OptionalRunIdOption = Annotated[str | None, typer.Option("--run", help="A run's id.", autocompletion=_complete)]
