"""``mastra-temporal resume``: answers a suspended run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mastra_temporal._client.run import Run
from mastra_temporal._data.schema import Schema
from mastra_temporal._definition.step import Step
from mastra_temporal._protocol.keys import step_id_of
from mastra_temporal._worker.workflow.completion import without_meta
from mastra_temporal.cli.form import ask, is_interactive
from mastra_temporal.cli.output import line, print_json
from mastra_temporal.cli.parsing import json_data
from mastra_temporal.cli.result import in_time, print_result
from mastra_temporal.cli.run_ids import RunId
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, App, AsJson, Namespace, Target
from mastra_temporal.errors import ConfigurationError, RunNotSuspendedError, WorkflowNotFoundError
from mastra_temporal.mastra import Mastra
from mastra_temporal.workflow import Workflow

__all__ = ["commands"]

commands = typer.Typer()


@commands.command()
def resume(
    run_id: RunId,
    data: Annotated[str | None, typer.Option(help="The answer as JSON, @file or - for standard input.")] = None,
    step: Annotated[str | None, typer.Option(help="The suspended step, such as approve or parent.child.")] = None,
    label: Annotated[str | None, typer.Option(help="The label of the suspension, instead of --step.")] = None,
    index: Annotated[int | None, typer.Option(min=0, help="The item of a foreach, from 0.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the run has ended or is suspended again.")] = True,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds to wait; then the exit status is 124.")] = None,
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Answer a suspended run and wait for its result. Works with the server and a worker alone.

    In a terminal it asks for the answer if --data is missing: field by field with --app, which has the resume schema,
    and as JSON otherwise.
    """
    target = Target(app, address, namespace)

    async def command() -> None:
        mastra = await target.connect()
        suspended = await mastra.get_run(run_id)
        given: dict[str, Any] = {"step": step, "label": label, "for_each_index": index}
        given["resume_data"] = json_data(data, "--data")
        if data is None:
            if not is_interactive():
                raise ConfigurationError("Give the answer with --data, or start the command in a terminal.")
            given |= await _answer(mastra, suspended, step, label)
        if wait:
            result = await in_time(suspended, suspended.resume(**given), timeout)
            print_result(suspended, result, app, for_programs=as_json)
            return
        await suspended.resume_async(**given)
        print_json({"runId": run_id}) if as_json else line(run_id)

    raise typer.Exit(run(command(), target))


async def _answer(mastra: Mastra, suspended: Run[Any], step: str | None, label: str | None) -> dict[str, Any]:
    """Ask a person which suspension to answer, and for the answer.

    Raises:
        RunNotSuspendedError: Nothing is suspended.
    """
    result = await suspended.join()
    paths = {".".join(path): path for path in result.suspended or []}
    if not paths:
        raise RunNotSuspendedError(f"{suspended.label} is not suspended: its status is {result.status}.")
    if label is None and step is None and len(paths) > 1:
        step = _choose(list(paths))
    targets = result.resume_labels or {}
    named = str(targets[label].get("stepId")) if label in targets else step
    path = paths.get(named or "") or next(
        (each for each in paths.values() if named in each), next(iter(paths.values()))
    )
    recorded = result.steps.get(path[0])
    payload = without_meta(None if recorded is None else recorded.suspend_payload)
    title = f"Answer for step {'.'.join(path)}" + (f", which says {payload}" if payload else "")
    answer = ask(_resume_schema(mastra, suspended.workflow_id, path), title)
    return {"resume_data": answer, "step": None if label else step}


def _choose(steps: list[str]) -> str:
    for number, each in enumerate(steps, start=1):
        typer.echo(f"  {number}  {each}")
    while True:
        answer: int = typer.prompt("Which step", type=int)
        if 0 < answer <= len(steps):
            return steps[answer - 1]


def _resume_schema(mastra: Mastra, workflow_id: str, path: list[str]) -> Schema | None:
    """Return the resume schema of a step, or None if it has none or its workflow is not registered."""
    try:
        found: Any = mastra.get_workflow_by_id(workflow_id)
    except WorkflowNotFoundError:
        return None
    for key in path:
        found = found.steps.get(step_id_of(key)) if isinstance(found, Workflow) else None
    return found.resume_schema if isinstance(found, Step) else None
