"""``mastra-temporal events``: what happened in a run."""

from __future__ import annotations

from typing import Annotated

import typer

from mastra_temporal.cli.event_printer import EventPrinter, print_event
from mastra_temporal.cli.run_ids import RunId
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, App, AsJson, Namespace, Target

__all__ = ["commands"]

commands = typer.Typer()


@commands.command()
def events(
    run_id: RunId,
    offset: Annotated[int, typer.Option("--from", min=0, help="Number of the first event.")] = 0,
    kind: Annotated[list[str] | None, typer.Option("--type", help="Only this type; may be repeated.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more until the run has ended.")] = False,
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Print the events of a run, as Mastra streams them. Works with the server alone.

    With --json each event is a line of JSON.
    """
    target = Target(app, address, namespace)

    async def command() -> None:
        found = await (await target.connect()).get_run(run_id)
        printer = EventPrinter()
        async for event in found.observe_stream(from_offset=offset, follow=follow):
            if kind and event.type not in kind:
                continue
            if as_json:
                print_event(event)
            else:
                printer.print(event)
        printer.end()

    raise typer.Exit(run(command(), target))
