"""`mastra-temporal list`, `show`, `start`, `resume`, `restart`: runs at the command line, most without their code."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from mastra_temporal import StepContext, create_step, create_workflow
from tests.integration.cli import APP, Cli
from tests.integration.commands import CLI, in_terminal
from tests.support import Stage, until

pytestmark = pytest.mark.any_cache


class Order(BaseModel):
    item: str
    total: float = 1.0


class Decision(BaseModel):
    approved: bool = Field(description="whether to buy it")
    level: Literal["low", "high"] = "low"
    amount: int | None = None


class Writer:
    id = "writer"

    async def generate(self, prompt: str, *, write: Any, **options: Any) -> str:
        for word in ("roses ", "are ", "red"):
            await write(word)
        return prompt


async def approve(order: Order, ctx: StepContext) -> Any:
    if ctx.resume_data is None:
        return await ctx.suspend({"question": f"Buy {order.item}?"}, resume_label="approval")
    return {"decision": ctx.resume_data.model_dump()}


async def fail(value: Any) -> None:
    raise ValueError("asked to\non two lines")


async def charge(order: Order, ctx: StepContext) -> Order:
    if ctx.retry_count == 0:
        raise ValueError("busy")
    return order


def workflows() -> list[Any]:
    order = create_workflow(id="order", input_schema=Order)
    order = order.then(create_step(id="charge", execute=charge, retries=1))
    return [
        order.then(create_step(id="approve", execute=approve, resume_schema=Decision)).commit(),
        create_workflow(id="failing").then(create_step(id="fail", execute=fail)).commit(),
        create_workflow(id="napping").sleep(3_600_000, id="nap").commit(),
        create_workflow(id="poem").then(create_step(Writer())).commit(),
    ]


async def seen(cli: Cli, stage: Stage, *arguments: str, total: int) -> list[Any]:
    """The runs of the list, once the server's visibility has caught up."""
    found: list[Any] = []

    async def complete() -> bool:
        done = await cli("list", "--json", "--task-queue", stage.task_queue, *arguments)
        found[:] = done.json["runs"]
        return done.json["total"] == total

    await until(complete)
    return found


async def test_a_run_from_its_start_to_its_answer(stage: Stage, cli: Cli):
    cli.app(workflows)
    async with stage.worker(*workflows()):
        started = await cli(
            "start",
            "order",
            "--app",
            APP,
            "--data",
            '{"item": "tea"}',
            "--run-id",
            stage.task_queue,
            "--resource",
            "ann",
        )
        assert started.status == 0, started.stderr
        assert f"suspended run `{stage.task_queue}`" in started.words
        assert "step approve waits for an answer" in started.words
        shown = await cli("show", stage.task_queue)
        assert "approve suspended 1" in shown.words
        assert 'resume: {"question": "Buy tea?"}, label approval' in shown.words
        assert "charge success 2" in shown.words, "the retry counts"
        refused = await cli("resume", stage.task_queue, "--data", '{"approved": "maybe"}')
        assert "approved: Input should be a valid boolean" in refused.error() or "approved" in refused.error()
        answered = await cli(
            "resume", stage.task_queue, "--data", '{"approved": true}', "--label", "approval", "--json"
        )
        assert answered.status == 0, answered.stderr
        assert answered.json["status"] == "success"
        assert answered.json["result"] == {"decision": {"approved": True, "level": "low", "amount": None}}
        again = await cli("resume", stage.task_queue, "--data", "1")
        assert "not suspended" in again.error()
    record = (await cli("show", stage.task_queue, "--json")).json
    assert (record["workflowName"], record["status"], record["resourceId"]) == ("order", "success", "ann")
    assert record["steps"]["approve"]["resumePayload"]["approved"] is True
    assert [step["attempts"] for step in record["progress"]] == [2, 2]


async def test_runs_are_listed_without_their_code(stage: Stage, cli: Cli):
    cli.app(workflows)
    begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    async with stage.worker(*workflows()):
        waiting = await cli("start", "napping", "--app", APP, "--no-wait", "--resource", "ann")
        failed = await cli("start", "failing", "--app", APP, "--data", "1", "--json")
        assert (failed.status, failed.json["error"]["message"]) == (3, "asked to\non two lines")
        assert failed.stderr.count("\n") == 1
        await seen(cli, stage, total=2)
    assert [run["runId"] for run in await seen(cli, stage, "--status", "waiting", total=1)] == [waiting.stdout.strip()]
    assert [run["status"] for run in await seen(cli, stage, "--workflow", "failing", total=1)] == ["failed"]
    assert [run["resourceId"] for run in await seen(cli, stage, "--resource", "ann", total=1)] == ["ann"]
    await seen(cli, stage, "--since", begun, total=2)
    await seen(cli, stage, "--since", "2999-01-01", total=0)
    newest = await cli("list", "--limit", "1", "--task-queue", stage.task_queue)
    assert "1 of 2 runs" in newest.words
    assert "end of its sleep at" in (await cli("show", waiting.stdout.strip())).words


async def test_a_run_of_other_software_is_not_listed(stage: Stage, cli: Cli):
    foreign = await stage.client.start_workflow(
        "foreign", id=f"{stage.task_queue}-x", task_queue=f"{stage.task_queue}-x"
    )
    cli.app(workflows)
    async with stage.worker(*workflows()):
        await cli("start", "failing", "--app", APP)
    try:
        await seen(cli, stage, total=1)
        everywhere = (await cli("list", "--json", "--limit", "1000")).json["runs"]
        assert foreign.id not in [run["runId"] for run in everywhere]
    finally:
        await foreign.terminate()


