"""``mastra-temporal graph``: draws a workflow, or the graph that a run follows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from mastra_temporal._definition.drawing import mermaid, text
from mastra_temporal._protocol.graph import WorkflowGraph
from mastra_temporal.cli.output import print_json
from mastra_temporal.cli.run_ids import OptionalRunIdOption
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, App, AsJson, Namespace, Target
from mastra_temporal.errors import ConfigurationError

__all__ = ["commands"]

commands = typer.Typer()


@commands.command()
def graph(
    workflow: Annotated[str | None, typer.Argument(help="The workflow's id. Needs --app.")] = None,
    run_id: OptionalRunIdOption = None,
    shape: Annotated[Literal["text", "mermaid"], typer.Option("--format", help="How to draw it.")] = "text",
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Draw a workflow of an --app, or with --run the graph that a run follows. --run works with the server alone.

    With --json it is Mastra's stepGraph.
    """
    if (workflow is None) == (run_id is None):
        raise typer.BadParameter("give either a WORKFLOW or --run")
    target = Target(app, address, namespace)

    async def command() -> None:
        drawn, steps = await (_of_run(target, run_id) if run_id else _of_workflow(target, str(workflow)))
        if as_json:
            print_json(steps)
        else:
            typer.echo((mermaid if shape == "mermaid" else text)(drawn))

    raise typer.Exit(run(command(), target))


async def _of_workflow(target: Target, workflow: str) -> tuple[WorkflowGraph, list[dict[str, Any]]]:
    """Return the graph of a registered workflow, which needs no server."""
    if target.app is None:
        raise ConfigurationError("`graph WORKFLOW` needs `--app module:attribute`. A run's graph needs only `--run`.")
    found = target.load().get_workflow(workflow)
    return found.graph, found.serialized_step_graph


async def _of_run(target: Target, run_id: str) -> tuple[WorkflowGraph, list[dict[str, Any]]]:
    """Return the graph that a run recorded."""
    record = (await (await target.connect()).get_run_progress(run_id)).run
    steps = record.serialized_step_graph or []
    return WorkflowGraph.model_validate({"id": record.workflow_name, "entries": steps}), steps
