"""What JSON, Temporal or the next reader would choke on is refused where it is given, with the path to it."""

import math
from typing import Any

import pytest

from mastra_temporal import (
    FunctionContext,
    MastraError,
    SerializationError,
    StepContext,
    create_step,
    create_workflow,
    step,
)
from tests.support import Stage, run, within


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": [value]} if levels % 2 else [value]
    return value


HALF = "half \ud83d"
BAD: list[tuple[Any, str]] = [
    ({"deep": [[]] * 2 + [nested(196)]}, "nested deeper than 100 levels"),
    ({"deep": nested(197)}, "nested deeper than 100 levels"),
    ({"deep": nested(254)}, "nested deeper than 100 levels"),
    ({"deep": nested(3000)}, "nested deeper than 100 levels"),
    ({"items": [{"name": HALF}]}, "items[0].name` has half a surrogate pair"),
    ({"items": {HALF: 1}}, "items` has half a surrogate pair"),
    ({"items": [1.0, math.nan]}, "items[1]` is NaN"),
    ({"items": {"ratio": -math.inf}}, "items.ratio` is -Infinity"),
    ({"items": [10**6000]}, "items[0]` is a number of more than 3,600 digits"),
    ({"items": {(1, 2): 3}}, "items` has the key (1, 2)"),
    ({"items": [object()]}, "items[0]` is a value of type builtins.object"),
]
bad = pytest.mark.parametrize(("value", "words"), BAD, ids=[f"{index} {words}" for index, (_, words) in enumerate(BAD)])

EFFECTS: dict[str, Any] = {
    "result": lambda ctx, value: value,
    "bail": lambda ctx, value: ctx.bail(value),
    "state": lambda ctx, value: ctx.set_state(value),
    "checkpoint": lambda ctx, value: ctx.checkpoint(value),
    "suspend": lambda ctx, value: ctx.suspend(value),
    "label": lambda ctx, value: ctx.suspend({}, resume_label=HALF),
    "request context": lambda ctx, value: ctx.request_context.update(value),
    "chunk": lambda ctx, value: ctx.writer.write(value),
}


@bad
async def test_a_step_says_so_once_and_whatever_it_gives(stage: Stage, value: Any, words: str):
    async def give(name: str, ctx: StepContext) -> Any:
        stage.effects.add(name)
        given = EFFECTS[name](ctx, value)
        return await given if hasattr(given, "__await__") else given

    def peek(ctx: FunctionContext) -> Any:
        return value

    steps = create_workflow(id="steps").then(create_step(id="give", execute=give, retries=3)).commit()
    mapped = create_workflow(id="mapped").map(peek, id="peek").commit()
    async with stage.worker(steps, mapped):
        for name in EFFECTS:
            result = await run(steps, input_data=name)
            assert result.status == "failed", name
            assert result.error
            assert result.error["name"] == "SerializationError", name
            message = result.error["message"]
            assert "step `give`" in message, name
            if name != "label":
                assert "of workflow `steps`" in message, name
                assert words in message, (name, message)
        result = await run(mapped, input_data=1)
        assert result.error
        assert words in result.error["message"]
        assert "`peek` of workflow `mapped`" in result.error["message"]
    assert stage.effects.counts() == dict.fromkeys(EFFECTS, 1)


@bad
async def test_a_caller_hears_of_it_before_anything_is_written(stage: Stage, value: Any, words: str):
    @step
    async def ask(data: Any, ctx: StepContext) -> Any:
        return ctx.resume_data or await ctx.suspend()

    workflow = create_workflow(id="asking").then(ask).commit()
    async with stage.worker(workflow):
        made = await workflow.create_run()
        for name in ("input_data", "initial_state", "request_context"):
            with pytest.raises(SerializationError) as refusal:
                await within(made.start(**{name: value}))
            assert words in str(refusal.value)
            assert "workflow `asking`" in str(refusal.value)
        assert await made.fetch_status() == "pending"
        assert (await within(made.start(input_data=1))).status == "suspended"
        with pytest.raises(SerializationError):
            await within(made.resume(resume_data=value))
        with pytest.raises(SerializationError):
            await within(made.resume(resume_data=1, request_context=value))
        for arguments in ({"context": {"ask": {"output": value}}}, {"initial_state": value}, {"input_data": value}):
            with pytest.raises(SerializationError):
                await within(made.time_travel(step="ask", **arguments))  # pyright: ignore[reportArgumentType]
        assert (await within(made.resume(resume_data=2))).result == 2


async def test_a_number_is_not_called_null_by_the_next_step(stage: Stage):
    @step
    async def measure() -> Any:
        return {"ratio": math.nan}

    @step
    async def use(value: dict[str, float]) -> None: ...

    @step
    async def declared() -> dict[str, float]:
        return {"ratio": math.inf}

    undeclared = create_workflow(id="a").then(measure).then(use).commit()
    checked = create_workflow(id="b").then(declared).commit()
    async with stage.worker(undeclared, checked):
        first, second = await run(undeclared), await run(checked)
    for result, words in ((first, "`ratio` is NaN"), (second, "`ratio` is Infinity")):
        assert result.error
        assert words in result.error["message"]
        assert "null" not in result.error["message"]


async def test_a_mapping_cannot_grow_without_end(stage: Stage):
    """Data that no step gives: a loop that puts each value into the next."""
    grow = create_workflow(id="grow").map({"inner": {"init_data": True, "path": ""}}, id="wrap").commit()
    workflow = create_workflow(id="loop").dountil(grow, lambda value: False).commit()
    async with stage.worker(workflow):
        result = await run(workflow, input_data=1)
    assert result.status == "failed"
    assert result.error
    assert "mapping `wrap` of workflow `grow` is nested deeper than 100 levels" in result.error["message"]


@pytest.mark.parametrize(
    "define",
    [
        lambda: create_workflow(id="w", metadata={"x": HALF}),
        lambda: create_step(id="s", execute=lambda: 1, metadata={"x": object()}),
        lambda: create_workflow(id="w").map(lambda value: value, metadata={"x": math.nan}),
        lambda: create_workflow(id="w").map({"x": {"value": HALF}}),
        lambda: create_workflow(id="w", schedule={"cron": "@daily", "input_data": {"x": math.nan}}),
        lambda: create_workflow(id="w", schedule={"cron": "@daily", "metadata": {"x": HALF}}),
    ],
)
def test_a_definition_is_refused_where_it_is_written(define: Any):
    with pytest.raises(MastraError, match=r"`x`|it has half"):
        define()
