"""The request context goes through the same gate as inputs: values are written, and what cannot be is named."""

from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from mastra_temporal import FunctionContext, RequestContext, SerializationError, StepContext, create_workflow, step
from tests.support import Stage, run, within


class Plan(Enum):
    FREE = "free"


class Tenant(BaseModel):
    id: UUID
    since: date


@dataclass
class Limit:
    amount: Decimal


VALUES: dict[str, Any] = {
    "at": datetime(2024, 5, 1, tzinfo=timezone.utc),
    "id": UUID(int=7),
    "price": Decimal("1.50"),
    "plan": Plan.FREE,
    "tenant": Tenant(id=UUID(int=1), since=date(2024, 5, 1)),
    "limit": Limit(Decimal("2")),
    "deep": {"tenants": [Tenant(id=UUID(int=2), since=date(2024, 5, 2))]},
}
WRITTEN = {
    "at": "2024-05-01T00:00:00Z",
    "id": "00000000-0000-0000-0000-000000000007",
    "price": "1.50",
    "plan": "free",
    "tenant": {"id": "00000000-0000-0000-0000-000000000001", "since": "2024-05-01"},
    "limit": {"amount": "2"},
    "deep": {"tenants": [{"id": "00000000-0000-0000-0000-000000000002", "since": "2024-05-02"}]},
}


@step
async def look(value: Any, ctx: StepContext) -> Any:
    return dict(ctx.request_context)


@step
async def put(value: Any, ctx: StepContext) -> None:
    ctx.request_context.update(VALUES)


def map_put(value: Any, ctx: FunctionContext) -> None:
    ctx.request_context.update(VALUES)


@pytest.mark.parametrize("wrap", [dict, RequestContext])
async def test_what_a_caller_gives(stage: Stage, wrap: Any):
    workflow = create_workflow(id="look").then(look).commit()
    async with stage.worker(workflow):
        assert (await run(workflow, request_context=wrap(VALUES))).result == WRITTEN


async def test_what_steps_and_functions_set(stage: Stage):
    by_step = create_workflow(id="by-step").then(put).then(look).commit()
    by_function = create_workflow(id="by-function").map(map_put).then(look).commit()
    async with stage.worker(by_step, by_function):
        assert (await run(by_step)).result == WRITTEN
        assert (await run(by_function)).result == WRITTEN


async def test_a_change_inside_a_value_travels(stage: Stage):
    @step
    async def append(value: Any, ctx: StepContext) -> None:
        ctx.request_context["list"].append(2)

    workflow = create_workflow(id="append").then(append).then(look).commit()
    async with stage.worker(workflow):
        assert (await run(workflow, request_context={"list": [1]})).result == {"list": [1, 2]}


async def test_what_cannot_be_written_is_refused_by_its_key(stage: Stage):
    @step(retries=2)
    async def spoil(value: Any, ctx: StepContext) -> None:
        stage.effects.add("spoil")
        ctx.request_context["session"] = {"socket": object()}

    spoiling = create_workflow(id="spoiling").then(spoil).commit()
    async with stage.worker(spoiling):
        result = await run(spoiling)
        made = await spoiling.create_run()
        with pytest.raises(SerializationError, match=r"workflow `spoiling`.*`session\.socket` is a value of type"):
            await within(made.start(request_context={"session": {"socket": object()}}))
    assert result.error
    assert "step `spoil` of workflow `spoiling`" in result.error["message"]
    assert "`session.socket` is a value of type builtins.object" in result.error["message"]
    assert stage.effects.counts() == {"spoil": 1}
