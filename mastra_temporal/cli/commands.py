"""The commands of ``mastra-temporal`` and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mastra_temporal.cli import (
    doctor,
    ending,
    events,
    graph,
    replay,
    restart,
    resume,
    schedules,
    show,
    start,
    time_travel,
)
from mastra_temporal.cli import list as list_command
from mastra_temporal.cli.dev import develop
from mastra_temporal.cli.init import init
from mastra_temporal.cli.running import run
from mastra_temporal.cli.search_attributes import search_attributes
from mastra_temporal.cli.serve import serve_api
from mastra_temporal.cli.worker import worker

__all__ = ["application"]

application: typer.Typer = typer.Typer(
    name="mastra-temporal",
    help="Mastra workflows for Python, executed by Temporal.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
application.command()(init)
application.command()(worker)
application.command()(search_attributes)

for family in (
    list_command,
    show,
    events,
    start,
    resume,
    restart,
    ending,
    time_travel,
    graph,
    schedules,
    replay,
    doctor,
):
    application.add_typer(family.commands)


@application.command()
def dev(
    app: Annotated[str | None, typer.Option(help="Run a worker beside it for this `module:attribute`.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port for clients and workers.")] = 7233,
    ui_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Temporal UI.")] = 8233,
    db: Annotated[Path, typer.Option(help="File that keeps the runs.", dir_okay=False)] = Path("mastra-temporal.db"),
    namespace: Annotated[str, typer.Option(help="Temporal namespace, made if missing.")] = "default",
    api_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of Mastra's HTTP API, beside a worker.")] = 4111,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the worker's metrics (default: a free one)")
    ] = None,
    cors_origin: Annotated[list[str] | None, typer.Option(help="A site that may call the API, e.g. Studio's.")] = None,
) -> None:
    """Start a Temporal development server with its UI. Ctrl-C stops it; the runs are kept.

    With --app, a worker and Mastra's HTTP API run beside it. Both start again when a Python file changes or when they
    end by themselves.
    """
    command = develop(
        app,
        port=port,
        ui_port=ui_port,
        api_port=api_port,
        metrics_port=metrics_port,
        database=db,
        namespace=namespace,
        cors_origins=cors_origin or [],
    )
    raise typer.Exit(run(command))


@application.command(name="serve")
def serve_(
    app: Annotated[str, typer.Option(help="The Mastra object whose workflows are served, as `module:attribute`.")],
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to bind.")] = 4111,
    authenticate: Annotated[
        str | None, typer.Option(help="A function that gets a request and returns its user, as `module:attribute`.")
    ] = None,
    allow_unauthenticated: Annotated[
        bool, typer.Option("--allow-unauthenticated", help="Bind a public address without --authenticate.")
    ] = False,
    cors_origin: Annotated[list[str] | None, typer.Option(help="A site whose pages may call; may be repeated.")] = None,
) -> None:
    """Serve Mastra's HTTP API for @mastra/client-js and Studio. Start workers separately with `worker`."""
    command = serve_api(
        app,
        host=host,
        port=port,
        authenticate=authenticate,
        allow_unauthenticated=allow_unauthenticated,
        cors_origins=cors_origin or [],
    )
    raise typer.Exit(run(command))
