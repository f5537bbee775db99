"""Exceptions of user code, of every kind and from every place: each ends in a result, and is counted as a failure."""

import asyncio
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, model_validator

from mastra_temporal import (
    NonRetryableError,
    SchemaValidationError,
    StepContext,
    TripWire,
    Workflow,
    WorkflowResult,
    create_step,
    create_workflow,
)
from tests.odd_exceptions import KINDS, Group
from tests.support import Stage, run, within

RETRIES = 2

Fail = Callable[[], Any]
AnyWorkflow = Workflow[Any, Any, Any]
Place = Callable[[Fail], AnyWorkflow]


def workflow_of(**settings: Any) -> AnyWorkflow:
    return create_workflow(id=f"odd-{uuid.uuid4()}", retry_config={"attempts": RETRIES}, **settings)


async def work(value: Any) -> Any:
    return value


body = create_step(id="work", execute=work)


def async_step(fail: Fail) -> AnyWorkflow:
    async def execute() -> None:
        await asyncio.sleep(0)
        fail()

    return workflow_of().then(create_step(id="fail", execute=execute)).commit()


def sync_step(fail: Fail) -> AnyWorkflow:
    return workflow_of().then(create_step(id="fail", execute=lambda value: fail())).commit()


def coroutine_of_a_lambda(fail: Fail) -> AnyWorkflow:
    async def later() -> None:
        fail()

    return workflow_of().then(create_step(id="fail", execute=lambda value: later())).commit()


def task_of_a_step(fail: Fail) -> AnyWorkflow:
    async def inner() -> None:
        fail()

    async def execute() -> None:
        await asyncio.gather(inner(), asyncio.sleep(0))

    return workflow_of().then(create_step(id="fail", execute=execute)).commit()


def generator_of_a_step(fail: Fail) -> AnyWorkflow:
    """What a step returns is written when it has returned; a generator runs then."""

    def execute() -> Any:
        yield 1
        fail()

    return workflow_of().then(create_step(id="fail", execute=execute)).commit()


def agent(fail: Fail) -> AnyWorkflow:
    class Agent:
        id = "agent"

        async def generate(self, prompt: str, **options: Any) -> Any:
            fail()

    return workflow_of().map(lambda value: {"prompt": "?"}).then(create_step(Agent())).commit()


def tool(fail: Fail) -> AnyWorkflow:
    class Tool:
        id = "tool"
        input_schema = output_schema = int

        def execute(self, value: int) -> Any:
            fail()

    return workflow_of().then(create_step(Tool())).commit()


def validator(fail: Fail) -> AnyWorkflow:
    class Model(BaseModel):
        @model_validator(mode="before")
        @classmethod
        def check(cls, value: Any) -> Any:
            fail()

    return workflow_of().then(create_step(id="fail", execute=work, input_schema=Model)).commit()


def post_init(fail: Fail) -> AnyWorkflow:
    @dataclass
    class Model:
        def __post_init__(self) -> None:
            fail()

    return workflow_of().map({}).then(create_step(id="fail", execute=work, input_schema=Model)).commit()


def output_validator(fail: Fail) -> AnyWorkflow:
    class Model(BaseModel):
        @model_validator(mode="after")
        def check(self) -> Any:
            fail()

    return workflow_of().then(create_step(id="fail", execute=lambda value: {}, output_schema=Model)).commit()


def mapping(fail: Fail) -> AnyWorkflow:
    return workflow_of().map(lambda value: fail()).commit()


def mapping_of_a_key(fail: Fail) -> AnyWorkflow:
    async def later(value: Any) -> None:
        fail()

    return workflow_of().map({"key": {"fn": later}}).commit()


def loop_condition(fail: Fail) -> AnyWorkflow:
    return workflow_of().dountil(body, lambda value: fail()).commit()


def async_loop_condition(fail: Fail) -> AnyWorkflow:
    async def condition() -> None:
        fail()

    return workflow_of().dowhile(body, condition).commit()


def truth_of_a_condition(fail: Fail) -> AnyWorkflow:
    """A condition may give anything: it is asked for its truth, which is user code, too."""

    class Answer:
        def __bool__(self) -> bool:
            return fail()

    return workflow_of().dountil(body, lambda value: Answer()).commit()


def duration(fail: Fail) -> AnyWorkflow:
    return workflow_of().sleep(lambda value: fail()).commit()


def date(fail: Fail) -> AnyWorkflow:
    async def when() -> None:
        fail()

    return workflow_of().sleep_until(when).commit()


def concurrency(fail: Fail) -> AnyWorkflow:
    return workflow_of().map(lambda: [1, 2]).foreach(body, concurrency=lambda items: fail()).commit()


REPEATED = [
    async_step,
    sync_step,
    coroutine_of_a_lambda,
    task_of_a_step,
    generator_of_a_step,
    agent,
    tool,
    validator,
    post_init,
    output_validator,
    mapping,
    mapping_of_a_key,
]
"""Places whose failures count against `retries`."""

