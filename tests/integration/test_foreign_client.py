"""A client that knows nothing of this package: Temporal's own, with the wire that Mastra's TypeScript package has."""

import uuid
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from mastra_temporal import NonRetryableError, StepContext, create_step, create_workflow, step
from tests.support import Stage, within


class Order(BaseModel):
    total: int
    note: str = "none"


@step
async def describe(order: Order, ctx: StepContext) -> dict[str, Any]:
    if order.total < 0:
        raise NonRetryableError("below zero")
    return {
        "order": order,
        "state": ctx.state,
        "context": ctx.request_context.to_json(),
        "run": ctx.run_id,
        "resource": ctx.resource_id,
    }


@pytest.fixture
async def foreign(stage: Stage) -> AsyncGenerator[Any]:
    """Starts a workflow type with an argument, as `temporal workflow start` would."""
    workflow = create_workflow(id="foreign-orders", input_schema=Order).then(describe).commit()
    client = await Client.connect(stage.address)

    async def execute(workflow_type: str, *arguments: Any) -> Any:
        run_id = f"foreign-{uuid.uuid4()}"
        return run_id, await within(
            client.execute_workflow(workflow_type, args=arguments, id=run_id, task_queue=stage.task_queue)
        )

    async with stage.worker(workflow):
        yield execute


@pytest.mark.parametrize("workflow_type", ["foreign-orders", "foreignOrdersWorkflow"])
async def test_it_starts_a_workflow_and_gets_the_result(foreign: Any, workflow_type: str):
    run_id, result = await foreign(
        workflow_type,
        {
            "inputData": {"total": 3, "unknown": 1},
            "initialState": {"count": 1},
            "requestContext": {"user": "ann"},
            "resourceId": "ann",
            "outputOptions": {"includeState": True},
            "tracingOptions": {"tags": ["a"]},
            "addedLater": {"deep": [1]},
        },
    )
    order = {"total": 3, "note": "none"}
    output = {"order": order, "state": {"count": 1}, "context": {"user": "ann"}, "run": run_id, "resource": "ann"}
    assert result["status"] == "success"
    assert result["result"] == output
    assert result["input"] == order
    assert result["state"] == {"count": 1}
    ended = result["steps"]["describe"]
    assert (ended["status"], ended["output"]) == ("success", output)
    assert ended["startedAt"] <= ended["endedAt"]
    assert result["stepExecutionPath"] == ["describe"]


async def test_every_step_has_the_keys_by_which_mastras_client_knows_a_result(stage: Stage):
    """It takes an entry without `output` for the output itself, of a worker that is older than step results."""

    @step
    async def nothing(value: int) -> None: ...

    @step
    async def again(value: Any) -> None: ...

    @step
    async def quiet(item: int) -> None: ...

    inner = create_workflow(id="inner").then(nothing).commit()
    workflow = (
        create_workflow(id="silent")
        .then(inner)
        .then(again)
        .map({"given": {"value": [1, 2]}}, id="data")
        .map(lambda value: value["given"], id="items")
        .foreach(quiet)
        .map(lambda _: None, id="none")
        .branch([(lambda _: True, create_step(id="taken", execute=lambda value: value))])
        .commit()
    )
    client = await Client.connect(stage.address)
    async with stage.worker(workflow):
        argument, run_id = {"inputData": 1}, f"silent-{uuid.uuid4()}"
        result: Any = await within(client.execute_workflow("silent", argument, id=run_id, task_queue=stage.task_queue))
    steps = result["steps"]
    assert list(steps) == ["inner", "again", "data", "items", "quiet", "none", "taken"]
    assert all(isinstance(entry["startedAt"], int) and {"status", "output"} <= entry.keys() for entry in steps.values())
    silent = {name: (entry["payload"], entry["output"]) for name, entry in steps.items() if entry["output"] is None}
    assert silent == {"inner": (1, None), "again": (None, None), "none": ([None, None], None), "taken": (None, None)}


async def test_a_run_id_of_its_own_is_kept(foreign: Any):
    _, result = await foreign("foreign-orders", {"inputData": {"total": 3}, "runId": "mine"})
    assert result["result"]["run"] == "mine"


@pytest.mark.parametrize("arguments", [[{"inputData": {"total": "many"}}], [{}], [{"inputData": None}], [], [None]])
async def test_a_wrong_input_fails_the_run_with_mastras_words(foreign: Any, arguments: list[Any]):
    with pytest.raises(WorkflowFailureError) as failure:
        await foreign("foreign-orders", *arguments)
    cause = failure.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.message.startswith("Invalid input data: \n- ")


async def test_a_failure_tells_everything_in_its_details(foreign: Any):
    with pytest.raises(WorkflowFailureError) as failure:
        await foreign("foreign-orders", {"inputData": {"total": -1}})
    cause = failure.value.cause
    assert isinstance(cause, ApplicationError)
    assert "below zero" in cause.message
    result, *_ = cause.details
    assert result["status"] == "failed"
    assert result["error"]["name"] == "MastraNonRetryableError"
    assert result["steps"]["describe"]["status"] == "failed"


async def test_our_client_joins_the_run(stage: Stage):
    workflow = create_workflow(id="foreign-orders", input_schema=Order).then(describe).commit()
    client = await Client.connect(stage.address)
    async with stage.worker(workflow):
        run_id = f"foreign-{uuid.uuid4()}"
        argument = {"inputData": {"total": 3, "note": "none"}}
        await client.start_workflow("foreign-orders", argument, id=run_id, task_queue=stage.task_queue)
        run_ = await workflow.create_run(run_id=run_id)
        result = await within(run_.start(input_data={"total": 3}))
        assert (result.status, (result.result or {})["order"]) == ("success", {"total": 3, "note": "none"})
        assert (await within(run_.restart())).status == "success"
