"""``mastra-temporal cancel``, ``terminate`` and ``delete``: end a run, or remove it."""

from __future__ import annotations

from typing import Annotated

import typer

from mastra_temporal.cli.form import is_interactive
from mastra_temporal.cli.output import line, print_json
from mastra_temporal.cli.run_ids import RunId
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, App, AsJson, Namespace, Target
from mastra_temporal.errors import ConfigurationError

__all__ = ["commands"]

commands = typer.Typer()


@commands.command()
def cancel(
    run_id: RunId, app: App = None, address: Address = None, namespace: Namespace = None, as_json: AsJson = False
) -> None:
    """Cancel a run: its steps get their abort signal and may finish. Works with the server alone."""
    target = Target(app, address, namespace)

    async def command() -> None:
        outcome = await (await (await target.connect()).get_run(run_id)).cancel()
        _tell(run_id, "canceled" if outcome == "accepted" else "already finished", as_json)

    raise typer.Exit(run(command(), target))


@commands.command()
def terminate(
    run_id: RunId,
    reason: Annotated[str | None, typer.Option(help="A text for the Temporal UI.")] = None,
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """End a run at once, without its callbacks. `restart` can continue it. Works with the server alone."""
    target = Target(app, address, namespace)

    async def command() -> None:
        ended = await (await target.connect()).terminate_run(run_id, reason=reason)
        _tell(run_id, "terminated" if ended else "already finished", as_json)

    raise typer.Exit(run(command(), target))


@commands.command()
def delete(
    run_id: RunId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Delete a run and its history. An open run is terminated. Works with the server alone."""
    target = Target(app, address, namespace)

    async def command() -> None:
        if not yes and not is_interactive():
            raise ConfigurationError("Deleting cannot be undone: confirm it with --yes, or run it in a terminal.")
        if not yes:
            typer.confirm(f"Delete run {run_id} and its history for good?", abort=True)
        await (await target.connect()).delete_run(run_id)
        _tell(run_id, "deleted", as_json)

    raise typer.Exit(run(command(), target))


def _tell(run_id: str, outcome: str, as_json: bool) -> None:
    if as_json:
        print_json({"runId": run_id, "outcome": outcome.replace(" ", "_")})
    else:
        line(f"run {run_id}: {outcome}")
