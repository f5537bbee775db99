"""Steps and runs for the tests of suspending and resuming."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from temporalio.client import Client

from mastra_temporal import Run, StepContext, Workflow, WorkflowResult, create_step, create_workflow
from tests.support import Effects, history, within


def asking(effects: Effects | None = None, id: str = "ask", label: Any = None, **settings: Any) -> Any:
    """A step that suspends, and gives its input with the data of its resume. It notes how often it was executed."""

    async def ask(value: Any, ctx: StepContext) -> Any:
        if effects is not None:
            effects.add(f"{ctx.idempotency_key.partition('/')[2]} {'fresh' if ctx.suspend_data is None else 'resumed'}")
        if ctx.suspend_data is None:
            named: Any = label(value) if callable(label) else label
            return await ctx.suspend({"about": value}, resume_label=named)
        return [value, ctx.resume_data]

    return create_step(id=id, execute=ask, **settings)


def passing(effects: Effects | None = None, id: str = "after") -> Any:
    """A step that gives its input. It notes how often it was executed."""

    async def go_on(value: Any, ctx: StepContext) -> Any:
        if effects is not None:
            effects.add(ctx.idempotency_key.partition("/")[2])
        return value

    return create_step(id=id, execute=go_on)


def flow(*steps: Any, id: str = "flow", **settings: Any) -> Workflow[Any, Any, Any]:
    """A committed workflow of these steps, one after the other."""
    workflow = create_workflow(id=id, **settings)
    for each in steps:
        workflow = workflow.then(each)
    return workflow.commit()


async def suspended_run(
    workflow: Workflow[Any, Any, Any], input_data: Any = 1, **start: Any
) -> tuple[Run[Any], WorkflowResult[Any]]:
    """A run that was started and is suspended."""
    run = await workflow.create_run()
    result = await within(run.start(input_data=input_data, **start))
    assert result.status == "suspended", result.error
    return run, result


@contextlib.asynccontextmanager
async def unchanged(client: Client, run_id: str) -> AsyncGenerator[None]:
    """What happens in the block leaves no trace in the run's history."""
    before = await history(client, run_id)
    yield
    assert await history(client, run_id) == before
