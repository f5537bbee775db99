"""``mastra-temporal time-travel``: runs again from a step."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mastra_temporal.cli.parsing import json_data, json_object
from mastra_temporal.cli.result import in_time, print_result
from mastra_temporal.cli.run_ids import RunId
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, App, AsJson, Namespace, Target

__all__ = ["commands"]

commands = typer.Typer()


@commands.command()
def time_travel(
    run_id: RunId,
    step: Annotated[
        str, typer.Argument(help="The step, such as approve, parent.child or items[2].", show_default=False)
    ],
    data: Annotated[
        str | None, typer.Option(help="Input of the step as JSON or @file (default: the recorded one).")
    ] = None,
    resume_data: Annotated[str | None, typer.Option(help="Answer for a suspended step, as JSON or @file.")] = None,
    state: Annotated[
        str | None, typer.Option(help="State instead of the recorded one, a JSON object or @file.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds to wait; then the exit status is 124.")] = None,
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Run again from a step, with the results recorded before it, and wait for the result.

    With --app it follows the app's present graph and checks the data. Without, it follows the graph that the run
    recorded. The run must not be running.
    """
    target = Target(app, address, namespace)

    async def command() -> None:
        travelling = await (await target.connect()).get_run(run_id)
        given: dict[str, Any] = {
            "input_data": json_data(data, "--data"),
            "resume_data": json_data(resume_data, "--resume-data"),
            "initial_state": json_object(state, "--state"),
        }
        result = await in_time(travelling, travelling.time_travel(step=step, **given), timeout)
        print_result(travelling, result, app, for_programs=as_json)

    raise typer.Exit(run(command(), target))
