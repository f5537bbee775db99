"""Validators and serializers of users' models are user code: what they raise is a failure, wherever they are called."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, model_serializer, model_validator
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from mastra_temporal import StepContext, SyncStepContext, Workflow, create_step, create_workflow
from tests.odd_exceptions import KINDS
from tests.support import Stage, run, within

AnyWorkflow = Workflow[Any, Any, Any]
Place = Callable[[Any], AnyWorkflow]


def refusing(kind: str) -> type[BaseModel]:
    """A model of which no data are valid, so that its validator raises."""

    class Model(BaseModel):
        @model_validator(mode="before")
        @classmethod
        def check(cls, value: Any) -> Any:
            KINDS[kind][0]()

    return Model


def workflow_of(**settings: Any) -> AnyWorkflow:
    return create_workflow(id=f"schemas-{uuid.uuid4()}", **settings)


async def give(value: Any) -> Any:
    return {}


async def set_state(value: Any, ctx: StepContext) -> None:
    ctx.set_state({"count": 1})


async def suspend(value: Any, ctx: StepContext) -> Any:
    return await ctx.suspend({"why": "because"})


work = create_step(id="work", execute=give)


def output_of_the_workflow(schema: Any) -> AnyWorkflow:
    return workflow_of(output_schema=schema).then(work).commit()


def input_of_a_nested_workflow(schema: Any) -> AnyWorkflow:
    return workflow_of().then(create_workflow(id="inner", input_schema=schema).then(work).commit()).commit()


def output_of_a_nested_workflow(schema: Any) -> AnyWorkflow:
    return workflow_of().then(create_workflow(id="inner", output_schema=schema).then(work).commit()).commit()


def state_of_a_step(schema: Any) -> AnyWorkflow:
    return workflow_of().then(create_step(id="set", execute=set_state, state_schema=schema)).commit()


def suspend_payload(schema: Any) -> AnyWorkflow:
    return workflow_of().then(create_step(id="ask", execute=suspend, suspend_schema=schema)).commit()


def request_context(schema: Any) -> AnyWorkflow:
    return workflow_of().then(create_step(id="work", execute=give, request_context_schema=schema)).commit()


def annotation_of_a_function(schema: Any) -> AnyWorkflow:
    def function(value: Any) -> Any:
        return value

    function.__annotations__["value"] = schema
    return workflow_of().map(function).commit()


PLACES = [
    output_of_the_workflow,
    input_of_a_nested_workflow,
    output_of_a_nested_workflow,
    state_of_a_step,
    suspend_payload,
    request_context,
    annotation_of_a_function,
]


@pytest.mark.parametrize("place", PLACES)
async def test_a_validator_that_raises_fails_the_run(stage: Stage, place: Place):
    workflows = {kind: place(refusing(kind)) for kind in KINDS}
    for workflow in workflows.values():  # one worker each: nested workflows share their id
        async with stage.worker(workflow):
            result = await run(workflow, input_data={})
        assert result.status == "failed"
        assert result.error


async def test_a_validator_that_raises_fails_the_run_of_a_foreign_client(stage: Stage):
    """Here the worker is the first to validate."""
    workflows = {kind: workflow_of(input_schema=refusing(kind)).then(work).commit() for kind in KINDS}
    async with stage.worker(*workflows.values()):
        for workflow in workflows.values():
            started = stage.client.execute_workflow(
                workflow.id, {"inputData": {}}, id=str(uuid.uuid4()), task_queue=stage.task_queue
            )
            with pytest.raises(WorkflowFailureError) as failure:
                await within(started)
            assert isinstance(failure.value.cause, ApplicationError)
            assert failure.value.cause.message


@pytest.mark.parametrize("kind", KINDS)
async def test_a_serializer_that_raises_fails_the_step(stage: Stage, kind: str):
    class Model(BaseModel):
        @model_serializer
        def write(self) -> Any:
            KINDS[kind][0]()

    async def checkpoint(value: Any, ctx: StepContext) -> None:
        ctx.checkpoint(Model())

    async def write(value: Any, ctx: StepContext) -> None:
        await ctx.writer.write(Model())

    def set_context(value: Any, ctx: SyncStepContext) -> Any:
        ctx.request_context["model"] = Model()
        raise RuntimeError("told")

    bodies = [lambda value: Model(), checkpoint, write, set_context]
    workflows = [workflow_of().then(create_step(id="fail", execute=body)).commit() for body in bodies]
    workflows.append(workflow_of().map(lambda value: Model()).commit())
    async with stage.worker(*workflows):
        results = await asyncio.gather(*(run(workflow, input_data=1) for workflow in workflows))
    assert [result.status for result in results] == ["failed"] * len(workflows)
    assert results[3].error == {"name": "RuntimeError", "message": "told"}
