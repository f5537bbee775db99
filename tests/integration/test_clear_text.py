"""What a payload codec is to hide stands nowhere in clear: neither in messages nor in summaries or memos."""

import base64
import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel, Field
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import PayloadCodec

from mastra_temporal import StepContext, TracingOptions, WorkflowResult, create_workflow, step
from tests.support import Stage, history, run

SECRET = "4111-1111-1111-1111"


class Codec(PayloadCodec):
    """Makes payloads unreadable."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(data=base64.b85encode(each.SerializeToString())) for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(base64.b85decode(each.data)) for each in payloads]


@pytest.fixture
def coded(stage: Stage) -> Stage:
    config = stage.client.config()
    converter = dataclasses.replace(config["data_converter"], payload_codec=Codec())
    stage.client = Client(**{**config, "data_converter": converter})
    return stage


class Card(BaseModel):
    number: str
    limit: int = Field(default=1, le=100)


@step
async def pay(card: Card) -> Any:
    raise ValueError("refused")


@step
async def check(card: Card, ctx: StepContext) -> Any:
    return ctx.resume_data or await ctx.suspend({"number": card.number})


@step
async def raise_limit(card: Card) -> Any:
    return {"number": card.number, "limit": SECRET}


inner = create_workflow(id="inner").then(pay).commit()
FLOWS = {
    "step": create_workflow(id="a").then(pay).commit(),
    "foreach": create_workflow(id="b").map(lambda card: [card]).foreach(pay).commit(),
    "nested": create_workflow(id="c").then(inner).commit(),
    "suspended": create_workflow(id="d").then(check).then(pay).commit(),
    "path": create_workflow(id="e").map({"x": {"init_data": True, "path": "number.x"}}).then(pay).commit(),
    "schema": create_workflow(id="f").then(raise_limit).then(pay).commit(),
    "output": create_workflow(id="g", output_schema=int).map(lambda card: card).commit(),
}


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS.keys())
async def test_no_input_of_a_step_is_in_the_history(coded: Stage, flow: Any):
    hidden = TracingOptions(hide_input=True, hide_output=True)
    async with coded.worker(flow):
        result: WorkflowResult[Any] = await run(flow, input_data=Card(number=SECRET), tracing_options=hidden)
        if result.status == "suspended":
            made = await flow.create_run(run_id=result.run_id)
            result = await made.resume(resume_data={"number": SECRET})
        assert result.status == "failed"
        events = await history(coded.client, result.run_id)
        assert not [event.event_id for event in events if SECRET.encode() in event.SerializeToString()]
        description = await coded.client.get_workflow_handle(result.run_id).describe()
    assert SECRET.encode() not in description.raw_description.SerializeToString()
