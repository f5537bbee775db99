"""What is registered with `Mastra`, as a list or as a mapping, and what finds it."""

from typing import Any

import pytest
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.test import TestModel

from mastra_temporal import (
    ConfigurationError,
    DefinitionError,
    Mastra,
    StepContext,
    SyncStepContext,
    WorkflowNotFoundError,
    create_workflow,
    step,
)
from mastra_temporal.testing import worker_for
from tests.support import Stage, run, traced


class Poet:
    id = "poet"

    async def generate(self, prompt: str, **_: Any) -> str:
        return f"{prompt}!"


class Adder:
    id = "adder"
    input_schema = list[int]
    output_schema = int

    def execute(self, numbers: list[int], ctx: SyncStepContext) -> int:
        return sum(numbers) + len(ctx.step_id)


class Wrong(Adder):
    id = "wrong"

    def execute(self, numbers: list[int], ctx: SyncStepContext) -> Any:
        return "none"


@step
async def ask(ctx: StepContext) -> Any:
    agent = ctx.mastra.get_agent("writer")
    return [await agent.generate("a"), ctx.mastra.get_tool("sum").id, sorted(ctx.mastra.list_tools())]


def asking() -> Any:
    return create_workflow(id="asking").then(ask).commit()


class TestForms:
    @pytest.mark.parity("new Mastra({workflows})", "getWorkflow()", "getWorkflowById()", "listWorkflows()")
    def test_workflows(self):
        flow, other = asking(), create_workflow(id="other").then(ask).commit()
        keyed, listed = Mastra(workflows={"first": flow, "second": other}), Mastra(workflows=[flow, other])
        assert keyed.get_workflow("first") is keyed.get_workflow_by_id("asking") is flow
        assert keyed.get_workflow("asking") is keyed.get_workflow_by_id("first") is flow
        assert keyed.list_workflows() == {"first": flow, "second": other}
        assert listed.list_workflows() == {"asking": flow, "other": other}
        with pytest.raises(WorkflowNotFoundError, match=r"Workflow with ID firts not found\. Did you mean `first`\?"):
            keyed.get_workflow("firts")

    def test_a_key_is_found_before_an_id_of_the_same_name_and_the_other_way_round(self):
        flow, other = asking(), create_workflow(id="first").then(ask).commit()
        mastra = Mastra(workflows={"first": flow, "second": other})
        assert mastra.get_workflow("first") is flow
        assert mastra.get_workflow_by_id("first") is other

    @pytest.mark.parity("new Mastra({agents})", "getAgent(), getAgentById(), listAgents()")
    def test_agents(self):
        poet, nameless = Poet(), PydanticAgent(TestModel())
        mastra = Mastra(workflows=[asking()], agents={"writer": poet, "other": nameless})
        assert mastra.get_agent("writer") is mastra.get_agent("poet") is mastra.get_agent_by_id("poet") is poet
        assert mastra.get_agent_by_id("other") is nameless
        assert mastra.list_agents() == {"writer": poet, "other": nameless}
        with pytest.raises(ConfigurationError, match=r"Agent with name writr not found\. Did you mean `writer`\?"):
            mastra.get_agent("writr")
        with pytest.raises(ConfigurationError, match=r"Agent with id nobody not found\."):
            mastra.get_agent_by_id("nobody")

    @pytest.mark.parity("new Mastra({tools})", "getTool(), getToolById(), listTools()")
    def test_tools(self):
        adder = Adder()
        mastra = Mastra(workflows=[asking()], tools={"sum": adder})
        assert mastra.get_tool("sum") is mastra.get_tool("adder") is mastra.get_tool_by_id("adder") is adder
        assert Mastra(workflows=[asking()], tools=[adder]).list_tools() == {"adder": adder}
        with pytest.raises(ConfigurationError, match=r"Tool with name adler not found\. Did you mean `adder`\?"):
            mastra.get_tool("adler")

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"workflows": asking()}, r"Mastra\(workflows=...\) takes a list or a mapping"),
            ({"workflows": "asking"}, r"Mastra\(workflows=...\) takes a list or a mapping"),
            ({"workflows": [ask]}, r"Mastra\(workflows=...\) takes workflows, got Step"),
            ({"workflows": [], "agents": [Poet(), Poet()]}, r"Two different agents have the id `poet`"),
            ({"workflows": [], "agents": [PydanticAgent(TestModel())]}, r"has no id: .*Mastra\(agents=\{...\}\)"),
            ({"workflows": [], "tools": [Poet()]}, "A tool is an object with `id`, `execute` and schemas"),
        ],
    )
    def test_what_cannot_be_registered(self, given: Any, words: str):
        with pytest.raises(DefinitionError, match=words):
            Mastra(**given)


@pytest.mark.parity(".tool(id)")
async def test_steps_find_what_is_registered(stage: Stage):
    flow = asking()
    by_id = create_workflow(id="by-id").tool("adder").tool("wrong", id="checked").commit()
    by_key = create_workflow(id="by-key").tool("sum", id="added", retries=0).commit()
    missing = create_workflow(id="missing").tool("nobody", id="asked").commit()
    mastra = Mastra(
        workflows={"one": flow, "two": by_id, "three": by_key, "four": missing},
        agents={"writer": Poet()},
        tools={"sum": Adder(), "bad": Wrong()},
        task_queue=stage.task_queue,
    )
    async with worker_for(mastra, traced(stage.client, mastra, None)):
        assert (await run(flow)).result == ["a!", "adder", ["bad", "sum"]]
        assert (await run(by_key, input_data=[1, 2])).result == 8
        refused, failed = await run(by_id, input_data=["x"]), await run(missing, input_data=1)
    assert refused.error is not None
    assert "Step input validation failed" in refused.error["message"]
    assert failed.error is not None
    assert failed.error["message"] == (
        "Tool 'nobody' not found for workflow step 'asked'. "
        "Register the tool on the Mastra instance or pass the tool instance directly."
    )


async def test_the_output_of_a_tool_by_id_is_checked(stage: Stage):
    flow = create_workflow(id="checked").tool("wrong").commit()
    mastra = Mastra(workflows=[flow], tools=[Wrong()], task_queue=stage.task_queue)
    async with worker_for(mastra, traced(stage.client, mastra, None)):
        result = await run(flow, input_data=[1])
    assert result.error is not None
    assert "expected number, received string" in result.error["message"]


def test_waiting_for_an_event_says_what_to_do():
    with pytest.raises(DefinitionError, match=r"`flow`: \.wait_for_event\(\) was removed.*ctx\.suspend\(\)"):
        create_workflow(id="flow").then(ask).wait_for_event("paid", ask)
