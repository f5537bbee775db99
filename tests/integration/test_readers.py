"""All readers of one run in a process read it together: late and slow ones, those that leave, and those that fail."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, Interceptor, OutboundInterceptor, QueryWorkflowInput
from temporalio.converter import PayloadCodec

from mastra_temporal import (
    DataConversionError,
    Mastra,
    Run,
    StepContext,
    Workflow,
    WorkflowEvent,
    create_step,
    create_workflow,
)
from mastra_temporal._client.streams import log
from tests.support import Effects, Stage, until, within

READERS = 20


class Queries(Interceptor):
    """Counts the queries of a client."""

    count = 0

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        counter = self

        class Counting(OutboundInterceptor):
            async def query_workflow(self, input: QueryWorkflowInput) -> Any:
                counter.count += 1
                return await super().query_workflow(input)

        return Counting(next)


def writing(effects: Effects, *, chunks: int = 60, pause: float = 0.02) -> Workflow[Any, Any, Any]:
    """Write half of the chunks, wait for the gate, and write the others."""

    async def write(ctx: StepContext) -> str:
        for number in range(chunks):
            if number == chunks // 2:
                await effects.opened("go")
            await ctx.writer.write(number)
            await asyncio.sleep(pause)
        return "done"

    async def ask(ctx: StepContext) -> Any:
        return ctx.resume_data or await ctx.suspend({"question": "?"})

    steps = create_step(id="write", execute=write), create_step(id="ask", execute=ask)
    return create_workflow(id="writing").then(steps[0]).then(steps[1]).commit()


async def connected(stage: Stage, workflow: Workflow[Any, Any, Any], **config: Any) -> Mastra:
    """Connect with a client of its own, that has this configuration."""
    mastra = Mastra(workflows=[workflow], task_queue=stage.task_queue)
    await mastra.connect(Client(**{**stage.client.config(), **config}))
    return mastra


async def started(workflow: Workflow[Any, Any, Any]) -> Run[Any]:
    run = await workflow.create_run()
    await run.start_async()
    return run


async def is_open(run: Run[Any]) -> bool:
    return await run.fetch_status() == "running"


def chunks_of(events: Sequence[WorkflowEvent]) -> list[Any]:
    return [event.payload["output"] for event in events if event.type == "workflow-step-output"]


async def all_of(events: AsyncIterable[WorkflowEvent]) -> list[WorkflowEvent]:
    return [event async for event in events]


async def some_of(events: AsyncGenerator[WorkflowEvent], count: int) -> list[WorkflowEvent]:
    return [await within(anext(events)) for _ in range(count)]


async def test_readers_of_all_kinds_cost_the_worker_as_much_as_one(stage: Stage):
    stage.effects.open("go")
    async with stage.worker(writing(stage.effects)):
        workflow, queries = writing(stage.effects), Queries()
        await connected(stage, workflow, interceptors=[queries])
        run = await workflow.create_run()
        output, watched = run.stream(close_on_suspend=False), list[WorkflowEvent]()
        unwatch = await run.watch(watched.append)
        await until(lambda: is_open(run))
        reading = [asyncio.create_task(all_of(run.observe_stream())) for _ in range(READERS)]
        await until(lambda: any(event.type == "workflow-step-suspended" for event in watched))
        await within(run.resume(resume_data="yes"))
        everything = await within(all_of(output))
        of_readers = await within(asyncio.gather(*reading))
        await within(unwatch())
    assert chunks_of(everything) == list(range(60))
    assert all(chunks_of(events) == list(range(60)) for events in of_readers)
    assert of_readers == [of_readers[0]] * READERS
    assert [event.type for event in watched][-2:] == ["workflow-step-result", "workflow-step-finish"]
    # A batch of chunks every 0.2 seconds, and a few events more. Each reader alone would make as many queries.
    assert queries.count < 40


async def test_late_readers_begin_where_they_want(stage: Stage):
    workflow = writing(stage.effects, pause=0.0)
    async with stage.worker(workflow):
        run = await started(workflow)
        first = run.observe_stream()
        begun = await some_of(first, 32)
        from_now: list[WorkflowEvent] = []
        unwatch = await run.watch(from_now.append)
        offsets = [0, 5, 31, 32, 40, 1_000_000]
        late = [asyncio.create_task(all_of(run.observe_stream(from_offset=offset))) for offset in offsets]
        after_now = asyncio.create_task(all_of(first))
        stage.effects.open("go")
        assert (await within(run.join())).status == "suspended"
        await within(run.resume(resume_data="yes"))
        everything = begun + await within(after_now)
        assert [event.offset for event in everything] == list(range(len(everything)))
        assert await within(asyncio.gather(*late)) == [everything[offset:] for offset in offsets]
        await within(unwatch())
    assert chunks_of(everything) == list(range(60))
    assert [event.payload["id"] for event in from_now] == ["write"] * 2 + ["ask"] * 5


async def test_a_reader_that_cannot_keep_up_misses_nothing_and_delays_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(log, "RETAINED", 200)  # bytes: one or two events
    workflow = writing(stage.effects, pause=0.01)
    async with stage.worker(workflow):
        run = await started(workflow)
        slow = run.observe_stream()
        begun = await some_of(slow, 3)
        stage.effects.open("go")
        fast = run.observe_stream()
        while (event := await within(anext(fast))).type != "workflow-step-suspended":
            begun[0].payload["workflowId"] = "of this reader only"
        assert chunks_of(begun + await some_of(slow, event.offset - 2)) == list(range(60))
        await asyncio.gather(fast.aclose(), slow.aclose())


async def test_readers_that_leave_take_nobody_along_and_the_last_one_ends_the_reading(stage: Stage):
    workflow = writing(stage.effects)
    async with stage.worker(workflow):
        run = await started(workflow)
        await within(anext(run.observe_stream()))
        before = len(asyncio.all_tasks())
        readers = [asyncio.create_task(all_of(run.observe_stream())) for _ in range(READERS)]
        await asyncio.sleep(0.3)
        for reader in readers[: READERS // 2]:  # the one that made the call for all is among them
            reader.cancel()
        stage.effects.open("go")
        await within(run.join())
        await within(run.resume(resume_data="yes"))
        for events in await within(asyncio.gather(*readers[READERS // 2 :])):
            assert chunks_of(events) == list(range(60))
        other = await started(workflow)
        readers = [asyncio.create_task(all_of(other.observe_stream())) for _ in range(READERS)]
        await within(other.join())
        for reader in readers:
            reader.cancel()
        await within(asyncio.wait(readers))
        await until(lambda: len(asyncio.all_tasks()) <= before)


class Switch(PayloadCodec):
    """A codec whose key server may fail."""

    is_down = False

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if self.is_down:
            raise ConnectionError("the key server is down")
        return list(payloads)


async def test_an_error_reaches_all_readers_and_another_client_reads_on(stage: Stage):
    async with stage.worker(writing(stage.effects)):
        workflow, codec = writing(stage.effects), Switch()
        converter = dataclasses.replace(stage.client.data_converter, payload_codec=codec)
        # The same connection, so that only the data converter differs.
        broken = await connected(stage, workflow, data_converter=converter)
        run = await started(workflow)
        healthy = (
            await (await connected(stage, writing(stage.effects))).get_workflow("writing").create_run(run_id=run.run_id)
        )
        assert broken.client.service_client is stage.client.service_client
        failing = [asyncio.create_task(all_of(run.observe_stream())) for _ in range(READERS)]
        reading = asyncio.create_task(all_of(healthy.observe_stream()))
        await within(anext(run.observe_stream()))
        codec.is_down = True
        stage.effects.open("go")
        for error in await within(asyncio.gather(*failing, return_exceptions=True)):
            assert isinstance(error, DataConversionError)
            assert "the key server is down" in str(error)
        codec.is_down = False
        assert (await within(run.join())).status == "suspended"
        await within(run.resume(resume_data="yes"))
        assert chunks_of(await within(reading)) == list(range(60))
        assert chunks_of(await within(all_of(run.observe_stream()))) == list(range(60))
