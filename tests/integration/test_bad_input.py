"""What a caller may get wrong: one clear error, and nothing is written."""

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.converter import DataConverter, DefaultPayloadConverter, PayloadConverter
from temporalio.service import RPCError, RPCStatusCode

from mastra_temporal import (
    ConfigurationError,
    DefinitionError,
    Mastra,
    MastraError,
    MastraPlugin,
    RunError,
    RunNotFoundError,
    SchemaValidationError,
    SerializationError,
    ServerUnreachableError,
    WorkflowNotFoundError,
    create_workflow,
    run_worker,
    step,
)
from mastra_temporal.devserver import start_dev_server
from tests.support import Stage, count_events, within

NOBODY = "127.0.0.1:1"


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    total: int
    items: list[str] = []


class State(BaseModel):
    count: int


@step
async def ship(order: Order) -> int:
    return order.total


orders = create_workflow(
    id="orders", input_schema=Order, state_schema=State, request_context_schema=State
).then(ship)  # fmt: skip
orders.commit()
GOOD: dict[str, Any] = {
    "input_data": {"total": 1},
    "initial_state": {"count": 1},
    "request_context": {"count": 1},
}


async def is_unknown(client: Client, run_id: str) -> bool:
    try:
        await client.get_workflow_handle(run_id).describe()
    except RPCError as error:
        return error.status == RPCStatusCode.NOT_FOUND
    return False


class TestStart:
    @pytest.mark.parametrize(
        ("wrong", "kind", "words"),
        [
            ({"input_data": {"total": "many"}}, SchemaValidationError, "Invalid input data: \n- total: "),
            ({"input_data": {"total": 1, "item": 1}}, SchemaValidationError, "Invalid input data: \n- "),
            ({"input_data": None}, SchemaValidationError, "Invalid input data: \n- "),
            ({"input_data": {"total": 1, "items": [object()]}}, SerializationError, "The input of workflow `orders`"),
            ({"input_data": {"total": 1, "items": ["x" * 3_000_000]}}, MastraError, "workflow `orders`"),
            ({"initial_state": {}}, SchemaValidationError, "Invalid initial data: \n- count: "),
            ({"initial_state": {"count": object()}}, SerializationError, "The initial state of workflow `orders`"),
            ({"request_context": {}}, SchemaValidationError, "Request context validation failed for workflow 'orders'"),
        ],
    )
    async def test_wrong_data(self, stage: Stage, wrong: dict[str, Any], kind: type[Exception], words: str):
        async with stage.worker(orders):
            run = await orders.create_run()
            for start in (run.start, run.start_async):
                with pytest.raises(kind) as caught:
                    await within(start(**{**GOOD, **wrong}))
                assert str(caught.value).startswith(words) or words in str(caught.value)
                assert "orders" in str(caught.value)
            assert await is_unknown(stage.client, run.run_id)
            assert run.status == "pending"
            # The same run can still be started properly.
            assert (await within(run.start(**GOOD))).result == 1

    async def test_a_misspelled_output_option(self, stage: Stage):
        async with stage.worker(orders):
            run = await orders.create_run()
            with pytest.raises(DefinitionError, match="Did you mean `include_state`"):
                await within(run.start(**GOOD, output_options={"include_stat": True}))
            assert await is_unknown(stage.client, run.run_id)

    @pytest.mark.parametrize("run_id", ["", 5, "x" * 1001])
    async def test_a_bad_run_id(self, stage: Stage, run_id: Any):
        async with stage.worker(orders):
            with pytest.raises(MastraError, match="run id"):
                await within((await orders.create_run(run_id=run_id)).start(**GOOD))

    async def test_a_run_of_another_workflow(self, stage: Stage):
        """One id is one run: that of another workflow is not taken for ours."""
        other = create_workflow(id="other").then(ship).commit()
        async with stage.worker(orders, other):
            run = await orders.create_run()
            stranger = await other.create_run(run_id=run.run_id)
            await within(run.start(**GOOD))
            calls: list[Callable[[], Awaitable[object]]] = [
                lambda: stranger.start(input_data={"total": 1}),
                lambda: stranger.start_async(input_data={"total": 1}),
                lambda: other.create_run(run_id=run.run_id),
                stranger.restart,
                stranger.cancel,
                stranger.fetch_status,
            ]
            for call in calls:
                with pytest.raises(RunError, match="belongs to a run of workflow `orders`"):
                    await within(call())
            assert await count_events(stage.client, run.run_id, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED) == 1

    async def test_a_run_that_temporal_has_forgotten(self, stage: Stage):
        async with stage.worker(orders):
            run = await orders.create_run()
            await within(run.start(**GOOD))
            run.run_id = f"gone-{uuid.uuid4()}"
            for call in (run.restart, run.cancel):
                with pytest.raises(RunNotFoundError, match=f"Snapshot not found for run {run.run_id}"):
                    await within(call())


