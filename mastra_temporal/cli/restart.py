"""``mastra-temporal restart``: restarts one run, or all runs that lost their workers."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mastra_temporal._client.recovery.bulk import Restarting
from mastra_temporal.cli.output import line, print_json
from mastra_temporal.cli.result import in_time, print_result
from mastra_temporal.cli.run_ids import OptionalRunId
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, App, AsJson, Namespace, Target, TaskQueue
from mastra_temporal.errors import ConfigurationError, RunError
from mastra_temporal.mastra import Mastra

__all__ = ["commands"]

commands = typer.Typer()


@commands.command()
def restart(
    run_id: OptionalRunId = None,
    every: Annotated[bool, typer.Option("--all", help="All runs that lost their worker. Needs --app.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also steps whose workers are alive.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds to wait for the outcome; then the exit status is 124.")
    ] = None,
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    task_queue: TaskQueue = None,
    as_json: AsJson = False,
) -> None:
    """Restart a run that lost its worker, or all such runs with --all. Finished steps do not run again.

    One run needs the server and a worker. --all needs --app: it restarts the runs of the app's workflows.
    """
    if (run_id is None) != every:
        raise typer.BadParameter("give either a RUN_ID or --all")
    if every and (force or timeout is not None):
        raise typer.BadParameter("--force and --timeout are for one run")
    target = Target(app, address, namespace, task_queue)

    async def command() -> None:
        if run_id is None:
            await _all(target, as_json)
            return
        lost = await (await target.connect()).get_run(run_id)
        result = await in_time(lost, lost.restart(force=force), timeout)
        print_result(lost, result, app, for_programs=as_json)

    raise typer.Exit(run(command(), target))


async def _all(target: Target, as_json: bool) -> None:
    """Restart all runs of an app that lost their workers. Return when they make progress again.

    Raises:
        RunError: Some runs could not be restarted.
    """
    if target.app is None:
        raise ConfigurationError(
            "`restart --all` needs `--app module:attribute`: the workflows whose runs it restarts."
        )
    restarting = _restarting(await target.connect())
    total = await restarting.find()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("Restarting", total=total)
        report = await restarting.restart(done=lambda run: progress.advance(bar))
    if as_json:
        print_json([{"runId": r.run_id, "workflowId": r.workflow_id, "how": r.how, "why": r.why} for r in report.runs])
    else:
        for item in report.runs:
            if item.how != "attached":
                line(f"{item.how:9}  {item.run_id}  ({item.workflow_id}: {item.why})")
        line(
            f"{total} active runs: {len(report.restarted)} restarted, {len(report.attached)} were well, "
            f"{len(report.skipped)} skipped, {len(report.failed)} failed"
        )
    if report.failed:
        raise RunError(f"{len(report.failed)} of {total} runs could not be restarted. See the reasons above.")


def _restarting(mastra: Mastra) -> Restarting:
    workflows = [workflow.definition for workflow in mastra.list_workflows().values()]
    return Restarting(mastra.session, workflows, opted_out=False)