async def test_following_prints_events_and_text_until_the_end(stage: Stage, cli: Cli):
    cli.app(workflows)
    async with stage.worker(*workflows()):
        started = await cli("start", "poem", "--app", APP, "--data", '{"prompt": "go"}', "--no-wait")
        run_id = started.stdout.strip()
        followed = await cli("show", run_id, "--follow")
    assert followed.status == 0, followed.stderr
    assert "step-start writer" in followed.words
    assert "roses are red\n" in followed.stdout
    assert "finish success" in followed.words
    lines = (await cli("show", run_id, "--follow", "--json")).stdout.splitlines()
    assert lines[0].startswith('{"type": "workflow-start", "runId": ')


async def test_a_step_says_what_it_waits_for(stage: Stage, cli: Cli):
    cli.app(workflows)
    queue = f"{stage.task_queue}-of-nobody"
    started = await cli("start", "order", "--app", APP, "--data", '{"item": "x"}', "--no-wait", "--task-queue", queue)
    run_id = started.stdout.strip()
    assert f"waits for a worker of task queue {queue}" in (await cli("show", run_id)).words
    await stage.client.get_workflow_handle(run_id).terminate()


async def test_restart_by_id_needs_no_code(stage: Stage, cli: Cli):
    cli.app(workflows)
    async with stage.worker(*workflows()):
        started = await cli("start", "order", "--app", APP, "--data", '{"item": "tea"}')
        run_id = started.stdout.split("`")[1]
        assert "it is suspended" in (await cli("restart", run_id)).error()
        await stage.client.get_workflow_handle(run_id).terminate()
        again = await cli("restart", run_id, "--json")
        assert (again.status, again.json["status"]) == (0, "suspended")
        assert again.json["steps"]["charge"]["status"] == "success"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "nope"), ["There is no run `nope`", "namespace default"]),
        (("resume", "nope", "--data", "1"), ["There is no run `nope`"]),
        (("restart", "nope"), ["There is no run `nope`"]),
        (("start", "nope", "--app", APP), ["Workflow with ID nope not found", "task queue test-"]),
        (("start", "order", "--app", APP, "--data", "{"), ["`--data` is not JSON"]),
        (("start", "order", "--app", APP, "--data", "@missing.json"), ["@missing.json", "cannot be read"]),
        (("start", "order", "--app", APP, "--data", "{}"), ["item"]),
        (("start", "order", "--app", APP, "--state", "1"), ["`--state` must be a JSON object"]),
        (("list", "--status", "lost"), ["There is no status `lost`"]),
        (("list", "--since", "yesterday"), ["`--since yesterday`", "7d"]),
        (("list", "--namespace", "nope"), ["no namespace `nope`", "namespace nope]"]),
        (("list", "--address", "127.0.0.1:1"), ["No Temporal server", "[server 127.0.0.1:1, namespace default]"]),
        (("restart", "--all"), ["--app"]),
    ],
)
async def test_an_error_is_one_line_that_names_what_was_asked(cli: Cli, arguments: tuple[str, ...], words: list[str]):
    cli.app(workflows)
    line = (await cli(*arguments)).error()
    assert line.startswith("error: ")
    assert line.endswith("]")
    assert all(word in line for word in words), line


async def test_ids_are_completed_by_the_shell(stage: Stage, cli: Cli, monkeypatch: pytest.MonkeyPatch):
    foreign = await stage.client.start_workflow("any", id=f"{stage.task_queue}-x", task_queue=stage.task_queue)
    monkeypatch.setenv("_MASTRA_TEMPORAL_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"mastra-temporal show {stage.task_queue}")

    async def offered() -> bool:
        completing = [sys.executable, "-m", CLI]
        shell = await asyncio.to_thread(subprocess.run, completing, capture_output=True, text=True, timeout=20)
        return f'"{stage.task_queue}-x":"any, running"' in shell.stdout

    await until(offered)
    await foreign.terminate()


PROGRAM = """
import sys
from tests.integration.test_cli_runs import workflows
from mastra_temporal import Mastra
mastra = Mastra(workflows=workflows(), task_queue=sys.argv[-1])
"""


async def test_a_person_is_asked_field_by_field(stage: Stage, tmp_path: Path):
    (tmp_path / "shop.py").write_text(PROGRAM.replace("sys.argv[-1]", repr(stage.task_queue)))
    async with stage.worker(*workflows()) as mastra:
        run = await mastra.get_workflow("order").create_run()
        await run.start(input_data={"item": "tea"})
        told = await asyncio.to_thread(
            in_terminal,
            ["resume", run.run_id, "--app", "shop:mastra"],
            {
                "approved (y/n": "maybe",
                "Answer y or n": "y",
                "level (": "hihg",
                "Choose one of": "high",
                "amount (": "",
            },
            tmp_path,
            {"TEMPORAL_ADDRESS": stage.address},
        )
        assert "whether to buy it" in told
        assert "Buy tea?" in told
        result = await run.join()
    assert result.result == {"decision": {"approved": True, "level": "high", "amount": None}}
