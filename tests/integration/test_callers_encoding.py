"""A client that cannot write or read data tells its caller so, at once: nothing hangs, and nothing is started."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import PayloadCodec

from mastra_temporal import DataConversionError, Mastra, Run, Workflow, create_workflow
from tests.integration.suspending import asking, flow, passing, suspended_run, unchanged
from tests.support import Stage, history, until, within


class Locked(PayloadCodec):
    """A codec whose key server can be down, or give another key."""

    def __init__(self, key: bytes = b"first", *, down: bool = False) -> None:
        self.key = key
        self.down = down

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if self.down:
            raise ConnectionError("the key server is down")
        return [
            Payload(metadata={"encoding": b"binary/locked", "key": self.key}, data=each.SerializeToString()[::-1])
            for each in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._opened(each) for each in payloads]

    def _opened(self, payload: Payload) -> Payload:
        if payload.metadata["key"] != self.key:
            raise ValueError("this is another key")
        return Payload.FromString(payload.data[::-1])


def with_codec(client: Client, codec: PayloadCodec | None) -> Client:
    converter = dataclasses.replace(client.data_converter, payload_codec=codec)
    return Client(**{**client.config(), "data_converter": converter})


async def connected(stage: Stage, workflow: Workflow[Any, Any, Any], codec: PayloadCodec | None) -> Mastra:
    mastra = Mastra(workflows=[workflow], task_queue=stage.task_queue)
    await mastra.connect(with_codec(stage.client, codec))
    return mastra


@pytest.mark.parametrize(
    "start",
    [
        lambda run: run.start(input_data=1),
        lambda run: run.start_async(input_data=1),
        lambda run: run.stream(input_data=1).result,
    ],
    ids=["start", "start_async", "stream"],
)
async def test_what_cannot_be_encoded_is_not_started(stage: Stage, start: Callable[[Run[Any]], Awaitable[Any]]):
    workflow = flow(passing())
    await connected(stage, workflow, Locked(down=True))
    run = await workflow.create_run()
    with pytest.raises(DataConversionError, match="the key server is down"):
        await within(start(run))
    assert await run.fetch_status() == "pending"
    assert [each async for each in stage.client.list_workflows(f"WorkflowId = '{run.run_id}'")] == []


async def test_a_start_that_fails_on_the_way_leaves_nothing_behind(stage: Stage):
    """The same run can be started when the codec is up again."""
    workflow, codec = flow(passing()), Locked(down=True)
    await connected(stage, workflow, codec)
    run = await workflow.create_run()
    with pytest.raises(DataConversionError, match=f"run `{run.run_id}` of workflow `flow`"):
        await within(run.start(input_data=1))
    codec.down = False
    locked = dataclasses.replace(stage, client=with_codec(stage.client, codec))
    async with locked.worker(workflow):
        assert (await within(run.start(input_data=1))).result == 1


async def test_a_caller_who_gives_up_gives_up(stage: Stage):
    """With a time limit, or canceled: whatever the start is waiting for."""
    workflow = flow(asking())
    await connected(stage, workflow, None)
    starting = asyncio.create_task((await workflow.create_run()).start(input_data=1))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(starting)
    with pytest.raises(asyncio.TimeoutError):
        await within(asyncio.wait_for((await workflow.create_run()).start(input_data=1), 0.5), 5)


@pytest.mark.parametrize(
    "act",
    [
        lambda run, mastra: run.resume(resume_data=1),
        lambda run, mastra: run.time_travel(step="ask"),
        lambda run, mastra: mastra.schedules.create(workflow_id="flow", cron="0 0 1 1 *", input_data=1),
    ],
    ids=["resume", "time_travel", "schedule"],
)
async def test_other_calls_whose_data_cannot_be_encoded_change_nothing(stage: Stage, act: Callable[[Any, Any], Any]):
    workflow, codec = flow(asking(), passing()), Locked()
    locked = dataclasses.replace(stage, client=with_codec(stage.client, codec))
    async with locked.worker(workflow) as mastra:
        run, _ = await suspended_run(workflow)
        async with unchanged(stage.client, run.run_id):
            codec.down = True
            with pytest.raises(DataConversionError, match="the key server is down"):
                await within(act(run, mastra))
        codec.down = False
        assert (await within(run.resume(resume_data=2))).result == [1, 2]


async def test_a_terminated_run_is_restarted_when_the_codec_is_back(stage: Stage):
    workflow, codec = flow(asking()), Locked()
    locked = dataclasses.replace(stage, client=with_codec(stage.client, codec))
    async with locked.worker(workflow):
        run, _ = await suspended_run(workflow)
        await stage.client.get_workflow_handle(run.run_id).terminate()
        codec.down = True
        with pytest.raises(DataConversionError, match="the key server is down"):
            await within(run.restart())
        codec.down = False
        assert (await within(run.restart())).status == "suspended"


async def test_a_cancellation_needs_no_codec(stage: Stage):
    workflow, codec = flow(asking()), Locked()
    locked = dataclasses.replace(stage, client=with_codec(stage.client, codec))
    async with locked.worker(workflow):
        run, _ = await suspended_run(workflow)
        codec.down = True
        await within(run.cancel())
        await until(lambda: _is_closed(stage, run.run_id))


async def _is_closed(stage: Stage, run_id: str) -> bool:
    return (await stage.client.get_workflow_handle(run_id).describe()).close_time is not None


class Opened(PayloadCodec):
    """A codec that changes nothing, as long as its key server is up."""

    down = False

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if self.down:
            raise ConnectionError("the key server is down")
        return list(payloads)


async def test_waiters_of_one_connection_do_not_share_what_one_of_their_clients_cannot_read(stage: Stage):
    workflow, same = [create_workflow(id="flow").sleep(1500).commit() for _ in range(2)]
    codec = Opened()
    async with stage.worker(workflow):
        run = await workflow.create_run()
        await run.start_async(input_data=1)
        await connected(stage, same, codec)
        failing = asyncio.create_task((await same.create_run(run_id=run.run_id)).join())
        await asyncio.sleep(0.3)
        codec.down = True
        assert (await within(run.join())).result == 1
        with pytest.raises(DataConversionError):
            await within(failing)


READS: dict[str, Callable[[Run[Any], Workflow[Any, Any, Any]], Any]] = {
    "record": lambda run, workflow: workflow.get_workflow_run_by_id(run.run_id),
    "result": lambda run, _: run.join(),
    "resume": lambda run, _: run.resume(resume_data=1),
    "time travel": lambda run, _: run.time_travel(step="ask"),
    "restart": lambda run, _: run.restart(),
    "stream": lambda run, _: _read(run),
}


async def _read(run: Run[Any]) -> Any:
    return [event async for event in run.observe_stream()]


@pytest.mark.parametrize("codec", [None, Locked(b"second")], ids=["no codec", "another key"])
@pytest.mark.parametrize("end", ["suspended", "canceled", "terminated"])
async def test_a_run_cannot_be_read_without_its_key(stage: Stage, end: str, codec: Locked | None):
    workflow = flow(asking())
    locked = dataclasses.replace(stage, client=with_codec(stage.client, Locked()))
    async with locked.worker(workflow):
        run, _ = await suspended_run(workflow)
        if end == "canceled":
            await run.cancel()
        elif end == "terminated":
            await stage.client.get_workflow_handle(run.run_id).terminate()
        if end != "suspended":
            await until(lambda: _is_closed(stage, run.run_id))
        before = await history(stage.client, run.run_id)
        other = await connected(stage, flow(asking()), codec)
        for name, read in READS.items():
            if (end, name) in {("suspended", "restart"), ("canceled", "resume"), ("terminated", "resume")}:
                continue
            workflow = other.get_workflow("flow")
            reader = Run[Any](other.session, workflow.definition, run_id=run.run_id, resource_id=None)
            with pytest.raises(DataConversionError, match="this client cannot write or read the data"):
                await within(read(reader, workflow), 10)
        assert await history(stage.client, run.run_id) == before


async def test_a_bulk_restart_says_why_it_cannot_read_a_run(stage: Stage):
    workflow = flow(asking())
    locked = dataclasses.replace(stage, client=with_codec(stage.client, Locked()))
    async with locked.worker(workflow):
        await suspended_run(workflow)
        other = await connected(stage, flow(asking()), None)

        async def reported() -> bool:
            return bool((await other.restart_all_active_workflow_runs()).failed)

        await until(reported)
        [run] = (await other.restart_all_active_workflow_runs()).failed
        assert "this client cannot write or read the data" in run.why


async def test_one_value_in_the_history_has_another_key(stage: Stage):
    """Everything before it can be read: the run cannot, and says so."""
    workflow, codec = flow(passing(), asking()), Locked()
    reader = Locked()

    class Rotating(Locked):
        async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
            return await (codec if stage.effects.is_open("rotated") else reader).encode(payloads)

        async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
            return [Payload.FromString(payload.data[::-1]) for payload in payloads]

    codec.key = b"second"
    locked = dataclasses.replace(stage, client=with_codec(stage.client, Rotating()))
    async with locked.worker(workflow):
        run = await workflow.create_run()
        await within(run.start(input_data=1))
        stage.effects.open("rotated")
        assert (await within(run.resume(resume_data=2))).result == [1, 2]
        await connected(stage, workflow, reader)
        with pytest.raises(DataConversionError, match="this is another key"):
            await within(workflow.get_workflow_run_by_id(run.run_id))
