"""`mastra-temporal replay`: what a deploy would break is found before it, in files and in a namespace."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mastra_temporal import StepContext, create_step, create_workflow
from tests.integration.cli import APP, Cli
from tests.support import Stage, until, within

pytestmark = pytest.mark.any_cache


async def ask(value: int, ctx: StepContext) -> Any:
    return await ctx.suspend({}) if ctx.resume_data is None else value


async def double(value: int) -> int:
    return 2 * value


def workflows(name: str, first: str = "double", then: str = "ask", last: int = 1) -> list[Any]:
    built = create_workflow(id=name, input_schema=int).then(create_step(id=first, execute=double))
    return [built.then(create_step(id=then, execute=ask)).map(lambda value: value + last).commit()]


@pytest.fixture(autouse=True)
def loud_again() -> Iterator[None]:
    """The command makes the SDK quiet, which is the whole process here."""
    yield
    logging.getLogger("temporalio").setLevel(logging.NOTSET)


async def test_an_open_run_is_checked_against_new_code(stage: Stage, cli: Cli, tmp_path: Path):
    name = stage.task_queue
    async with stage.worker(*workflows(name)) as mastra:
        run = await mastra.get_workflow(name).create_run()
        assert (await within(run.start(input_data=1))).status == "suspended"
    file = tmp_path / f"{run.run_id}.json"
    file.write_text((await stage.client.get_workflow_handle(run.run_id).fetch_history()).to_json())

    cli.app(lambda: workflows(name))
    same = await cli("replay", str(tmp_path), "--app", APP)
    assert (same.status, same.stdout.splitlines()[-1]) == (0, "1 runs can go on with this code")
    cli.app(lambda: workflows(name, first="renamed"))
    assert (await cli("replay", str(file), "--app", APP)).status == 0, "a finished step is not needed any more"
    cli.app(lambda: workflows(name, then="renamed"))
    lacking = await cli("replay", str(file), "--app", APP, "--json")
    assert lacking.status == 3
    assert lacking.json["histories"][0]["problem"] == f"the code lacks step `ask` of workflow `{name}`"
    cli.app(lambda: [create_workflow(id="other").sleep(1).commit()])
    assert name in (await cli("replay", str(file), "--app", APP)).stdout

    cli.app(lambda: workflows(name))

    async def found() -> bool:
        done = await cli("replay", "--newest", "1", "--open", "--app", APP)
        return done.status == 0 and run.run_id in done.stdout

    await until(found)
    await stage.client.get_workflow_handle(run.run_id).terminate()


async def test_a_history_that_the_code_does_not_follow_fails(stage: Stage, cli: Cli, tmp_path: Path):
    name = stage.task_queue
    async with stage.worker(*workflows(name)) as mastra:
        run = await mastra.get_workflow(name).create_run()
        await within(run.start(input_data=1))
    recorded = await stage.client.get_workflow_handle(run.run_id).fetch_history()
    file = tmp_path / "edited.json"
    file.write_text(recorded.to_json().replace(f'"{name}.double"', f'"{name}.other"'))
    cli.app(lambda: workflows(name))
    done = await cli("replay", str(file), "--app", APP)
    assert done.status == 3
    assert "does not match" in done.stdout
    assert done.stderr == "1 of 1 runs could not go on with this code.\n"
    await stage.client.get_workflow_handle(run.run_id).terminate()


async def test_a_check_of_nothing_does_not_pass(cli: Cli, tmp_path: Path):
    cli.app(lambda: workflows("never-started"))
    assert "no history to replay" in (await cli("replay", "--newest", "5", "--app", APP)).error()
    assert "no history to replay" in (await cli("replay", str(tmp_path), "--app", APP)).error()
    (tmp_path / "wrong.json").write_text("{}")
    assert "wrong.json` is no history" in (await cli("replay", str(tmp_path), "--app", APP)).error()
    assert (await cli("replay", "--app", APP)).status == 2
