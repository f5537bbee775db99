"""``mastra-temporal show``: what a run is doing."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer
from rich.text import Text

from mastra_temporal._client.records.progress import RunProgress, StepProgress
from mastra_temporal._client.run import Run
from mastra_temporal._data.dates import shown_date
from mastra_temporal.cli.event_printer import EventPrinter, print_event
from mastra_temporal.cli.exit_status import NegativeAnswerError
from mastra_temporal.cli.output import as_json as json_of
from mastra_temporal.cli.output import line, print_json, print_table, styled
from mastra_temporal.cli.result import WELL
from mastra_temporal.cli.run_ids import RunId
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, App, AsJson, Namespace, Target

__all__ = ["commands"]

commands = typer.Typer()


@commands.command()
def show(
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print what happens until the run has ended.")] = False,
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show a run: its steps with status, attempts, duration, and what they wait for. Works with the server alone.

    With --follow it first prints the events of the run as they happen, with the text that its steps write. With --json
    as well, each event is a line of JSON.
    """
    target = Target(app, address, namespace)

    async def command() -> None:
        mastra = await target.connect()
        if follow:
            await _follow(await mastra.get_run(run_id), as_json)
        progress = await mastra.get_run_progress(run_id)
        if as_json:
            print_json(_as_json(progress), indent=None if follow else 2)
        else:
            _print(progress)
        if follow and progress.run.status not in WELL:
            raise NegativeAnswerError(f"run `{run_id}` ended with status {progress.run.status}.")

    raise typer.Exit(run(command(), target))


async def _follow(followed: Run[Any], as_json: bool) -> None:
    printer = EventPrinter()
    async for event in followed.observe_stream():
        if as_json:
            print_event(event)
        else:
            printer.print(event)
    printer.end()


def _as_json(progress: RunProgress) -> dict[str, Any]:
    """Return the record in Mastra's shape. ``progress``, ``taskQueue`` and ``waitsFor`` are ours."""
    data = json_of(progress)
    return {**data.pop("run"), "progress": data.pop("steps"), **data}


def _print(progress: RunProgress) -> None:
    record = progress.run
    line(Text.assemble(styled(record.status), f"  run {record.run_id} of workflow {record.workflow_name}"))
    facts = {
        "task queue": progress.task_queue,
        "resource": record.resource_id,
        "created": shown_date(record.created_at),
        "input": None if record.payload is None else json.dumps(record.payload, ensure_ascii=False),
        "result": None if record.result is None else json.dumps(json_of(record.result), ensure_ascii=False),
        "error": (record.error or {}).get("message"),
        "waits for": progress.waits_for,
    }
    for name, fact in facts.items():
        if fact:
            line(f"{name:<11}{' '.join(fact.split())}")
    if progress.steps:
        line("")
        print_table(("STEP", "STATUS", "ATTEMPTS", "DURATION", "WAITS FOR"), (_row(step) for step in progress.steps))


def _row(step: StepProgress) -> tuple[str | Text, ...]:
    ended = step.ended_at or round(time.time() * 1000)
    attempts = str(step.attempts) if step.attempts else ""
    return step.step_id, styled(step.status), attempts, _duration(ended - step.started_at), step.waits_for or ""


def _duration(milliseconds: int) -> str:
    seconds = max(milliseconds, 0) / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
