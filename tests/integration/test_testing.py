"""The helpers that `mastra_temporal.testing` gives to users."""

import asyncio
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from mastra_temporal import DefinitionError, Mastra, SyncStepContext, clone_workflow, create_workflow, step
from mastra_temporal.testing import RunWorkflow, with_steps, worker_for
from tests.integration.commands import ROOT, run
from tests.support import count_events, within


def napping(duration: timedelta, task_queue: str) -> Mastra:
    return Mastra(workflows=[create_workflow(id="napping").sleep(duration).commit()], task_queue=task_queue)


async def test_a_sleep_of_a_week_takes_no_time(mastra_time_skipping_client: Client, mastra_task_queue: str):
    mastra = napping(timedelta(weeks=1), mastra_task_queue)
    started = time.monotonic()
    async with worker_for(mastra, mastra_time_skipping_client):
        run = await mastra.get_workflow("napping").create_run()
        result = await run.start(input_data="rested")
    assert (result.status, result.result) == ("success", "rested")
    assert time.monotonic() - started < 10


async def test_every_run_can_be_replayed_at_every_step(
    mastra_client: Client, mastra_task_queue: str, monkeypatch: pytest.MonkeyPatch
):
    """Many at once, too: none may cost another one its local activities, and with them ten seconds."""
    monkeypatch.setenv("MASTRA_TEST_MAX_CACHED_WORKFLOWS", "0")
    part = create_workflow(id="part")
    for _ in range(3):
        part.map(lambda value, ctx: value + 1)
    parts = [clone_workflow(part.commit(), id=f"part-{number}") for number in range(3)]
    flow = create_workflow(id="whole").parallel(parts).sleep(timedelta(milliseconds=1)).commit()
    async with worker_for(Mastra(workflows=[flow], task_queue=mastra_task_queue), mastra_client) as worker:
        assert worker.config().get("max_cached_workflows") == 0
        runs = [await flow.create_run() for _ in range(20)]
        results = await asyncio.gather(*(within(each.start(input_data=0), 40) for each in runs))
    assert all(result.result == {"part-0": 3, "part-1": 3, "part-2": 3} for result in results)
    for each in runs:
        assert not await count_events(mastra_client, each.run_id, EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT)


@step
async def charge(total: int) -> str:
    raise RuntimeError("a real bank")


@step(retries=1)
async def notify(text: str) -> str:
    raise RuntimeError("a real mail")


mail = create_workflow(id="mail", input_schema=str).then(notify).commit()
shop = create_workflow(id="shop", input_schema=int).then(charge).then(mail).commit()


class TestReplacing:
    async def test_steps_by_name_nested_ones_too(self, run_workflow: RunWorkflow):
        attempts: list[str] = []

        def flaky(text: str, ctx: SyncStepContext) -> str:
            attempts.append(text)
            if ctx.retry_count == 0:
                raise ValueError("once")
            return f"sent {text}"

        result = await run_workflow(shop, 5, replace={"charge": lambda total: f"{total}", "mail.notify": flaky})
        assert (result.status, result.result) == ("success", "sent 5")
        assert attempts == ["5", "5"]

    async def test_a_replacement_is_held_to_the_schemas_of_the_step(self, run_workflow: RunWorkflow):
        result = await run_workflow(shop, 5, replace={"charge": lambda total: total})
        assert result.error is not None
        assert "Step output validation failed for step 'charge'" in result.error["message"]

    async def test_the_original_stays_as_it_is(self, run_workflow: RunWorkflow):
        with_steps(shop, {"charge": str})
        result = await run_workflow(shop, 5)
        assert result.error is not None
        assert result.error["message"] == "a real bank"

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("chrage", "Did you mean `charge`"),
            ("notify", "Did you mean `mail.notify`"),
            ("mail", "It is a workflow: replace its steps, `mail.notify`"),
        ],
    )
    def test_an_unknown_name_is_refused(self, name: str, hint: str):
        with pytest.raises(DefinitionError, match=f"workflow `shop` has no step `{name}` to replace. {hint}"):
            with_steps(shop, {name: str})


@pytest.mark.any_cache
def test_the_example_of_the_page_works(tmp_path: Path):
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", (ROOT / "docs/testing.md").read_text(), re.DOTALL)
    assert [name for name, _ in blocks] == ["conftest.py", "shop.py", "test_shop.py"]
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", ".", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
