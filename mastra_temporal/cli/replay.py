"""``mastra-temporal replay``: recorded runs against the code of an app, before it is deployed."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import Client, WorkflowHistory

from mastra_temporal._client.records.description import workflow_types
from mastra_temporal._client.rpc_errors import explain
from mastra_temporal._client.visibility import all_of, one_of
from mastra_temporal.cli.exit_status import NegativeAnswerError
from mastra_temporal.cli.output import line, print_json, styled
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, AppNeeded, AsJson, Namespace, Target
from mastra_temporal.errors import ConfigurationError
from mastra_temporal.mastra import Mastra
from mastra_temporal.replaying import ReplayCheck, check_history

__all__ = ["commands"]

commands = typer.Typer()


@commands.command()
def replay(
    app: AppNeeded,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Histories as JSON, or folders of them.")
    ] = None,
    newest: Annotated[int | None, typer.Option(min=1, help="Replay the newest N runs of the app's workflows.")] = None,
    only_open: Annotated[bool, typer.Option("--open", help="Of the namespace, only runs that are open.")] = False,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Replay runs against the app's code before a deploy. Needs --app; with files it needs no server.

    It finds histories that the new code would not follow, and steps or functions that an open run still needs and the
    app no longer has. The exit status is 3 if there are any. `temporal workflow show -w RUN -o json` records a file.
    """
    if (not files) == (newest is None):
        raise typer.BadParameter("give either files or --newest")
    target = Target(app, address, namespace)
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # the reasons are printed, each on one line

    async def command() -> None:
        checks: list[ReplayCheck] = []
        async for check in _of_files(target.load(), files) if files else _of_namespace(target, newest or 0, only_open):
            checks.append(check)
            if not as_json:
                _print(check)
        _conclude(checks, as_json)

    raise typer.Exit(run(command(), target))


async def _of_files(mastra: Mastra, files: Iterable[Path]) -> AsyncIterator[ReplayCheck]:
    for path in (each for file in files for each in (sorted(file.glob("*.json")) if file.is_dir() else [file])):
        try:
            history = WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8"))
            first = history.events[0].workflow_execution_started_event_attributes
        except Exception as error:  # the SDK and protobuf raise many kinds of errors for a file that is no history
            raise ConfigurationError(f"`{path}` is no history of a run: {type(error).__name__}: {error}.") from error
        yield await check_history(mastra, WorkflowHistory(first.workflow_id or path.stem, history.events))


async def _of_namespace(target: Target, newest: int, only_open: bool) -> AsyncIterator[ReplayCheck]:
    mastra = await target.connect()
    query = all_of(
        one_of("WorkflowType", [name for id in mastra.list_workflows() for name in workflow_types(id)]),
        "ExecutionStatus = 'Running'" if only_open else None,
    )
    try:
        async for history in _histories(mastra.client, query, newest):
            yield await check_history(mastra, history, mastra.client.data_converter)
    except Exception as error:
        raise await explain(error, lambda: mastra.client, "the list of runs") from error


async def _histories(client: Client, query: str, newest: int) -> AsyncIterator[WorkflowHistory]:
    async for execution in client.list_workflows(query, limit=newest):
        yield await client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history()


def _print(check: ReplayCheck) -> None:
    status = styled("ok" if check.problem is None else "failed")
    problem = "" if check.problem is None else f": {check.problem}"
    line(Text.assemble(status, f"  run {check.run_id} of workflow {check.workflow_name}{problem}"))


def _conclude(checks: list[ReplayCheck], as_json: bool) -> None:
    """Print the whole answer.

    Raises:
        ConfigurationError: There was nothing to replay. A check in CI must not pass because it checks nothing.
        NegativeAnswerError: A run could not go on with this code.
    """
    if not checks:
        raise ConfigurationError("There is no history to replay: check the files, the namespace and the workflows.")
    failed = [check for check in checks if check.problem is not None]
    if as_json:
        print_json({"replayed": len(checks), "failed": len(failed), "histories": checks})
    if failed:
        raise NegativeAnswerError(f"{len(failed)} of {len(checks)} runs could not go on with this code.")
    if not as_json:
        line(f"{len(checks)} runs can go on with this code")
