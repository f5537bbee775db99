"""Agents and tools as steps."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.test import TestModel
from temporalio.api.enums.v1 import EventType

from examples.support import Reading, Ticket, support
from mastra_temporal import Agent, DefinitionError, Mastra, StepContext, clone_step, create_step, create_workflow
from mastra_temporal.testing import worker_for
from tests.support import Effects, Stage, count_events, run, within


class Poet:
    """The least that an agent is."""

    id = "poet"
    description = "Writes verses."

    async def generate(self, prompt: str, *, write: Callable[[str], Awaitable[None]], **options: Any) -> Any:
        return f"{prompt}, {options.get('tone', 'plainly')}"


class Verse(BaseModel):
    lines: list[str]


class Adder:
    id = "adder"
    description = "Adds."
    input_schema = list[int]
    output_schema = int

    def execute(self, numbers: list[int]) -> int:
        return sum(numbers)


@pytest.mark.parity("createStep(agent)", "agent step: {prompt} -> {text}")
async def test_an_agent_is_a_step(stage: Stage):
    poet: Agent = Poet()
    poem = create_workflow(id="poem").then(create_step(poet, agent_options={"tone": "gaily"})).commit()
    async with stage.worker(poem):
        result = await run(poem, input_data={"prompt": "A kettle sang"})
        refused = await run(poem, input_data={"question": "A kettle sang"})
    assert result.result == {"text": "A kettle sang, gaily"}
    assert refused.error is not None
    assert "Step input validation failed: \n- prompt:" in refused.error["message"]


class Raising:
    id = "raising"

    @property
    def generate(self) -> Any:
        raise RuntimeError("no key")


class Builtin:
    id = "builtin"
    run = print


class Nameless:
    async def generate(self, prompt: str, **_: Any) -> str: ...


class WithoutWrite:
    id = "silent"

    async def generate(self, prompt: str) -> str: ...


class Generator:
    id = "generator"

    async def generate(self, prompt: str, **_: Any) -> Any:
        yield prompt


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (Raising(), "its `generate` raised RuntimeError: no key"),
        (Builtin(), "it is a builtin"),
        (Nameless(), "has no id"),
        (WithoutWrite(), "got an unexpected keyword argument 'write'"),
        (Generator(), "it is an async generator"),
    ],
)
def test_an_agent_that_cannot_be_called_is_refused_where_it_is_defined(agent: Any, words: str):
    for define in (create_step, create_workflow(id="w").agent, lambda one: Mastra(workflows=[], agents=[one])):
        with pytest.raises(DefinitionError, match=re.escape(words)):
            define(agent)


async def test_the_call_of_an_agent_may_be_a_plain_function(stage: Stage):
    class Plain:
        id = "plain"

        def generate(self, prompt: str, **_: Any) -> str:
            return f"{prompt}, plainly"

    class PlainRun:
        name = "plain-run"

        def run(self, prompt: str, **_: Any) -> str:
            return f"{prompt}, run"

    poem = create_workflow(id="poem").parallel([create_step(Plain()), create_step(PlainRun())]).commit()
    async with stage.worker(poem):
        result = await run(poem, input_data={"prompt": "A kettle"})
    assert result.result == {"plain": {"text": "A kettle, plainly"}, "plain-run": {"text": "A kettle, run"}}


@pytest.mark.parity("agent step: structured output")
async def test_the_structured_output_of_an_agent_is_checked(stage: Stage):
    class Structured(Poet):
        async def generate(self, prompt: str, *, write: Callable[[str], Awaitable[None]], **options: Any) -> Any:
            return {"lines": [prompt]} if prompt else {"verses": 1}

    poem = create_workflow(id="poem").then(create_step(Structured(), output_schema=Verse)).commit()
    async with stage.worker(poem):
        good = await run(poem, input_data={"prompt": "O"})
        bad = await run(poem, input_data={"prompt": ""})
    assert good.result == {"lines": ["O"]}
    assert bad.status == "failed"
    assert bad.error is not None
    assert "Step output validation failed for step 'poet'" in bad.error["message"]


@pytest.mark.parity("agent step: streamed text goes to the writer")
async def test_what_an_agent_streams_goes_to_the_stream_of_the_run_in_batches(stage: Stage):
    words = [f"word{number} " for number in range(200)]
    effects: Effects = stage.effects

    class Streaming(Poet):
        async def generate(self, prompt: str, *, write: Callable[[str], Awaitable[None]], **options: Any) -> Any:
            for word in words:
                await write(word)
                await asyncio.sleep(0)
            await effects.opened("all read")
            return "".join(words)

    poem = create_workflow(id="poem").then(create_step(Streaming())).commit()
    async with stage.worker(poem):
        poem_run = await poem.create_run()
        started = asyncio.create_task(poem_run.start(input_data={"prompt": "Sing"}))
        read: list[str] = []

        async def collect() -> None:
            while await poem_run.fetch_status() == "pending":
                await asyncio.sleep(0.02)
            async for event in poem_run.observe_stream():
                if event.type == "workflow-step-output":
                    assert event.payload["output"]["type"] == "text-delta"
                    read.append(event.payload["output"]["payload"]["text"])
                    if len(read) == len(words):
                        effects.open("all read")

        await within(collect())
        result = await within(started)
    assert read == words
    assert result.result == {"text": "".join(words)}
    assert await count_events(stage.client, poem_run.run_id, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) < 20


@pytest.mark.parity(".agent(agent)", ".agent(id)", "new Mastra({agents})")
async def test_agents_by_object_and_by_the_id_of_a_registered_one(stage: Stage):
    poem = (
        create_workflow(id="poem")
        .agent(Poet(), id="first")
        .map({"prompt": {"template": "${inputData.text}"}})
        .agent("poet")
        .commit()
    )
    mastra = Mastra(workflows=[poem], agents=[Poet()], task_queue=stage.task_queue)
    async with worker_for(mastra, stage.client):
        result = await run(poem, input_data={"prompt": "O"})
    assert result.result == {"text": "O, plainly, plainly"}

    alone = create_workflow(id="alone").agent("poet", id="ask").commit()
    async with stage.worker(alone):
        result = await run(alone, input_data={"prompt": "O"})
    assert result.error is not None
    assert result.error["message"] == (
        "Agent 'poet' not found for workflow step 'ask'. "
        "Register the agent on the Mastra instance or pass the agent instance directly."
    )


@pytest.mark.parity("createStep(tool)", ".tool(tool)")
async def test_a_tool_is_a_step(stage: Stage):
    class Doubler:
        name = "doubler"
        input_schema = int
        output_schema = int

        async def execute(self, number: int, ctx: StepContext) -> int:
            return number * 2 + ctx.retry_count

    sums = create_workflow(id="sums").then(create_step(Adder())).tool(Doubler()).commit()
    async with stage.worker(sums):
        assert (await run(sums, input_data=[1, 2, 3])).result == 12
        refused = await run(sums, input_data=["one"])
    assert refused.error is not None
    assert "Step input validation failed" in refused.error["message"]


@pytest.mark.parity("serializedStepGraph: agent and tool entries")
def test_agents_and_tools_in_the_graph():
    workflow = (
        create_workflow(id="mixed")
        .then(create_step(Poet()))
        .map(lambda _: None)  # the tool could not take what the poet gives
        .parallel([clone_step(create_step(Poet()), id="second"), create_step(Adder(), id="sum")])
        .commit()
    )
    poet, _, parallel = workflow.serialized_step_graph
    assert poet == {"type": "agent", "id": "poet", "agentId": "poet", "description": "Writes verses."}
    assert [(step["type"], step["id"]) for step in parallel["steps"]] == [("agent", "second"), ("tool", "sum")]
    assert parallel["steps"][1]["toolId"] == "adder"


class TestPydanticAI:
    """The agents of one library, as they are."""

    @pytest.mark.parity("an agent of any library is a step")
    async def test_the_example(self, stage: Stage):
        async with stage.worker(support):
            result = await run(support, input_data=Ticket(text="My delivery must come today."))
        assert result.steps["reader"].output == Reading(topic="delivery", urgent=True).model_dump()
        assert result.result == {"text": "We are on it: delivery today"}
        assert [entry["type"] for entry in support.serialized_step_graph] == ["mapping", "agent", "mapping", "agent"]

    async def test_its_test_model_and_an_output_type(self, stage: Stage):
        agent = PydanticAgent(TestModel(custom_output_args={"lines": ["O"]}), name="poet", output_type=Verse)
        poem = create_workflow(id="poem", output_schema=Verse).agent(agent).commit()
        async with stage.worker(poem):
            assert (await run(poem, input_data={"prompt": "Sing"})).result == Verse(lines=["O"])


class TestMistakes:
    @pytest.mark.parametrize("value", [42, Poet, lambda: None, create_step(id="a", execute=print), None])
    def test_what_is_neither(self, value: Any):
        with pytest.raises(DefinitionError, match="Invalid input: expected StepParams, Agent, ToolStep, or Processor"):
            create_step(value)

    def test_a_tool_without_schemas(self):
        class Bare:
            id = "bare"
            input_schema = int

            def execute(self, number: int) -> int: ...

        with pytest.raises(DefinitionError, match="Tool must have input and output schemas defined: `bare` has not"):
            create_step(Bare())

    def test_an_agent_without_an_id(self):
        agent = PydanticAgent(TestModel())
        with pytest.raises(DefinitionError, match="A step needs an id"):
            create_step(agent)
        assert create_step(agent, id="asked").id == "asked"

    def test_settings_that_only_functions_have(self):
        settings: Any = {"input_schema": int}
        with pytest.raises(DefinitionError, match="an agent or tool as a step takes no `input_schema`"):
            create_step(Poet(), **settings)
