"""Which parameter of a user function takes the input and which the context, and what is refused."""

import asyncio
import functools
from collections.abc import Callable
from typing import Annotated, Any

import pytest

from mastra_temporal import DefinitionError, StepContext, create_step, create_workflow, step
from mastra_temporal._definition.function import UserFunction


def called(function: Callable[..., Any]) -> Any:
    """What the function is given for the input 1 and the context 2."""
    return UserFunction.of(function, owner="test").bind(1, 2)()


def annotated(kind: Any) -> Callable[..., Any]:
    def function(value: int, ctx: Any) -> Any:
        return value, ctx

    function.__annotations__["ctx"] = kind
    return function


class TestContext:
    @pytest.mark.parametrize("kind", [Any, object, StepContext, StepContext | None, dict, int, list[int], None])
    def test_a_parameter_named_ctx_is_the_context_whatever_its_annotation(self, kind: Any):
        assert called(annotated(kind)) == (1, 2)

    @pytest.mark.parametrize("kind", [StepContext, StepContext | None, Annotated[StepContext, "told"], "StepContext"])
    def test_an_annotation_makes_any_parameter_the_context(self, kind: Any):
        def function(run: Any, value: int) -> Any:
            return value, run

        function.__annotations__["run"] = kind
        assert called(function) == (1, 2)

    def test_another_one_named_context_is_data_when_it_says_so(self):
        def data(context: dict[str, Any]) -> Any:
            return context

        def anything(context: Any) -> Any:
            return context

        assert (called(data), called(anything)) == (1, 2)

    def test_a_step_that_takes_anything_as_its_context(self):
        @step
        async def charge(amount: int, ctx: Any) -> Any:
            return amount, ctx

        @step
        async def ship(amount: int, ctx: object) -> Any:
            return amount, ctx

        for each in (charge, ship):
            assert asyncio.run(each.body.bind(1, 2)()) == (1, 2)


def positional_only(value: Any, ctx: Any, /) -> Any:
    return value, ctx


def with_a_gap(value: Any, factor: int = 3, ctx: Any = None) -> Any:
    return value, factor, ctx


def by_name(*, value: Any, ctx: Any) -> Any:
    return value, ctx


def wrapped(*arguments: Any, **named: Any) -> Any:
    return arguments, named


class Shop:
    def charge(self, amount: Any) -> Any:
        return amount

    def only(self) -> Any: ...

    @classmethod
    def made(cls, amount: Any) -> Any:
        return amount

    @staticmethod
    def still(amount: Any) -> Any:
        return amount

    def __call__(self, amount: Any, ctx: Any) -> Any:
        return amount, ctx


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda: "nothing", "nothing"),
        (lambda ctx, value: (value, ctx), (1, 2)),
        (positional_only, (1, 2)),
        (with_a_gap, (1, 3, 2)),
        (by_name, (1, 2)),
        (wrapped, ((1,), {})),
        (functools.partial(with_a_gap, factor=4), (1, 4, 2)),
        (Shop().charge, 1),
        (Shop.made, 1),
        (Shop.still, 1),
        (Shop(), (1, 2)),
        (bool, True),
        (str, "1"),
    ],
)
def test_everything_that_can_be_called_gets_what_it_takes(function: Callable[..., Any], given: Any):
    assert called(function) == given


def refused(define: Callable[[], Any], *words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        define()
    assert [word for word in words if word not in str(caught.value)] == []


class TestRefused:
    @pytest.mark.parametrize("method", [Shop.charge, Shop.only, vars(Shop)["made"]])
    def test_a_method_without_its_object(self, method: Any):
        name = getattr(method, "__name__", "made")
        refused(lambda: step(method), f"step `{name}`", "method", "execute=shop.charge")
        refused(lambda: create_step(id="a", execute=method), "step `a`", "method")

    def test_a_lambda_has_no_name_for_a_step(self):
        refused(lambda: step(lambda: 5), "lambda has no name", "create_step(id=..., execute=lambda ...)")
        assert create_step(id="five", execute=lambda: 5).id == "five"

    def test_an_id_that_is_not_given_by_name(self):
        wrong: Any = step
        refused(lambda: wrong("charge"), "@step(id='charge')")

    @pytest.mark.parametrize(
        ("wrong", "meant"), [("retrys", "retries"), ("inputSchema", "input_schema"), ("desciption", "description")]
    )
    def test_a_misspelled_setting(self, wrong: str, meant: str):
        settings: Any = {wrong: None}
        words = (f"unknown setting `{wrong}`", f"Did you mean `{meant}`?")

        async def charge(amount: int) -> int: ...

        refused(lambda: step(**settings)(charge), "step `charge`", *words)
        refused(lambda: create_step(id="a", execute=charge, **settings), "step `a`", *words)

    def test_a_misspelled_setting_of_an_agent(self):
        class Poet:
            id = "poet"

            async def generate(self, prompt: str, **_: Any) -> str: ...

        settings: Any = {"retrys": 1}
        for make in (create_step, create_workflow(id="w").agent):
            refused(lambda make=make: make(Poet(), **settings), "step `poet`", "Did you mean `retries`?")

    def test_an_async_generator(self):
        async def words(text: str) -> Any:
            yield text

        class Words:
            async def __call__(self, text: str) -> Any:
                yield text

        for function in (words, functools.partial(words), functools.wraps(words)(lambda text: words(text)), Words()):
            refused(lambda f=function: create_step(id="a", execute=f), "step `a`", "async generator", "ctx.writer")
        refused(lambda: create_workflow(id="w").map(words), "workflow `w`", "async generator")

    def test_a_step_without_a_body(self):
        misspelled: Any = {"execut": print}
        nothing: Any = {}
        refused(lambda: create_step(id="a", **misspelled), "step `a`", "`execut`", "Did you mean `execute`?")
        refused(lambda: create_step(id="a", **nothing), "step `a`", "needs execute=")