ONCE = [loop_condition, async_loop_condition, truth_of_a_condition, duration, date, concurrency]
"""Places that have no retries in Mastra."""


async def outcomes(stage: Stage, place: Place) -> dict[str, tuple[WorkflowResult[Any], int]]:
    """For each kind of exception: how a run ends, and how often the function was called."""
    calls = Counter[str]()

    def failing(kind: str) -> Fail:
        def fail() -> Any:
            calls[kind] += 1
            return KINDS[kind][0]()

        return fail

    workflows = {kind: place(failing(kind)) for kind in KINDS}
    async with stage.worker(*workflows.values()):
        results = await asyncio.gather(*(run(workflow, input_data=1) for workflow in workflows.values()))
    return {kind: (result, calls[kind]) for kind, result in zip(workflows, results, strict=True)}


@pytest.mark.parametrize("place", [*REPEATED, *ONCE])
async def test_a_failure_is_named_and_counted(stage: Stage, place: Place):
    for kind, (result, calls) in (await outcomes(stage, place)).items():
        assert (kind, result.status, calls) == (kind, "failed", 1 + RETRIES if place in REPEATED else 1)
        assert result.error
        assert KINDS[kind][1] in f"{result.error['name']}: {result.error['message']}"


async def test_a_condition_of_a_branch_that_raises_is_false(stage: Stage):
    def branch(fail: Fail) -> AnyWorkflow:
        return workflow_of().branch([(lambda value: fail(), body)]).commit()

    for kind, (result, calls) in (await outcomes(stage, branch)).items():
        assert (kind, result.status, result.result, calls) == (kind, "success", {}, 1)


async def test_the_message_names_step_and_workflow(stage: Stage):
    def leave() -> None:
        raise SystemExit(2)

    workflow = create_workflow(id="odd").then(create_step(id="parse", execute=leave)).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert result.error == {"name": "SystemExit", "message": "step `parse` of workflow `odd` called sys.exit(2)"}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups are new in Python 3.11")
async def test_what_a_task_group_raised_is_told(stage: Stage):
    """One task that says so is enough not to try again."""

    async def fail() -> None:
        raise OSError("unplugged")

    async def refuse() -> None:
        raise NonRetryableError("no such customer")

    async def execute() -> None:
        stage.effects.add("call")
        async with asyncio.TaskGroup() as group:  # pyright: ignore[reportAttributeAccessIssue]
            group.create_task(fail())
            group.create_task(refuse())

    workflow = workflow_of().then(create_step(id="fail", execute=execute)).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert result.error
    assert result.error["message"].endswith(": OSError: unplugged; MastraNonRetryableError: no such customer")
    assert [error["name"] for error in result.error["errors"]] == ["OSError", "MastraNonRetryableError"]
    assert (result.steps["fail"].non_retryable, stage.effects.counts()) == (True, {"call": 1})


async def test_a_tripwire_in_a_group_ends_the_run_as_one(stage: Stage):
    def fail() -> None:
        raise Group("checks", [TripWire("spam", metadata={"seen": object(), "score": float("nan")})])

    workflow = create_workflow(id="odd").then(create_step(id="fail", execute=fail)).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert (result.status, result.tripwire) == ("tripwire", {"reason": "spam"})


async def test_a_mapping_that_says_so_is_not_tried_again(stage: Stage):
    def fail() -> None:
        stage.effects.add("call")
        raise RuntimeError("told") from NonRetryableError("no such customer")

    workflow = workflow_of().map(fail).commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert (result.status, stage.effects.counts()) == ("failed", {"call": 1})


@pytest.mark.parametrize(("method", "value"), [("sleep", 1e300), ("sleep", 10**30), ("sleep_until", "tomorrow")])
async def test_a_time_that_cannot_be_waited_for_is_refused(stage: Stage, method: str, value: Any):
    workflow = getattr(workflow_of(), method)(lambda: value, id="rest").commit()
    async with stage.worker(workflow):
        result = await run(workflow)
    assert result.status == "failed"
    assert result.error
    assert "`rest`" in result.error["message"]


async def test_resume_data_that_make_a_validator_raise_are_refused(stage: Stage):
    """The run stays as it was."""

    class Answer(BaseModel):
        yes: bool

        @model_validator(mode="after")
        def check(self) -> Any:
            if not self.yes:
                raise KeyboardInterrupt
            return self

    async def ask(value: Any, ctx: StepContext) -> Any:
        return ctx.resume_data.yes if ctx.resume_data else await ctx.suspend()

    workflow = workflow_of().then(create_step(id="ask", execute=ask, resume_schema=Answer)).commit()
    async with stage.worker(workflow):
        flow_run = await workflow.create_run()
        await within(flow_run.start())
        with pytest.raises(SchemaValidationError, match="KeyboardInterrupt"):
            await within(flow_run.resume(resume_data={"yes": False}))
        assert (await within(flow_run.resume(resume_data={"yes": True}))).result is True
