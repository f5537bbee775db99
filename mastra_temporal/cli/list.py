"""``mastra-temporal list``: the runs of a namespace."""

from __future__ import annotations

from typing import Annotated, cast, get_args

import typer

from mastra_temporal._data.dates import shown_date
from mastra_temporal._protocol.results import RunStatus
from mastra_temporal.cli.output import line, print_json, print_table, styled
from mastra_temporal.cli.parsing import moment
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, App, AsJson, Namespace, Target, TaskQueue
from mastra_temporal.mastra import Mastra

__all__ = ["commands"]

commands = typer.Typer()


def _statuses() -> list[str]:
    return list(get_args(RunStatus))


@commands.command("list")
def list_runs(
    status: Annotated[
        list[str] | None, typer.Option(help="Only this status; may be repeated.", autocompletion=_statuses)
    ] = None,
    workflow: Annotated[str | None, typer.Option(help="Only runs of this workflow.")] = None,
    resource: Annotated[str | None, typer.Option(help="Only runs of this resource.")] = None,
    since: Annotated[str | None, typer.Option(help="Only runs created since: 30m, 6h, 7d or an ISO date.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many runs at most, the newest first.")] = 20,
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    task_queue: TaskQueue = None,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first. Works with the server alone. --since makes it fast in a large namespace."""
    target = Target(app, address, namespace, task_queue)

    async def command() -> None:
        mastra = await target.connect()
        await _list(mastra, target.task_queue, status or [], workflow, resource, since, limit, as_json)

    raise typer.Exit(run(command(), target))


async def _list(
    mastra: Mastra,
    task_queue: str | None,
    status: list[str],
    workflow: str | None,
    resource: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    found = await mastra.list_workflow_runs(
        workflow_id=workflow,
        task_queue=task_queue,
        status=cast("list[RunStatus]", status),
        resource_id=resource,
        from_date=moment(since, "--since"),
        page=0,
        per_page=limit,
    )
    if as_json:
        print_json(found)
        return
    rows = [
        (item.run_id, styled(item.status), item.workflow_name, item.resource_id or "", shown_date(item.created_at))
        for item in found.runs
    ]
    print_table(("RUN", "STATUS", "WORKFLOW", "RESOURCE", "CREATED"), rows)
    if found.total > len(found.runs):
        line(f"{len(found.runs)} of {found.total} runs. Show more with --limit.")
