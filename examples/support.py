"""A support desk with two pydantic-ai agents as durable steps: one reads a ticket, the other writes the answer.

Run it with ``python -m examples.support``. It starts its own server and needs no API key, because its models are
offline. To use a real model, set ``SUPPORT_MODEL=openai:gpt-5-mini`` and a key for it.

Each agent's run is one step and so one Temporal activity. When a worker dies, agents that have answered are not asked
again. Temporal's own integration of pydantic-ai (``TemporalAgent``) makes an activity of every model request and tool
call. It works only in workflow code. Steps run in activities, so a step takes the plain agent.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from mastra_temporal import FunctionContext, Mastra, create_step, create_workflow, run_worker
from mastra_temporal.devserver import start_dev_server


class Ticket(BaseModel):
    text: str


class Reading(BaseModel):
    """The first agent's answer about a ticket."""

    topic: Literal["billing", "delivery", "other"]
    urgent: bool


def _question(messages: list[ModelMessage]) -> str:
    return str(messages[-1].parts[-1].content)  # pyright: ignore[reportAttributeAccessIssue]


def read_offline(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Replace a model: look for words in the ticket."""
    question = _question(messages).lower()
    topic = next((topic for topic in ("billing", "delivery") if topic in question), "other")
    reading = {"topic": topic, "urgent": "today" in question}
    return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, reading)])


async def write_offline(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
    """Replace a model: stream the answer word by word."""
    for word in ("We", " are", " on", " it", ":", f" {_question(messages)}"):
        yield word


MODEL: Any = os.environ.get("SUPPORT_MODEL")

reader = Agent(
    MODEL or FunctionModel(read_offline),
    name="reader",
    output_type=Reading,
    instructions="Say what the ticket is about, and whether it is urgent.",
)
writer = Agent(
    MODEL or FunctionModel(stream_function=write_offline),
    name="writer",
    instructions="Write one friendly sentence to the customer.",
)


def ask_writer(reading: Reading, ctx: FunctionContext) -> dict[str, str]:
    return {"prompt": f"{reading.topic}{' today' if reading.urgent else ''}"}


support = (
    create_workflow(id="support", input_schema=Ticket)
    .map({"prompt": {"template": "${inputData.text}"}})
    .then(create_step(reader, retries=2))
    .map(ask_writer)
    .then(create_step(writer, retries=2))
    .commit()
)

mastra = Mastra(workflows=[support], task_queue="support")


async def main() -> None:
    async with start_dev_server() as server:
        os.environ["TEMPORAL_ADDRESS"] = server.address
        await mastra.connect()
        worker = asyncio.create_task(run_worker(mastra))
        run = await support.create_run()
        result = await run.start(input_data=Ticket(text="My delivery must come today."))
        print(result.status, result.steps["reader"].output, result.result)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
