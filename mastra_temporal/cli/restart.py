"""``mastra-temporal restart``: restarts one run, or all runs that lost their workers."""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal._client.recovery.bulk import Restarting
from mastra_temporal._protocol.names import typescript_workflow_type
from mastra_temporal.cli.loading import load_app
from mastra_temporal.errors import RunError, RunNotFoundError
from mastra_temporal.mastra import Mastra

__all__ = ["restart_all", "restart_one"]

_console = Console(highlight=False, soft_wrap=True)


async def restart_one(app: str, run_id: str, *, force: bool, timeout: float | None) -> None:
    """Restart a run, wait for its outcome, and print it as JSON.

    Raises:
        RunError: The run does not exist, is not active, or has not succeeded in the end.
        asyncio.TimeoutError: The run did not end within the timeout. It continues.
    """
    mastra = await _connected(app)
    run = await mastra.get_workflow_by_id(await _workflow_of(mastra, run_id)).create_run(run_id=run_id)
    try:
        result = await run.restart(force=force, timeout=None if timeout is None else timedelta(seconds=timeout))
    except asyncio.TimeoutError:
        raise asyncio.TimeoutError(
            f"{run.label} goes on, but was not over within {timeout:g} seconds: run the command again to wait on."
        ) from None
    print(result.model_dump_json(by_alias=True, exclude_none=True, indent=2))
    if result.status not in ("success", "suspended", "paused"):
        raise RunError(f"{run.label} ended with status {result.status}.")


async def restart_all(app: str) -> None:
    """Restart all runs of an app that lost their workers. Return when they make progress again.

    Raises:
        RunError: Some runs could not be restarted.
    """
    mastra = await _connected(app)
    restarting = Restarting(
        mastra.session, [workflow.definition for workflow in mastra.list_workflows().values()], opted_out=False
    )
    total = await restarting.find()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("Restarting", total=total)
        report = await restarting.restart(done=lambda run: progress.advance(bar))
    for item in report.runs:
        if item.how != "attached":
            _console.print(f"{item.how:9}  {item.run_id}  ({item.workflow_id}: {item.why})", markup=False)
    _console.print(
        f"{total} active runs: {len(report.restarted)} restarted, {len(report.attached)} were well, "
        f"{len(report.skipped)} skipped, {len(report.failed)} failed"
    )
    if report.failed:
        raise RunError(f"{len(report.failed)} of {total} runs could not be restarted. See the reasons above.")


async def _connected(app: str) -> Mastra:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s: %(message)s")
    mastra = load_app(app)
    await mastra.connect()
    return mastra


async def _workflow_of(mastra: Mastra, run_id: str) -> str:
    try:
        description = await mastra.client.get_workflow_handle(run_id).describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        raise RunNotFoundError(f"Snapshot not found for run {run_id}") from None
    known = {typescript_workflow_type(each.id): each.id for each in mastra.list_workflows().values()}
    return known.get(description.workflow_type, description.workflow_type)
