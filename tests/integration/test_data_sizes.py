"""Sizes are counted in the bytes that are sent: what the server does not take is refused, and nothing hangs."""

import asyncio
from typing import Any

import pytest

from mastra_temporal import PayloadTooLargeError, StepContext, create_step, create_workflow, step
from mastra_temporal._protocol.limits import LIMIT
from tests.support import Stage, run, within

WIDE = "漢" * 800_000
"""2.4 MB in 0.8 million characters."""


def refused(error: Any, *words: str) -> None:
    assert error
    assert error["name"] == "PayloadTooLargeError"
    missing = [word for word in (*words, "2,080,768", "2,097,152", "ExternalStorage") if word not in error["message"]]
    assert not missing, f"{missing} missing in: {error['message']}"


@pytest.mark.parametrize(
    "effect",
    [
        lambda ctx: WIDE,
        lambda ctx: [WIDE[:400_000]] * 2,
        lambda ctx: ctx.bail({WIDE: 1}),
        lambda ctx: ctx.suspend(WIDE),
        lambda ctx: ctx.set_state({"a": WIDE}),
        lambda ctx: ctx.checkpoint(WIDE),
        lambda ctx: ctx.request_context.set("a", WIDE),
    ],
    ids=["result", "list", "bail", "suspend", "state", "checkpoint", "request context"],
)
async def test_what_a_step_gives(stage: Stage, effect: Any):
    async def give(value: Any, ctx: StepContext) -> Any:
        stage.effects.add("give")
        given = effect(ctx)
        return await given if asyncio.iscoroutine(given) else given

    workflow = create_workflow(id="wide").then(create_step(id="give", execute=give, retries=3)).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert result.status == "failed"
    refused(result.error, "step `give` of workflow `wide`")
    assert stage.effects.counts() == {"give": 1}


async def test_what_a_function_gives(stage: Stage):
    workflow = create_workflow(id="wide").map(lambda value: WIDE, id="shape").commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    refused(result.error, "`shape` of workflow `wide`")


async def test_parts_that_are_too_large_together(stage: Stage):
    async def give() -> str:
        return WIDE[:400_000]

    steps = [create_step(id=id, execute=give) for id in ("a", "b")]
    after = create_step(id="after", execute=lambda value: len(value))
    workflow = create_workflow(id="wide").parallel(steps).then(after).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    refused(result.error, "step `after` of workflow `wide`")
    assert result.steps["a"].output == WIDE[:400_000]


@pytest.mark.parametrize("name", ["input_data", "initial_state", "request_context"])
@pytest.mark.parametrize("size", [1, 2], ids=["over a payload", "over a message"])
async def test_what_a_run_is_started_with(stage: Stage, name: str, size: int):
    workflow = create_workflow(id="wide").then(create_step(id="give", execute=lambda value: 1)).commit()
    value: Any = WIDE * size if name == "input_data" else {"a": WIDE * size}
    async with stage.worker(workflow):
        made = await workflow.create_run()
        with pytest.raises(PayloadTooLargeError, match="ExternalStorage"):
            await within(made.start(**{name: value}))
        with pytest.raises(PayloadTooLargeError, match="ExternalStorage"):
            await within(made.start_async(**{name: value}))
        assert await made.fetch_status() == "pending"


async def test_resume_data(stage: Stage):
    @step
    async def ask(value: Any, ctx: StepContext) -> Any:
        return ctx.resume_data["a"][:1] if ctx.resume_data else await ctx.suspend()

    workflow = create_workflow(id="wide").then(ask).commit()
    async with stage.worker(workflow):
        made = await workflow.create_run()
        assert (await within(made.start())).status == "suspended"
        with pytest.raises(PayloadTooLargeError, match="ExternalStorage"):
            await within(made.resume(resume_data={"a": WIDE}))
        with pytest.raises(PayloadTooLargeError, match="ExternalStorage"):
            await within(made.resume(resume_data={"a": "b"}, request_context={"c": WIDE}))
        assert (await within(made.resume(resume_data={"a": WIDE[:600_000]}))).result == "漢"


async def test_what_just_fits_goes_through(stage: Stage):
    text = "漢" * 650_000

    @step
    async def give(value: str) -> str:
        return value

    workflow = create_workflow(id="wide").then(give).map({"a": {"step": "give", "path": ""}}).commit()
    async with stage.worker(workflow):
        assert (await run(workflow, input_data=text)).result == {"a": text}


@pytest.mark.parametrize("chunk", ["é" * 500_000, "\n" * 500_000], ids=["wide", "escaped"])
async def test_chunks_are_counted_as_they_are_sent(stage: Stage, chunk: str):
    """Half a million characters are a million bytes, which a chunk may have, or are escaped to as many."""

    @step
    async def write(value: Any, ctx: StepContext) -> None:
        await ctx.writer.write(chunk)
        with pytest.raises(PayloadTooLargeError, match="smaller chunks"):
            await ctx.writer.write(chunk + chunk)

    workflow = create_workflow(id="wide").then(write).commit()
    async with stage.worker(workflow):
        assert (await run(workflow)).status == "success"


@pytest.mark.parametrize("room", [16_000, 4_000, 2_000, 1_000, 600])
async def test_a_run_fails_with_an_input_just_below_the_limit(stage: Stage, room: int):
    """The failure names the failed step and its input. Both together must fit, or the run could never end."""
    workflow = create_workflow(id="wide").then(create_step(id="take", execute=lambda value: len(value))).commit()
    async with stage.worker(workflow):
        made = await workflow.create_run()
        refused((await within(made.start(input_data="é" * ((LIMIT - room) // 2)), 9)).error, "`take`", "`wide`")
