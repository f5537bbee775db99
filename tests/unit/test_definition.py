"""What a definition is made of: ids, schemas, descriptions, the graph as data, clones."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from mastra_temporal import (
    RetryConfig,
    StepContext,
    StepOptions,
    SyncStepContext,
    Workflow,
    WorkflowOptions,
    clone_step,
    clone_workflow,
    create_step,
    create_workflow,
    map_variable,
    step,
)
from mastra_temporal._protocol.graph import WorkflowGraph
from mastra_temporal.errors import DefinitionError


class Order(BaseModel):
    total: int


class Receipt(BaseModel):
    id: str


class Other(BaseModel):
    x: int


@step
async def charge(order: Order) -> Receipt:
    """Charge the card.

    Once.
    """
    return Receipt(id=str(order.total))


@step(retries=3)
def check(order: Order, ctx: SyncStepContext) -> bool:
    return order.total > 0


def annotation(schema: Any) -> Any:
    return None if schema is None else schema.annotation


class TestStep:
    @pytest.mark.parity("createStep({id, execute})")
    def test_a_decorated_function_says_everything_itself(self):
        assert (charge.id, charge.description, charge.retries) == ("charge", "Charge the card.", None)
        assert annotation(charge.input_schema) is Order
        assert annotation(charge.output_schema) is Receipt
        assert charge.body.is_async

    def test_a_plain_function_is_a_sync_step(self):
        assert (check.id, check.description, check.retries) == ("check", None, 3)
        assert annotation(check.input_schema) is Order
        assert annotation(check.output_schema) is bool
        assert not check.body.is_async

    def test_what_is_given_wins_over_the_function(self):
        @step(id="other", description="Another one.", input_schema=Other, output_schema=Other)
        async def body(order: Order) -> Receipt:
            """Not this."""
            raise NotImplementedError

        assert (body.id, body.description) == ("other", "Another one.")
        assert annotation(body.input_schema) is Other
        assert annotation(body.output_schema) is Other

    def test_no_annotations_no_validation(self):
        @step
        async def body(order, ctx):
            raise NotImplementedError

        assert body.input_schema is None
        assert body.output_schema is None

    def test_the_context_may_have_any_name_and_place(self):
        async def first(run: StepContext, order: Order) -> None: ...

        async def alone(context) -> None: ...

        one, other = create_step(id="first", execute=first), create_step(id="alone", execute=alone)
        assert (one.body.positional, annotation(one.input_schema)) == (("context", "input"), Order)
        assert (other.body.positional, other.input_schema) == (("context",), None)

    def test_create_step_takes_the_input_schema_from_the_body(self):
        async def body(order: Order) -> Receipt:
            raise NotImplementedError

        assert annotation(create_step(id="a", execute=body).input_schema) is Order
        assert annotation(create_step(id="a", execute=body, input_schema=Other).input_schema) is Other

    def test_objects_with_a_call_method_are_bodies(self):
        class Body:
            async def __call__(self, order: Order) -> Receipt:
                raise NotImplementedError

        made = create_step(id="a", execute=Body())
        assert made.body.is_async
        assert annotation(made.input_schema) is Order


@step
async def price(line: dict[str, Any]) -> int: ...


@step
async def count(n: int) -> int: ...


@step
async def audit(value: Any) -> bool: ...


@step
async def ship(value: Any) -> str: ...


@step
async def hold(value: Any) -> str: ...


def is_small(value: Any) -> bool:
    return value < 5


inner = create_workflow(id="inner", description="Inside.").then(clone_step(charge, id="deep")).commit()

everything = (
    create_workflow(id="everything", input_schema=Order)
    .then(charge)
    .parallel([audit, inner])
    .map({"a": map_variable(step=charge, path="id"), "b": {"value": 1}, "c": {"template": "${initData.total}"}})
    .branch([(is_small, ship), ({"predicate": {"op": "exists", "path": "inputData.a"}}, hold)])
    .map(lambda value: [1, 2], id="lines")
    .foreach(price, concurrency=2)
    .sleep(timedelta(seconds=2))
    .sleep_until(datetime(2030, 1, 2))  # noqa: DTZ001 - read as UTC
    .map(lambda value: 0, id="zero")
    .dountil(count, is_small, description="Up.", metadata={"icon": "loop"})
    .commit()
)


class TestGraph:
    @pytest.mark.parity(
        "serializedStepGraph", "step.description, step.metadata", "createWorkflow({description, metadata})"
    )
    def test_it_is_what_mastra_shows(self):
        graph = everything.serialized_step_graph
        assert json.loads(json.dumps(graph)) == graph
        kinds = "step parallel mapping conditional mapping foreach sleep sleepUntil mapping loop"
        assert " ".join(entry["type"] for entry in graph) == kinds
        step_entry = {
            "type": "step",
            "step": {"id": "charge", "description": "Charge the card.", "canSuspend": False},
        }
        assert graph[0] == step_entry
        assert graph[1]["steps"][1] == {
            "type": "workflow",
            "id": "inner",
            "workflowId": "inner",
            "description": "Inside.",
            "serializedStepFlow": [{**step_entry, "step": {**step_entry["step"], "id": "deep"}}],
        }
        assert json.loads(graph[2]["mapConfig"]) == {
            "a": {"step": ["charge"], "path": "id"},
            "b": {"value": 1},
            "c": {"template": "${initData.total}"},
        }
        assert [condition["id"] for condition in graph[3]["serializedConditions"]] == [
            "ship-condition",
            "hold-condition",
        ]
        assert "value < 5" in graph[3]["serializedConditions"][0]["fn"]
        assert graph[5]["opts"] == {"concurrency": 2}
        assert graph[6] == {"type": "sleep", "id": "sleep_everything_0", "duration": 2000}
        assert graph[7] == {"type": "sleepUntil", "id": "sleepUntil_everything_0", "date": "2030-01-02T00:00:00+00:00"}
        assert (graph[9]["loopType"], graph[9]["description"], graph[9]["metadata"]) == (
            "dountil",
            "Up.",
            {"icon": "loop"},
        )

    def test_what_only_execution_needs_is_not_shown(self):
        assert "temporal" not in json.dumps(everything.serialized_step_graph)

    def test_it_survives_the_way_through_a_history(self):
        recorded = everything.graph.model_dump_json(by_alias=True)
        assert WorkflowGraph.model_validate_json(recorded) == everything.graph

    def test_a_newer_or_older_record_is_read(self):
        recorded = everything.graph.model_dump(by_alias=True)
        recorded["entries"][0]["addedLater"] = 1
        del recorded["entries"][0]["temporal"]
        assert WorkflowGraph.model_validate(recorded).entries[1:] == everything.graph.entries[1:]


OPTIONS = StepOptions(
    start_to_close_timeout=timedelta(minutes=1),
    schedule_to_close_timeout=timedelta(minutes=2),
    heartbeat_timeout=timedelta(seconds=5),
    task_queue="gpu",
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=9),
    non_retryable_error_types=[ValueError, "Refused"],
)


def settings(workflow: Workflow[Any, Any, Any]) -> dict[str, Any]:
    return {name: value for name, value in vars(workflow).items() if name != "id" and not name.startswith("_")}


class TestClone:
    @pytest.mark.parity("cloneStep")
    def test_a_step_keeps_everything_but_its_id(self):
        original = create_step(
            id="a",
            execute=lambda value: value,
            description="A step.",
            metadata={"owner": "ops"},
            input_schema=Order,
            output_schema=Order,
            resume_schema=Other,
            suspend_schema=Other,
            state_schema=Other,
            request_context_schema=Other,
            retries=4,
            options=OPTIONS,
        )
        assert clone_step(original, id="b").id == "b"
        assert vars(replace(clone_step(original, id="b"), id="a")) == vars(original)

    @pytest.mark.parity("cloneWorkflow")
    def test_a_workflow_keeps_everything_but_its_id(self):
        original = (
            create_workflow(
                id="a",
                input_schema=Order,
                output_schema=Receipt,
                state_schema=Other,
                request_context_schema=Other,
                description="A workflow.",
                metadata={"owner": "ops"},
                retry_config=RetryConfig(attempts=2, delay=50),
                step_options=OPTIONS,
                options=WorkflowOptions(validate_outputs=False, on_start=print, cancel_grace=timedelta(seconds=1)),
            )
            .sleep(1)
            .then(charge)
            .map(lambda value: value)
            .commit()
        )
        clone = clone_workflow(original, id="b")
        assert clone.id == "b"
        assert settings(clone) == settings(original)
        assert clone.graph == original.graph.model_copy(update={"id": "b"})
        assert clone.steps is not original.steps

    def test_options_reach_the_graph_and_a_steps_own_win(self):
        slow = create_step(id="slow", execute=print, options={"startToCloseTimeout": timedelta(hours=3)})
        workflow = create_workflow(id="a", step_options=OPTIONS, retry_config={"attempts": 2}).then(slow).commit()
        [entry] = workflow.graph.model_dump(by_alias=True)["entries"]
        assert entry["temporal"] == {
            "startToCloseTimeout": 10_800_000,
            "scheduleToCloseTimeout": 120_000,
            "heartbeatTimeout": 5000,
            "taskQueue": "gpu",
            "backoffCoefficient": 2,
            "maximumInterval": 9000,
            "nonRetryableErrorTypes": ["ValueError", "Refused"],
        }
        assert workflow.graph.plan.retries == 2

    @pytest.mark.parametrize("clone", [clone_step, clone_workflow])
    def test_a_clone_needs_a_good_id(self, clone):
        with pytest.raises(Exception, match=r"`a\.b`: an id cannot contain"):
            clone(charge if clone is clone_step else inner, id="a.b")


@pytest.mark.parametrize(
    "define",
    [
        lambda text: create_step(id="a", execute=len, description=text),
        lambda text: create_workflow(id="a", description=text),
        lambda text: create_workflow(id="a").sleep(1, description=text),
        lambda text: create_workflow(id="a").map({"a": {"value": 1}}, description=text),
    ],
    ids=["step", "workflow", "sleep", "map"],
)
def test_a_description_that_is_no_text_is_refused(define: Any) -> None:
    with pytest.raises(DefinitionError, match="`description` cannot be written as JSON: it has half a surrogate pair"):
        define("a\ud800")
