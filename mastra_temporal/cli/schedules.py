"""``mastra-temporal schedules``: the schedules of a namespace."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.text import Text

from mastra_temporal._client.schedules.codec import ScheduleRecord
from mastra_temporal._data.dates import shown_date
from mastra_temporal.cli.output import line, print_json, print_table, styled
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, App, AppNeeded, AsJson, Namespace, Target

__all__ = ["commands"]

commands = typer.Typer()
_schedules = typer.Typer(help="List, pause, resume, run and delete schedules.", no_args_is_help=True)
commands.add_typer(_schedules, name="schedules")

ScheduleId = Annotated[str, typer.Argument(help="The schedule's id.", show_default=False)]


@_schedules.command("list")
def list_schedules(
    workflow: Annotated[str | None, typer.Option(help="Only schedules of this workflow.")] = None,
    status: Annotated[Literal["active", "paused"] | None, typer.Option(help="Only this status.")] = None,
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List the schedules that this package made. Works with the server alone."""
    target = Target(app, address, namespace)

    async def command() -> None:
        found = await (await target.connect()).schedules.list(workflow_id=workflow, status=status)
        if as_json:
            print_json({"schedules": found})
            return
        titles = ("SCHEDULE", "STATUS", "WORKFLOW", "CRON", "TIME ZONE", "NEXT", "LAST RUN")
        print_table(titles, (_row(item) for item in found))

    raise typer.Exit(run(command(), target))


@_schedules.command()
def pause(
    schedule_id: ScheduleId,
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Start no runs until `schedules resume`. Deploys do not end the pause. Works with the server alone."""
    target = Target(app, address, namespace)

    async def command() -> None:
        _tell(await (await target.connect()).schedules.pause(schedule_id), as_json)

    raise typer.Exit(run(command(), target))


@_schedules.command()
def resume(
    schedule_id: ScheduleId,
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Go on with the next time after now. Works with the server alone."""
    target = Target(app, address, namespace)

    async def command() -> None:
        _tell(await (await target.connect()).schedules.resume(schedule_id), as_json)

    raise typer.Exit(run(command(), target))


@_schedules.command("run")
def run_now(
    schedule_id: ScheduleId,
    app: AppNeeded,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Start a run now, also if the schedule is paused, and print its id. Needs --app."""
    target = Target(app, address, namespace)

    async def command() -> None:
        started = await (await target.connect()).schedules.run(schedule_id)
        print_json({"runId": started.run_id}) if as_json else line(started.run_id)

    raise typer.Exit(run(command(), target))


@_schedules.command()
def delete(schedule_id: ScheduleId, app: App = None, address: Address = None, namespace: Namespace = None) -> None:
    """Delete a schedule. Its runs go on. The next deploy makes a declared schedule again."""
    target = Target(app, address, namespace)

    async def command() -> None:
        await (await target.connect()).schedules.delete(schedule_id)
        line(f"schedule {schedule_id}: deleted")

    raise typer.Exit(run(command(), target))


def _tell(record: ScheduleRecord, as_json: bool) -> None:
    if as_json:
        print_json(record)
    else:
        line(f"schedule {record.id}: {record.status}")


def _row(record: ScheduleRecord) -> tuple[str | Text, ...]:
    return (
        record.id,
        styled(record.status),
        record.workflow_id,
        record.cron,
        record.timezone,
        "" if record.next_fire_at is None else shown_date(record.next_fire_at),
        record.last_run_id or "",
    )
