"""A model reads what it wrote, from step to step and out to the caller; what cannot come back is refused."""

from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, Json, SecretStr, computed_field

from mastra_temporal import DefinitionError, StepContext, create_step, create_workflow, step
from tests.support import Stage, run, within


class Shape(BaseModel):
    id: int


class Circle(Shape):
    radius: int


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    total: int = Field(serialization_alias="totalAmount")
    user: str = Field(validation_alias="userName", serialization_alias="login")
    raw: Base64Bytes
    tags: Json[list[str]]
    shapes: list[Shape] = []
    cache: int = Field(default=0, exclude=True)

    @computed_field
    @property
    def double(self) -> int:
        return self.total * 2


def order() -> Order:
    given = {"total": 1, "userName": "ann", "raw": "aGVsbG8=", "tags": '["a"]', "shapes": [Shape(id=1)]}
    return Order.model_validate(given, by_name=True, by_alias=True)


class Cat(BaseModel):
    name: str


class Dog(BaseModel):
    name: str


@step
async def pass_on(value: Order) -> Order:
    assert value == order()
    return value


@step
def undeclared(value: Order):
    return {"order": value}


@step
async def unpack(value: dict[str, Order], ctx: StepContext) -> list[Order]:
    return [value["order"], await ctx.get_step_result(pass_on)]


async def test_through_steps_and_out(stage: Stage):
    workflow = create_workflow(id="orders", input_schema=Order, output_schema=list[Order])
    workflow.then(pass_on).then(undeclared).then(unpack).commit()
    async with stage.worker(workflow):
        result = await run(workflow, input_data=order())
    assert (result.status, result.error) == ("success", None)
    assert result.result == [order(), order()]


async def test_through_suspensions_and_state(stage: Stage):
    async def ask(value: Any, ctx: StepContext) -> Order:
        ctx.set_state({"order": order()})
        if ctx.resume_data is None:
            return await ctx.suspend(order())
        assert ctx.resume_data == order()
        return ctx.resume_data

    class State(BaseModel):
        order: Order | None = None

    asking = create_step(
        id="ask", execute=ask, resume_schema=Order, suspend_schema=Order, state_schema=State, output_schema=Order
    )
    workflow = create_workflow(id="asking", output_schema=Order).then(asking).then(pass_on).commit()
    async with stage.worker(workflow):
        made = await workflow.create_run()
        assert (await within(made.start())).status == "suspended"
        assert (await within(made.resume(resume_data=order()))).result == order()


async def test_subclasses_keep_their_fields(stage: Stage):
    @step
    async def draw() -> list[Shape]:
        return [Circle(id=1, radius=2)]

    @step
    async def measure(circles: list[Circle]) -> int:
        return circles[0].radius

    workflow = create_workflow(id="shapes").then(draw).then(measure).commit()
    async with stage.worker(workflow):
        assert (await run(workflow)).result == 2


async def test_a_value_is_encoded_as_its_type_says(stage: Stage):
    @step
    async def encode() -> Base64Bytes:
        return b"hello"

    @step
    async def decode(raw: Base64Bytes) -> bytes:
        return raw

    workflow = create_workflow(id="bytes", output_schema=bytes).then(encode).then(decode).commit()
    async with stage.worker(workflow):
        assert (await run(workflow)).result == b"hello"


async def test_a_member_of_a_union_never_becomes_another(stage: Stage):
    @step
    async def adopt(kind: str) -> Cat | Dog:
        return Cat(name="tom") if kind == "cat" else Dog(name="rex")

    workflow = create_workflow(id="pets").then(adopt).commit()
    async with stage.worker(workflow):
        assert (await run(workflow, input_data="cat")).result == {"name": "tom"}
        result = await run(workflow, input_data="dog")
    assert result.error
    for words in ("step `adopt` of workflow `pets`", "is a Dog and would be read as a Cat", "discriminator"):
        assert words in result.error["message"]


class Color(Enum):
    RED = "red"


class Event(BaseModel):
    when: str | date
    until: date | str = "open"


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Event, Event(when=date(2026, 1, 2)), "`when` is a date and would be read as a str"),
        (date | str, "2026-01-02", "it is a str and would be read as a date"),
        (dict[str, Color | str], {"a": Color.RED}, "`a` is a Color and would be read as a str"),
        (set[int] | list[str], set[int](), "it is a set and would be read as a list"),
        (str | Path, Path("a"), "it is a PosixPath and would be read as a str"),
        (int | str, 1, None),
        (date | str, date(2026, 1, 2), None),
        (Event, Event(when="today"), None),
        (Event, Event(when="today", until="2026-01-02"), "`until` is a str and would be read as a date"),
        (Event, {"when": "today", "until": "2026-01-02"}, None),
        (dict[str, Any] | Event, {"when": date(2026, 1, 2)}, None),
    ],
)
async def test_a_value_of_a_union_keeps_its_type(stage: Stage, kind: Any, value: Any, words: str | None):
    give = create_step(id="give", execute=lambda _: value, output_schema=kind)
    workflow = create_workflow(id="unions").then(give).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    if words is None:
        assert result.status == "success", result.error
    else:
        assert result.error
        assert (
            f"The result of step `give` of workflow `unions` cannot be written as JSON: {words}."
            in (result.error["message"])
        )


async def test_a_caller_gives_the_text_of_a_date(stage: Stage):
    workflow = create_workflow(id="text", input_schema=date | str).map(lambda given: given).commit()
    async with stage.worker(workflow):
        assert (await run(workflow, input_data="2026-01-02")).result == "2026-01-02"


@pytest.mark.parametrize(
    "kind",
    [
        str | bytes,
        bytes | str,
        list[Any] | tuple[Any, ...],
        set[int] | list[int],
        str | date,
        str | Decimal | None,
        Color | str,
        list[str | date],
    ],
)
def test_a_union_with_a_member_that_never_comes_back_is_refused_where_it_is_defined(kind: Any):
    with pytest.raises(DefinitionError, match=r"step `s`: the output_schema .* would be read as .* Use one type"):
        create_step(id="s", execute=lambda value: value, output_schema=kind)


class Login(BaseModel):
    password: SecretStr


@pytest.mark.parametrize("name", ["input_schema", "output_schema", "resume_schema", "suspend_schema", "state_schema"])
@pytest.mark.parametrize("kind", [Login, list[Login], SecretStr, dict[tuple[int, int], str]])
def test_what_cannot_come_back_is_refused_where_it_is_defined(name: str, kind: Any):
    with pytest.raises(DefinitionError, match=f"step `s`: the {name} "):
        create_step(id="s", execute=lambda value: value, **{name: kind})
    if name in ("input_schema", "output_schema", "state_schema"):
        with pytest.raises(DefinitionError, match=f"workflow `w`: the {name} "):
            create_workflow(id="w", **{name: kind})


def test_so_are_annotations():
    async def take(login: Login) -> None: ...

    async def give() -> Login: ...

    for function in (take, give):
        with pytest.raises(DefinitionError, match="`password` is a secret"):
            step(function)


async def test_a_secret_is_never_written_as_stars(stage: Stage):
    workflow = create_workflow(id="secrets").map(lambda value: {"login": Login(password=SecretStr("x"))}).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert result.error
    assert "`login` is a Login, of which `password` is a secret" in result.error["message"]
