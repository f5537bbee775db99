"""Suspended runs outlive their workers; what a resume gave is never lost, and nobody is asked twice."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from mastra_temporal import StepContext, Workflow, create_step, create_workflow
from tests.integration.suspending import asking, flow, passing, suspended_run, unchanged
from tests.support import Effects, Stage, history, until, within


def place(name: str, body: Any) -> Any:
    """A workflow that has the body somewhere, between two other steps."""
    whole = create_workflow(id=name)
    if name == "top":
        whole = whole.then(body)
    elif name == "nested":
        whole = whole.then(flow(flow(body, id="inner"), id="outer"))
    elif name == "parallel":
        whole = whole.parallel([body, passing(id="sibling")]).map(lambda found: found["ask"])
    elif name == "loop":
        whole = whole.dowhile(body, lambda value: False)
    else:
        items = whole.map(lambda value: [value])
        whole = items.foreach(flow(body, id="single"), concurrency=2).map(lambda items: items[0])
    return whole.then(passing()).commit()


PLACES = ["top", "nested", "parallel", "loop", "item"]


def fragile(effects: Effects) -> Iterable[Workflow[Any, Any, Any]]:
    """Workflows with a step that hangs when it is resumed, the first time."""

    async def ask(value: Any, ctx: StepContext) -> Any:
        if ctx.suspend_data is None:
            effects.add("asked")
            return await ctx.suspend({"about": value})
        if effects.add("resumed") == 1:
            await asyncio.sleep(600)
        return [value, ctx.resume_data, ctx.suspend_data]

    step = create_step(id="ask", execute=ask, options={"heartbeat_timeout": timedelta(seconds=2)})
    return [place(name, step) for name in PLACES]


class TestKilled:
    @pytest.mark.parametrize(
        ("name", "call"), [("parallel", "restart"), ("item", "restart"), ("loop", "no call"), ("nested", "no call")]
    )
    async def test_in_the_resumed_step(self, stage: Stage, name: str, call: str):
        mastra = await stage.app(fragile)
        worker = stage.worker_process(fragile)
        run = await mastra.get_workflow(name).create_run()
        assert (await within(run.start(input_data=1))).status == "suspended"
        await within(run.resume_async(resume_data={"yes": True}))
        await stage.effects.seen("resumed")
        worker.kill()
        stage.worker_process(fragile)
        if call == "restart":
            result = await within(run.restart())
        else:
            result = await within(run.start(input_data=1))
        assert (result.status, result.result) == ("success", [1, {"yes": True}, {"about": 1}])
        assert stage.effects.counts() == {"asked": 1, "resumed": 2}

    async def test_while_suspended(self, stage: Stage):
        stage.effects.add("resumed")
        mastra = await stage.app(fragile)
        worker = stage.worker_process(fragile)
        run = await mastra.get_workflow("nested").create_run()
        assert (await within(run.start(input_data=1))).status == "suspended"
        worker.kill()
        # Nobody works: the run can still be read, and the resume waits for a worker.
        assert await within(run.fetch_status()) == "suspended"
        resume = asyncio.create_task(run.resume(resume_data=2))
        await asyncio.sleep(0.5)
        assert not resume.done()
        stage.worker_process(fragile)
        assert (await within(resume)).result == [1, 2, {"about": 1}]

    async def test_who_waits_for_a_worker_may_stop_waiting(self, stage: Stage):
        workflow = flow(asking(stage.effects))
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
        with pytest.raises(asyncio.TimeoutError):
            await within(run.resume(resume_data="yes"), 0.3)


class TestRedeployed:
    async def test_the_recorded_graph_is_followed(self, stage: Stage):
        effects = stage.effects
        ask, after = asking(effects), passing(effects)
        before = flow(flow(passing(effects, "first"), ask, id="inner"), after)
        async with stage.worker(before):
            run, _ = await suspended_run(before)
        changed = flow(passing(effects, "new"), flow(passing(effects, "newer"), passing(effects, "first"), ask,
                                                     passing(effects, "newest"), id="inner"),
                       passing(effects, "last"), after)  # fmt: skip
        async with stage.worker(changed):
            later = await changed.create_run(run_id=run.run_id)
            result = await within(later.resume(step="inner.ask", resume_data=2))
        assert (result.status, result.result) == ("success", [1, 2])
        assert list(result.steps) == ["inner", "after"]
        assert effects.counts() == {f"inner.{step}": 1 for step in ("first", "ask fresh", "ask resumed")} | {"after": 1}

    async def test_data_are_checked_by_the_schema_of_today(self, stage: Stage):
        async with stage.worker(workflow := flow(asking(resume_schema=int))):
            run, _ = await suspended_run(workflow)
        async with stage.worker(workflow := flow(asking(resume_schema=str))):
            later = await workflow.create_run(run_id=run.run_id)
            assert (await within(later.resume(resume_data="text"))).result == [1, "text"]


class TestRetried:
    @pytest.mark.parametrize("where", ["step", "workflow", "parent"])
    async def test_after_a_resume_nobody_is_asked_again(self, stage: Stage, where: str):
        """In Mastra the retries of the workflow are lost with a resume."""

        async def ask(value: Any, ctx: StepContext) -> Any:
            if ctx.suspend_data is None:
                stage.effects.add("asked")
                return await ctx.suspend({})
            if stage.effects.add("resumed") < 3:
                raise ValueError("not yet")
            return ctx.resume_data

        twice: dict[str, Any] = {"retry_config": {"attempts": 2, "delay": 1}}
        step = create_step(id="ask", execute=ask, retries=2 if where == "step" else None)
        workflow = {
            "step": flow(step),
            "workflow": flow(step, **twice),
            "parent": flow(flow(passing(stage.effects, "before"), step, id="inner"), **twice),
        }[where]
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            result = await within(run.resume(resume_data="yes"))
        assert (result.status, result.result) == ("success", "yes")
        counts = stage.effects.counts()
        assert counts["asked"] == 1
        assert counts["resumed"] == 3
        assert counts["inner.before"] == (where == "parent")

    async def test_what_follows_the_resumed_step_is_retried_with_it(self, stage: Stage):
        async def fragile(value: Any) -> Any:
            if stage.effects.add("fragile") == 1:
                raise ValueError("once")
            return value

        inner = flow(
            passing(stage.effects, "before"), asking(stage.effects), create_step(id="b", execute=fragile), id="inner"
        )
        workflow = flow(inner, retry_config={"attempts": 1})
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            result = await within(run.resume(resume_data="yes"))
        assert result.result == [1, "yes"]
        counts = stage.effects.counts()
        assert (counts["fragile"], counts["inner.before"], counts["inner.ask fresh"]) == (2, 1, 1)


class TestCanceled:
    @pytest.mark.parametrize("name", PLACES)
    async def test_while_suspended(self, stage: Stage, name: str):
        workflow = place(name, asking(stage.effects))
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            assert await within(run.cancel()) == "accepted"
            await until(lambda: _is_closed(stage, run.run_id))
            assert await within(run.fetch_status()) == "canceled"
        assert set(stage.effects.counts().values()) == {1}

    async def test_it_ends_as_canceled_and_keeps_its_results(self, stage: Stage):
        finished: list[Any] = []

        async def on_finish(info: Any) -> None:
            finished.append(info.status)

        workflow = flow(passing(id="before"), asking(), options={"on_finish": on_finish})
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            await within(run.cancel())
            await until(lambda: _is_closed(stage, run.run_id))
            async with unchanged(stage.client, run.run_id):
                assert await within(run.cancel()) == "already_finished"
        assert finished == ["suspended", "canceled"]

    async def test_with_no_worker(self, stage: Stage):
        workflow = flow(asking(stage.effects))
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
        assert await within(run.cancel()) == "accepted"
        assert await within(run.fetch_status()) == "canceled"


async def _is_closed(stage: Stage, run_id: str) -> bool:
    return (await stage.client.get_workflow_handle(run_id).describe()).close_time is not None


async def test_a_suspended_run_costs_nothing(stage: Stage):
    """No timer, no activity, no waiting call: the server has nothing to do for it."""
    workflow = flow(asking())
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow)
        description = await stage.client.get_workflow_handle(run.run_id).describe()
        assert not description.raw_description.pending_activities
        assert not description.raw_description.HasField("pending_workflow_task")
        before = len(await history(stage.client, run.run_id))
        for _ in range(5):
            assert (await within(run.start(input_data=1))).status == "suspended"
        assert len(await history(stage.client, run.run_id)) - before <= 8