class TestRegistry:
    @pytest.mark.parity("getWorkflow()", "listWorkflows()")
    def test_an_unknown_workflow(self):
        with pytest.raises(WorkflowNotFoundError, match="`orders`"):
            Mastra(workflows=[orders]).get_workflow("ordres")

    async def test_before_connect(self):
        run = await Mastra(workflows=[orders]).get_workflow("orders").create_run()
        with pytest.raises(ConfigurationError, match=r"await mastra\.connect\(\)"):
            await run.start(**GOOD)

    async def test_a_payload_converter_without_pydantic(self, stage: Stage):
        class Own(DefaultPayloadConverter):
            pass

        converter = DataConverter(payload_converter_class=Own)
        assert issubclass(Own, PayloadConverter)
        with pytest.raises(ConfigurationError, match="Own, which does not know pydantic"):
            await Client.connect(
                stage.address, data_converter=converter, plugins=[MastraPlugin(Mastra(workflows=[orders]))]
            )


@pytest.mark.any_cache
class TestServer:
    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("TEMPORAL_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("TEMPORAL_ADDRESS", NOBODY)

    async def test_nobody_answers(self):
        with pytest.raises(ServerUnreachableError, match=rf"{NOBODY}.*mastra-temporal dev.*TEMPORAL_ADDRESS"):
            await within(Mastra(workflows=[orders]).connect())

    async def test_a_worker_says_the_same(self):
        with pytest.raises(ServerUnreachableError, match=NOBODY):
            await within(run_worker(Mastra(workflows=[orders])))

    async def test_a_wrong_setting(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("TEMPORAL_CONFIG_FILE", "/nowhere/temporal.toml")
        monkeypatch.setenv("TEMPORAL_PROFILE", "missing")
        with pytest.raises(ConfigurationError):
            await within(Mastra(workflows=[orders]).connect())

    async def test_a_namespace_that_does_not_exist(self, stage: Stage, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("TEMPORAL_ADDRESS", stage.address)
        monkeypatch.setenv("TEMPORAL_NAMESPACE", "nowhere")
        mastra = Mastra(workflows=[orders])
        with pytest.raises(ConfigurationError, match="namespace `nowhere`"):
            await within(run_worker(mastra))
        await mastra.connect()
        with pytest.raises(MastraError, match="nowhere"):
            await within((await orders.create_run()).start(**GOOD))

    async def test_the_server_goes_away(self):
        async with start_dev_server() as server:
            mastra = Mastra(workflows=[orders])
            await mastra.connect(await Client.connect(server.address))
            run = await orders.create_run()
        calls = (
            *(run.start(**GOOD), run.start_async(**GOOD), run.fetch_status(), run.cancel(), run.restart()),
            *(orders.get_workflow_run_by_id("x"), orders.list_workflow_runs(), mastra.list_active_workflow_runs()),
            orders.delete_workflow_run_by_id("x"),
        )
        errors = await within(asyncio.gather(*calls, return_exceptions=True), 40)
        assert {type(error) for error in errors} == {ServerUnreachableError}
        assert all(server.address in str(error) for error in errors)
