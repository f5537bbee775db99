"""What steps give and get: validated, serializable, and of a size that Temporal takes."""

import uuid
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, Field

from mastra_temporal import StepContext, SyncStepContext, WorkflowResult, create_step, create_workflow, step
from tests.support import Stage, run

MEGABYTE = 1_000_000


class Order(BaseModel):
    total: int = Field(ge=0)
    note: str = "none"
    due: date = date(2030, 1, 2)


def failed(result: WorkflowResult[Any], step_id: str | None, *words: str) -> None:
    """The run failed with one clear sentence that has these words."""
    assert result.status == "failed", result.status
    assert result.error
    missing = [word for word in words if word not in result.error["message"]]
    assert not missing, f"{missing} missing in: {result.error['message']}"
    if step_id:
        assert result.steps[step_id].status == "failed"
        assert result.steps[step_id].error == result.error


async def test_models_go_in_and_come_out(stage: Stage):
    @step
    async def one(order: Order) -> Order:
        assert isinstance(order, Order)
        return order.model_copy(update={"total": order.total + 1})

    @step
    def two(orders: list[Order], ctx: SyncStepContext) -> dict[str, Order]:
        assert isinstance(ctx.input_data[0], Order)
        return {"first": orders[0]}

    workflow = create_workflow(id="models", input_schema=Order, output_schema=dict[str, Order])
    workflow.then(one).map(lambda order: [order]).then(two).commit()
    async with stage.worker(workflow):
        by_model, by_data = await run(workflow, input_data=Order(total=1)), await run(workflow, input_data={"total": 1})
    assert by_model.result == by_data.result == {"first": Order(total=2)}
    assert by_data.input == {"total": 1, "note": "none", "due": "2030-01-02"}
    assert by_data.steps["one"].output == {"total": 2, "note": "none", "due": "2030-01-02"}


@pytest.mark.parametrize(("validate", "status"), [(True, "failed"), (False, "success")])
@pytest.mark.parity("step.outputSchema")
async def test_outputs_are_checked_unless_that_is_switched_off(stage: Stage, validate: bool, status: str):
    @step
    async def lie() -> Order:
        return {"total": -1}  # pyright: ignore[reportReturnType]

    @step
    async def go_on(value: Any) -> Any:
        return value

    workflow = create_workflow(id="outputs", output_schema=Order, options={"validate_outputs": validate})
    workflow.then(lie).then(go_on).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert result.status == status
    if validate:
        failed(result, "lie", "Step output validation failed for step 'lie'", "- total: ")
        assert "go_on" not in result.steps
    else:
        assert result.result == {"total": -1}


async def test_a_checked_output_is_never_replaced(stage: Stage):
    @step
    async def sparse() -> Order:
        return {"total": 1, "extra": [1]}  # pyright: ignore[reportReturnType]

    workflow = create_workflow(id="outputs").then(sparse).commit()
    async with stage.worker(workflow):
        assert (await run(workflow)).result == {"total": 1, "extra": [1]}


@pytest.mark.parametrize(
    "body",
    [
        lambda ctx: object(),
        lambda ctx: {"deep": [object()]},
        lambda ctx: b"\xff",
        lambda ctx: ctx.set_state({"a": object()}),
        lambda ctx: ctx.checkpoint(object()),
        lambda ctx: ctx.suspend({"a": object()}),
        lambda ctx: ctx.bail(object()),
    ],
    ids=["result", "inside", "bytes", "state", "checkpoint", "suspend", "bail"],
)
async def test_what_cannot_be_written_fails_the_run_at_once(stage: Stage, body: Any):
    def call(value: Any, ctx: SyncStepContext) -> Any:
        stage.effects.add("call")
        return body(ctx)

    workflow = create_workflow(id="unwritable").then(create_step(id="give", execute=call, retries=5)).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    failed(result, "give", "step `give` of workflow `unwritable`", "cannot be written as JSON", "Use ")
    assert stage.effects.counts() == {"call": 1}


async def test_a_function_that_gives_what_cannot_be_written(stage: Stage):
    workflow = create_workflow(id="unwritable").map(lambda value: object(), id="shape").commit()
    async with stage.worker(workflow):
        failed(await run(workflow), "shape", "`shape` of workflow `unwritable`", "cannot be written as JSON")


