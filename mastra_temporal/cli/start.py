"""``mastra-temporal start``: starts a run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mastra_temporal.cli.form import ask, is_interactive
from mastra_temporal.cli.output import line, print_json
from mastra_temporal.cli.parsing import json_data, json_object
from mastra_temporal.cli.result import in_time, print_result
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, AppNeeded, AsJson, Namespace, Target, TaskQueue

__all__ = ["commands"]

commands = typer.Typer()


@commands.command()
def start(
    workflow: Annotated[str, typer.Argument(help="The workflow's id.", show_default=False)],
    app: AppNeeded,
    data: Annotated[str | None, typer.Option(help="Input as JSON, @file or - for standard input.")] = None,
    run_id: Annotated[str | None, typer.Option(help="Id of the run (default: a new one).")] = None,
    resource: Annotated[str | None, typer.Option(help="Owner of the run.")] = None,
    state: Annotated[str | None, typer.Option(help="Initial state as a JSON object or @file.")] = None,
    context: Annotated[str | None, typer.Option(help="Request context as a JSON object or @file.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the run has ended or is suspended.")] = True,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds to wait; then the exit status is 124.")] = None,
    address: Address = None,
    namespace: Namespace = None,
    task_queue: TaskQueue = None,
    as_json: AsJson = False,
) -> None:
    """Start a run and wait for its result. Needs --app. In a terminal it asks for the input if --data is missing."""
    target = Target(app, address, namespace, task_queue)

    async def command() -> None:
        mastra = await target.connect()
        found = mastra.get_workflow(workflow)
        given: dict[str, Any] = {
            "input_data": json_data(data, "--data"),
            "initial_state": json_object(state, "--state"),
            "request_context": json_object(context, "--context"),
        }
        if data is None and found.input_schema is not None and is_interactive():
            given["input_data"] = ask(found.input_schema, f"Input of workflow {found.id}")
        started = await found.create_run(run_id=run_id, resource_id=resource)
        if wait:
            result = await in_time(started, started.start(**given), timeout)
            print_result(started, result, app, for_programs=as_json)
            return
        await started.start_async(**given)
        print_json({"runId": started.run_id}) if as_json else line(started.run_id)

    raise typer.Exit(run(command(), target))
