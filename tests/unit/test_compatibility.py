"""A workflow whose entries can never fit together is refused at `commit()`; what may work is accepted."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, RootModel
from typing_extensions import TypedDict

from mastra_temporal import DefinitionError, create_step, create_workflow


class Order(BaseModel):
    total: int


class Receipt(BaseModel):
    id: str


class Orders(RootModel[list[Order]]):
    pass


class Row(TypedDict):
    total: int


def one(step_id: str, takes: Any = Any, gives: Any = Any) -> Any:
    return create_step(id=step_id, execute=lambda value: value, input_schema=takes, output_schema=gives)


def refused(flow: Any, *words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        flow.commit()
    assert [word for word in ("workflow `flow`", *words) if word not in str(caught.value)] == []


def flow(takes: Any = None, gives: Any = None, **settings: Any) -> Any:
    return create_workflow(id="flow", input_schema=takes, output_schema=gives, **settings)


NEVER = [
    (int, str),
    (str, int),
    (str, bool),
    (float, str),
    (Order, int),
    (int, Order),
    (list[int], Order),
    (Order, list[Order]),
    (list[str], list[int]),
    (list[list[str]], list[list[int]]),
    (type(None), int),
    (int | None, str),
    (Literal["a"], int),
    (Annotated[int, Field(gt=0)], str),
    (Orders, Order),
    (Row, str),
]
PERHAPS = [
    (int, float),
    (float, int),
    (bool, int),
    (int, bool),
    (int | None, int),
    (int, str | int),
    (int, Any),
    (object, int),
    (str, datetime),
    (int, datetime),
    (str, Decimal),
    (str, bytes),
    (str, Annotated[int, BeforeValidator(int)]),
    (Annotated[int, PlainSerializer(str)], str),
    (Order, Receipt),
    (Order, dict[str, int]),
    (Order, Row),
    (Orders, list[Order]),
    (list[int], set[float]),
    (tuple[str, int], list[int]),
    (Literal["a"], str),
]


class TestTypes:
    @pytest.mark.parametrize(("gives", "takes"), NEVER)
    def test_what_never_fits(self, gives: Any, takes: Any):
        refused(flow().then(one("a", gives=gives)).then(one("b", takes)), "`a`", "`b`")
        refused(flow(gives).then(one("b", takes)), "the workflow's input", "`b`")
        refused(flow(gives=takes).then(one("a", gives=gives)), "`a`", "the workflow's output")

    @pytest.mark.parametrize(("gives", "takes"), PERHAPS)
    def test_what_may_fit(self, gives: Any, takes: Any):
        assert flow(gives, takes).then(one("a", takes, gives)).commit().committed


class TestEntries:
    def test_the_items_of_a_foreach(self):
        double = one("double", int, int)
        words = "an item of the output of `words` (list[str])", "the input of `double` (int)", ".map()"
        refused(flow().then(one("words", gives=list[str])).foreach(double), *words)
        refused(flow(list[str]).sleep(1).foreach(double), "the workflow's input", "`double`")
        refused(flow(str).foreach(double), "the workflow's input", "`double`")
        assert flow(list[int]).foreach(double).commit().committed
        assert flow(list).foreach(double).commit().committed

    def test_a_foreach_needs_a_list(self):
        refused(flow(int).foreach(one("each")), "the workflow's input (int) is not a list", ".foreach(each) needs one")
        assert flow(int | list[int]).foreach(one("each")).commit().committed

    def test_a_foreach_gives_a_list(self):
        refused(flow().foreach(one("each", gives=int)).then(one("b", int)), "`.foreach(each)` (a list)", "`b` (int)")
        refused(flow(gives=list[str]).foreach(one("each", gives=int)), "`.foreach(each)`", "the workflow's output")
        assert flow(gives=list[int]).foreach(one("each", gives=int)).commit().committed

    def test_parallel_and_branch(self):
        a, b = one("a", str), one("b", int)
        refused(flow(int).parallel([b, a]), "the workflow's input (int)", "`a` (str)")
        refused(flow(int).branch([(bool, b), (bool, a)]), "`a` (str)")
        refused(flow(int).parallel([b]).then(a), ".parallel()", "`a` (str)")
        refused(flow(int).branch([(bool, b)]).then(a), ".branch()", "`a` (str)")
        assert flow(int, Order).parallel([b]).commit().committed

    def test_loops_and_nested_workflows(self):
        inner = create_workflow(id="inner", input_schema=int, output_schema=str).then(one("x", int, str)).commit()
        refused(flow(str).then(inner), "`inner` (int)")
        refused(flow(int).then(inner).then(one("a", int)), "the output of `inner` (str)", "`a` (int)")
        refused(flow(int).dountil(one("again", int, int), bool).then(one("a", str)), "`again`", "`a` (str)")

    def test_the_output_of_a_loop_is_its_next_input(self):
        words = "the output of `split` (list[str])", "the input of `split` in the next round of the loop (str)"
        refused(flow(str).dowhile(one("split", str, list[str]), bool), *words)
        refused(flow(str).dountil(one("split", str, list[str]), bool), *words)
        assert flow(str).dountil(one("split", str | list[str], list[str]), bool).commit().committed

    def test_mappings(self):
        refused(flow().map({"a": {"value": 1}}, id="m").then(one("a", int)), "`m`", "`a` (int)")
        assert flow(int, str).map(lambda value: str(value)).commit().committed

    def test_what_is_not_validated_is_not_refused(self):
        assert flow(int, options={"validate_inputs": False}).then(one("a", str)).commit().committed
        assert flow(gives=str, options={"validate_outputs": False}).then(one("a", gives=int)).commit().committed