def big(megabytes: float = 3) -> str:
    return "x" * int(megabytes * MEGABYTE)


TOO_LARGE = ("2,097,152", "reference")


async def test_a_result_that_is_too_large(stage: Stage):
    @step
    async def before() -> str:
        return "kept"

    @step(retries=5)
    async def give() -> str:
        stage.effects.add("give")
        return big()

    workflow = create_workflow(id="large").then(before).then(give).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    failed(result, "give", "step `give` of workflow `large`", *TOO_LARGE)
    assert result.steps["before"].output == "kept"
    assert stage.effects.counts() == {"give": 1}


@pytest.mark.parametrize(
    "effect",
    [
        lambda ctx: ctx.set_state({"a": big()}),
        lambda ctx: ctx.request_context.update(a=big()),
        lambda ctx: ctx.checkpoint(big()),
        lambda ctx: ctx.suspend(big()),
        lambda ctx: ctx.bail(big()),
    ],
    ids=["state", "request context", "checkpoint", "suspend", "bail"],
)
async def test_other_things_of_a_step_that_are_too_large(stage: Stage, effect: Any):
    def call(value: Any, ctx: SyncStepContext) -> Any:
        return effect(ctx)

    workflow = create_workflow(id="large").then(create_step(id="give", execute=call)).commit()
    async with stage.worker(workflow):
        failed(await run(workflow), "give", "step `give` of workflow `large`", *TOO_LARGE)


async def test_an_error_that_is_too_large(stage: Stage):
    @step
    async def give() -> None:
        raise RuntimeError(big())

    workflow = create_workflow(id="large").then(give).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert (result.status, result.steps["give"].status) == ("failed", "failed")
    assert result.error
    assert result.error["name"] == "RuntimeError"
    assert len(result.error["message"]) < MEGABYTE


async def test_parts_that_are_too_large_together(stage: Stage):
    async def give() -> str:
        return big(1.2)

    steps = [create_step(id=id, execute=give) for id in ("a", "b")]
    after = create_step(id="after", execute=lambda value: len(value))
    workflow = create_workflow(id="large").parallel(steps).then(after).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    failed(result, "after", "step `after` of workflow `large`", *TOO_LARGE)
    assert result.steps["b"].output == big(1.2)


async def test_a_large_run_whose_parts_fit_succeeds(stage: Stage):
    """Ten megabytes of results in all: none of them is sent twice, and the caller gets every one.

    The server finds such a history long. All of it is too large for the start of a new execution, so the run stays.
    """

    async def give(value: Any, ctx: StepContext) -> str:
        return big(1.3)

    async def drop(value: Any) -> int:
        return len(value)

    workflow = create_workflow(id="large")
    for number in range(8):
        workflow.then(create_step(id=f"give-{number}", execute=give))
        workflow.then(create_step(id=f"drop-{number}", execute=drop))
    workflow.map(lambda value, ctx: len(ctx.get_step_result("give-3")), id="look").commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert (result.status, result.result) == ("success", int(1.3 * MEGABYTE))
    assert {len(step.output) for id, step in result.steps.items() if id.startswith("give")} == {int(1.3 * MEGABYTE)}


@pytest.mark.parametrize("shape", ["parallel", "foreach"])
async def test_many_large_inputs_at_once(stage: Stage, shape: str):
    """Together they are more than the server takes in one message."""

    async def measure(value: str) -> int:
        return len(value)

    workflow = create_workflow(id="large")
    if shape == "parallel":
        workflow.parallel([create_step(id=f"measure-{n}", execute=measure) for n in range(5)]).commit()
        given: Any = big(1)
    else:
        workflow.foreach(create_step(id="measure", execute=measure), concurrency=20).commit()
        given = [big(0.09)] * 20
    async with stage.worker(workflow):
        result = await run(workflow, input_data=given)
    assert result.status == "success"


async def test_ids_may_be_any_text(stage: Stage):
    """Ids become activity types, activity ids and parts of paths."""
    odd = f"größe / {uuid.uuid4()} 'x' (y)"
    inner = create_workflow(id=f"inner {odd}").then(create_step(id=odd, execute=lambda value: value)).commit()
    workflow = create_workflow(id=f"outer {odd}").foreach(inner).commit()
    async with stage.worker(workflow):
        assert (await run(workflow, input_data=["a"])).result == ["a"]
