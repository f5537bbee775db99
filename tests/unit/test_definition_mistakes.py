"""Mistakes in a definition are refused where it is defined, by name, with the remedy."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mastra_temporal import (
    DefinitionError,
    Mastra,
    MastraError,
    RetryConfig,
    StepContext,
    StepOptions,
    WorkflowOptions,
    clone_step,
    clone_workflow,
    create_step,
    create_workflow,
    step,
)


@step
async def charge(amount: int) -> int: ...


@step
async def ship(amount: int) -> int: ...


def yes(value: Any) -> bool: ...


inner = create_workflow(id="inner").then(charge).commit()
unfinished = create_workflow(id="unfinished").then(charge)


def shop() -> Any:
    return create_workflow(id="shop")


def refused(define: Callable[[], Any], *words: str) -> None:
    """The definition is refused with one clear message that has these words."""
    with pytest.raises(DefinitionError) as caught:
        define()
    message = str(caught.value)
    missing = [word for word in words if word not in message]
    assert not missing, f"{missing} missing in: {message}"


class TestIds:
    @pytest.mark.parametrize("bad", ["", None, 5, "a.b", "a[0]", "a#2"])
    @pytest.mark.parametrize(
        "define",
        [
            lambda bad: create_step(id=bad, execute=yes),
            lambda bad: create_workflow(id=bad),
            lambda bad: clone_step(charge, id=bad),
            lambda bad: clone_workflow(inner, id=bad),
        ],
    )
    def test_a_bad_id(self, define: Callable[[Any], Any], bad: Any):
        refused(lambda: define(bad), "id", str(bad))

    @pytest.mark.parametrize(
        "define",
        [
            lambda: shop().then(charge).then(charge),
            lambda: shop().parallel([charge, charge]),
            lambda: shop().then(charge).branch([(yes, charge)]),
            lambda: shop().foreach(charge).dountil(charge, yes),
        ],
    )
    def test_one_id_in_two_places(self, define: Callable[[], Any]):
        refused(define, "workflow `shop`", "`charge`", "twice", "clone_step(charge, id='charge-2')")

    def test_one_workflow_in_two_places(self):
        refused(lambda: shop().then(inner).then(inner), "`inner`", "clone_workflow(inner, id='inner-2')")

    def test_a_nested_workflow_has_its_own_ids(self):
        assert shop().then(charge).then(inner).commit().committed

    def test_the_ids_of_functions_count_as_well(self):
        clash = create_step(id="charge-condition", execute=yes)
        refused(lambda: shop().then(clash).dountil(charge, yes), "`charge-condition`", "twice")
        refused(lambda: shop().then(ship).map(yes, id="ship"), "`ship`", "twice")
        refused(lambda: shop().map(yes, id="ship").then(ship), "`ship`", "twice")
        refused(lambda: shop().sleep(1, id="nap").map({"a": {"value": 1}}, id="nap"), "`nap`", "twice")

    def test_two_workflows_of_one_id_in_a_registry(self):
        other = create_workflow(id="inner").then(ship).commit()
        outer = create_workflow(id="outer").then(other).commit()
        refused(lambda: Mastra(workflows=[inner, outer]), "`inner`", "another id")
        refused(lambda: Mastra(workflows=[inner, other]), "`inner`", "another id")


class TestGraphs:
    def test_an_empty_workflow(self):
        refused(lambda: shop().commit(), "workflow `shop`", ".then()")

    @pytest.mark.parametrize(
        "use",
        [
            lambda: Mastra(workflows=[unfinished]),
            lambda: shop().then(unfinished),
            lambda: clone_workflow(unfinished, id="b"),
            lambda: unfinished.serialized_step_graph,
        ],
    )
    def test_an_uncommitted_workflow(self, use: Callable[[], Any]):
        refused(use, "workflow `unfinished`", ".commit()")

    def test_a_committed_workflow_is_finished(self):
        refused(lambda: inner.then(ship), "workflow `inner`", "committed")

    async def test_a_run_needs_a_registry(self):
        workflow = shop().then(charge).commit()
        with pytest.raises(DefinitionError, match=r"workflow `shop` is not registered: list it in Mastra"):
            await workflow.create_run()

    def test_nothing_to_do_at_once(self):
        refused(lambda: shop().parallel([]), "workflow `shop`", "at least one")
        refused(lambda: shop().branch([]), "workflow `shop`", "(condition, step)")

    @pytest.mark.parametrize("wrong", [yes, "charge", None])
    def test_what_is_no_step(self, wrong: Any):
        refused(lambda: shop().then(wrong), "workflow `shop`", "@step or create_step()")
        refused(lambda: shop().parallel([charge, wrong]), "workflow `shop`", "@step or create_step()")

    @pytest.mark.parametrize(
        "define",
        [
            lambda: shop().branch([charge]),
            lambda: shop().branch([(charge, yes)]),
            lambda: shop().branch([("yes", charge)]),
            lambda: shop().dountil(charge, None),
            lambda: shop().dowhile(charge, True),
        ],
    )
    def test_what_is_no_condition(self, define: Callable[[], Any]):
        refused(define, "workflow `shop`")

    @pytest.mark.parity("predicates")
    def test_a_wrong_predicate(self):
        typo = {"predicate": {"op": "exists", "path": "inputDat.a"}}
        refused(lambda: shop().branch([(typo, charge)]), "workflow `shop`", "`charge`", "inputDat", "inputData")

    @pytest.mark.parametrize("concurrency", ["two", [2]])
    def test_a_wrong_concurrency(self, concurrency: Any):
        refused(lambda: shop().foreach(charge, concurrency=concurrency), "workflow `shop`", "concurrency")

    @pytest.mark.parametrize("duration", ["5s", None])
    def test_a_wrong_duration(self, duration: Any):
        refused(lambda: shop().sleep(duration), "workflow `shop`", "milliseconds")

    @pytest.mark.parametrize("date", ["2030-01-01", 5, None])
    def test_a_wrong_date(self, date: Any):
        refused(lambda: shop().sleep_until(date), "workflow `shop`", "datetime")


class TestMappings:
    def test_an_unknown_step(self):
        refused(
            lambda: shop().then(charge).map({"a": {"step": "chrage", "path": ""}}, id="shape").commit(),
            "workflow `shop`", "`shape`", "`a`", "`chrage`", "Did you mean `charge`?",
        )  # fmt: skip

    def test_a_source_that_is_misspelled(self):
        refused(lambda: shop().map({"a": {"valeu": 1}}), "workflow `shop`", "`valeu`", "Did you mean `value`?")

    @pytest.mark.parametrize("source", [{}, {"path": "x"}, {"value": 1, "template": "x"}, 5, "x"])
    def test_not_exactly_one_source(self, source: Any):
        refused(lambda: shop().map({"a": source}), "workflow `shop`", "`a`")

    def test_a_function_that_is_none(self):
        refused(lambda: shop().map({"a": {"fn": 5}}), "workflow `shop`", "`a`", "function")

    @pytest.mark.parametrize(
        ("template", "words"),
        [
            ("${inputDat.x}", ("inputDat", "inputData")),
            ("${ inputData.x }", ("whitespace",)),
            ("${stepResults}", ("stepResults.<stepId>",)),
            ("${stepResults.chrage.id}", ("chrage", "Did you mean `charge`?")),
            (5, ("text",)),
        ],
    )
    @pytest.mark.parity(".map({template})")
    def test_a_bad_template(self, template: Any, words: tuple[str, ...]):
        define = shop().then(charge).map
        refused(lambda: define({"a": {"template": template}}).commit(), "workflow `shop`", "`a`", *words)

    def test_a_value_that_is_no_data(self):
        with pytest.raises(MastraError, match=r"workflow `shop`.*key `a`"):
            shop().map({"a": {"value": object()}})


class TestFunctions:
    @pytest.mark.parametrize(
        "function",
        [
            lambda a, b: a,
            lambda a, ctx, context: a,
            lambda a, *, b: a,
        ],
    )
    def test_parameters_that_nobody_fills(self, function: Callable[..., Any]):
        refused(lambda: create_step(id="a", execute=function), "step `a`", "`ctx`", "(a, ", "default")
        refused(lambda: shop().map(function), "workflow `shop`", "`ctx`", "(a, ")

    def test_two_contexts(self):
        async def body(first: StepContext, second: StepContext) -> None: ...

        refused(lambda: step(body), "step `body`", "(first, second)")

    def test_no_function(self):
        refused(lambda: create_step(id="a", execute=5), "step `a`", "function", "5")  # pyright: ignore[reportArgumentType]

    def test_an_annotation_that_cannot_be_resolved(self):
        def body(order: "Odrer") -> None: ...  # noqa: F821  # pyright: ignore[reportUndefinedVariable]

        refused(lambda: step(body), "body", "'Odrer'", "module level")

    def test_a_schema_that_is_none(self):
        refused(lambda: create_step(id="a", execute=yes, output_schema={"a": int}), "step `a`", "schema")
        refused(lambda: create_workflow(id="shop", input_schema={"a": int}), "workflow `shop`", "schema")


class TestOptions:
    @pytest.mark.parametrize("retries", [-1, "3", 1.5, True])
    def test_wrong_retries(self, retries: Any):
        refused(lambda: create_step(id="a", execute=yes, retries=retries), "step `a`", "retries", repr(retries))

    @pytest.mark.parametrize("retry", [{"attempts": -1}, {"attempts": 1.5}, {"delay": -5}, {"delay": "soon"}])
    def test_a_wrong_retry_config(self, retry: dict[str, Any]):
        refused(lambda: create_workflow(id="shop", retry_config=retry), "workflow `shop`", *retry)

    @pytest.mark.parametrize(
        ("define", "owner", "name", "meant"),
        [
            (
                lambda x: create_step(id="a", execute=yes, options=x),
                "step `a`",
                "heartbeat_timout",
                "heartbeat_timeout",
            ),
            (lambda x: create_workflow(id="shop", step_options=x), "workflow `shop`", "taskqueue", "task_queue"),
            (lambda x: create_workflow(id="shop", retry_config=x), "workflow `shop`", "atempts", "attempts"),
            (lambda x: create_workflow(id="shop", options=x), "workflow `shop`", "on_finnish", "on_finish"),
            (lambda x: create_workflow(id="shop", options=x), "workflow `shop`", "validateInput", "validate_inputs"),
        ],
    )
    def test_a_misspelled_option(self, define: Callable[[Any], Any], owner: str, name: str, meant: str):
        refused(lambda: define({name: 1}), owner, f"`{name}`", f"Did you mean `{meant}`?")

    @pytest.mark.parametrize("kind", [RetryConfig, StepOptions, WorkflowOptions])
    def test_a_misspelled_option_of_an_options_object(self, kind: Callable[..., Any]):
        known = {RetryConfig: "delay", StepOptions: "task_queue", WorkflowOptions: "on_start"}[kind]
        refused(lambda: kind(**{f"{known}s": 1}), f"`{known}s`", kind.__name__, f"Did you mean `{known}`?")

    @pytest.mark.parametrize(
        "options",
        [
            {"heartbeat_timeout": "soon"},
            {"backoff_coefficient": 0.5},
            {"start_to_close_timeout": timedelta(seconds=-1)},
            {"schedule_to_close_timeout": timedelta(0)},
            {"non_retryable_error_types": [5]},
        ],
    )
    def test_a_value_of_the_wrong_kind(self, options: dict[str, Any]):
        refused(lambda: create_step(id="a", execute=yes, options=options), "step `a`", *options)

    def test_a_callback_with_too_many_parameters(self):
        options = {"on_start": lambda info, more: None}
        refused(
            lambda: create_workflow(id="shop", options=options).then(charge).commit(), "workflow `shop`", "on_start"
        )

    def test_a_message_is_one_line(self):
        with pytest.raises(DefinitionError) as caught:
            create_step(id="a", execute=yes, options={"heartbeat_timout": 1})
        assert re.fullmatch(r"[^\n]+[.?]", str(caught.value))
