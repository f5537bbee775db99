"""A `resume()` that is refused says why in Mastra's words, and leaves the run exactly as it was."""

import asyncio
import uuid
from typing import Any

import pytest
from pydantic import BaseModel

from mastra_temporal import (
    MastraError,
    ResumeAlreadyClaimedError,
    Run,
    RunNotFoundError,
    RunNotSuspendedError,
    SchemaValidationError,
    StepContext,
    create_step,
    create_workflow,
)
from mastra_temporal._client.resume import resume_seen
from mastra_temporal._protocol.messages import ResumeRequest
from tests.integration.suspending import asking, flow, passing, suspended_run, unchanged
from tests.support import Stage, until, within

NOT_SUSPENDED = "This workflow run was not suspended"


class Answer(BaseModel):
    yes: bool


class TestRuns:
    async def test_one_that_is_unknown(self, stage: Stage):
        workflow = flow(asking())
        async with stage.worker(workflow):
            run = await workflow.create_run(run_id=f"unknown-{uuid.uuid4()}")
            with pytest.raises(RunNotFoundError) as refused:
                await within(run.resume(resume_data=1))
        assert str(refused.value) == f"No snapshot found for this workflow run: flow {run.run_id}"

    async def test_one_that_was_canceled_before_it_was_started(self, stage: Stage):
        workflow = flow(asking())
        async with stage.worker(workflow):
            run = await workflow.create_run()
            await run.cancel()
            with pytest.raises(RunNotSuspendedError, match=NOT_SUSPENDED):
                await within(run.resume(resume_data=1))

    @pytest.mark.parametrize("state", ["success", "failed", "canceled", "canceled while suspended", "paused"])
    async def test_one_that_has_ended(self, stage: Stage, state: str):
        async def body(value: Any) -> Any:
            if state == "failed":
                raise ValueError("no")
            return value

        first = asking() if state == "canceled while suspended" else create_step(id="first", execute=body)
        workflow = flow(first, passing())
        if state == "canceled":
            workflow = create_workflow(id="flow").sleep(60_000).commit()
        async with stage.worker(workflow):
            run = await workflow.create_run()
            if state == "canceled":
                await run.start_async(input_data=1)
            else:
                await within(run.start(input_data=1, per_step=state == "paused"))
            if state.startswith("canceled"):
                await within(run.cancel())
            handle = await workflow.create_run(run_id=run.run_id)
            await until(lambda: _is_closed(stage, run.run_id))
            async with unchanged(stage.client, run.run_id):
                for each in (run, handle):
                    with pytest.raises(RunNotSuspendedError, match=NOT_SUSPENDED):
                        await within(each.resume(resume_data=1))
                    with pytest.raises(RunNotSuspendedError, match=NOT_SUSPENDED):
                        await within(each.resume_async(step="ask", resume_data=1))

    async def test_one_that_is_running(self, stage: Stage):
        workflow = create_workflow(id="flow").sleep(60_000).commit()
        async with stage.worker(workflow):
            run = await workflow.create_run()
            await run.start_async(input_data=1)
            await until(lambda: _waits(run))
            async with unchanged(stage.client, run.run_id):
                with pytest.raises(RunNotSuspendedError, match=NOT_SUSPENDED):
                    await within(run.resume(resume_data=1))
            await run.cancel()

    async def test_one_that_is_about_to_suspend_is_waited_for(self, stage: Stage):
        workflow = create_workflow(id="flow").sleep(500).then(asking()).commit()
        async with stage.worker(workflow):
            run = await workflow.create_run()
            await run.start_async(input_data=1)
            assert (await within(run.resume(resume_data=2))).result == [1, 2]


async def _is_closed(stage: Stage, run_id: str) -> bool:
    return (await stage.client.get_workflow_handle(run_id).describe()).close_time is not None


async def _waits(run: Run[Any]) -> bool:
    return await run.fetch_status() == "waiting"


class TestSteps:
    @pytest.mark.parametrize(
        ("step", "message"),
        [
            ("other", 'This workflow step "other" was not suspended. Available suspended steps: [outer, ask]'),
            ("after", 'This workflow step "after" was not suspended. Available suspended steps: [outer, ask]'),
            ("inner.ask", 'This workflow step "inner" was not suspended. Available suspended steps: [outer, ask]'),
            ("outer.other", 'This workflow step "outer.other" was not suspended. '
             "Available suspended steps: [outer, inner, ask], [ask]"),
            ("outer.inner.other", 'This workflow step "outer.inner.other" was not suspended. '
             "Available suspended steps: [outer, inner, ask], [ask]"),
            ("outer.inner.ask.more", 'This workflow step "outer.inner.ask.more" was not suspended. '
             "Available suspended steps: [outer, inner, ask], [ask]"),
            ("ask[0]", 'This workflow step "ask[0]" was not suspended. '
             "Available suspended steps: [outer, inner, ask], [ask]"),
            ("", 'This workflow step "" was not suspended. Available suspended steps: [outer, ask]'),
        ],
    )  # fmt: skip
    async def test_one_that_is_not_suspended(self, stage: Stage, step: str, message: str):
        outer = flow(flow(asking(), id="inner"), id="outer")
        workflow = create_workflow(id="flow").parallel([outer, asking()]).then(passing()).commit()
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            async with unchanged(stage.client, run.run_id):
                with pytest.raises(RunNotSuspendedError) as refused:
                    await within(run.resume(step=step, resume_data=1))
                assert str(refused.value) == message
                assert await run.fetch_status() == "suspended"
            await within(run.resume(step="ask", resume_data=1))
            assert (await within(run.resume(resume_data=1))).status == "success"

    async def test_a_label_that_nobody_gave(self, stage: Stage):
        workflow = flow(asking(label=["one", "two"]))
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            async with unchanged(stage.client, run.run_id):
                with pytest.raises(RunNotSuspendedError) as refused:
                    await within(run.resume(label="three", resume_data=1))
            assert str(refused.value) == 'Resume label "three" not found. Available labels: [one, two]'
            assert (await within(run.resume(label="two", resume_data=1))).status == "success"

    @pytest.mark.parametrize(
        "arguments",
        [{"step": 5}, {"step": [5]}, {"label": 5}, {"for_each_index": "first"}, {"for_each_index": 1.5}],
        ids=str,
    )
    async def test_arguments_of_a_wrong_kind(self, stage: Stage, arguments: dict[str, Any]):
        workflow = flow(asking())
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            async with unchanged(stage.client, run.run_id):
                with pytest.raises(MastraError, match=rf"`{next(iter(arguments))}`"):
                    await within(run.resume(**arguments, resume_data=1))
            assert (await within(run.resume(resume_data=1))).status == "success"


class TestData:
    @pytest.mark.parametrize("place", ["top", "nested", "item", "all items"])
    async def test_those_that_do_not_fit_the_schema(self, stage: Stage, place: str):
        ask = asking(stage.effects, resume_schema=Answer)
        path, expected = {
            "top": ("ask", ["ask fresh"]),
            "nested": ("outer.inner.ask", ["outer.inner.ask fresh"]),
            "item": ("ask[1]", ["ask[0] fresh", "ask[1] fresh"]),
            "all items": (None, ["ask[0] fresh", "ask[1] fresh"]),
        }[place]
        flows = {
            "top": flow(ask),
            "nested": flow(flow(flow(ask, id="inner"), id="outer")),
            "item": create_workflow(id="flow").foreach(ask, concurrency=2).commit(),
        }
        workflow = flows.get(place, flows["item"])
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow, [1, 2])
            async with unchanged(stage.client, run.run_id):
                for data in ({"yes": "perhaps"}, {}, 5):
                    with pytest.raises(SchemaValidationError) as refused:
                        await within(run.resume(step=path, resume_data=data))
                    assert str(refused.value).startswith("Invalid resume data: \n- ")
                    assert refused.value.code == "WORKFLOW_SCHEMA_VALIDATION_FAILED"
                    assert await run.fetch_status() == "suspended"
            assert sorted(stage.effects.counts()) == expected
            result = await within(run.resume(resume_data={"yes": True}))
        assert result.status == "success"

    async def test_those_that_are_not_json(self, stage: Stage):
        workflow = flow(asking())
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            async with unchanged(stage.client, run.run_id):
                with pytest.raises(MastraError, match=r"resume data of run .* of workflow `flow`"):
                    await within(run.resume(resume_data=object()))

    async def test_those_that_are_too_large(self, stage: Stage):
        workflow = flow(asking())
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            async with unchanged(stage.client, run.run_id):
                with pytest.raises(MastraError, match="Pass a reference"):
                    await within(run.resume(resume_data="x" * 3_000_000))
            assert (await within(run.resume(resume_data=1))).status == "success"

    async def test_a_validator_that_raises(self, stage: Stage):
        class Broken(BaseModel):
            yes: bool

            def __init__(self, **data: Any) -> None:
                raise RuntimeError("broken")

        workflow = flow(asking(resume_schema=Broken))
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            async with unchanged(stage.client, run.run_id):
                with pytest.raises(MastraError, match="broken"):
                    await within(run.resume(resume_data={"yes": True}))
            assert await run.fetch_status() == "suspended"

    async def test_without_validation_all_are_taken(self, stage: Stage):
        workflow = flow(asking(resume_schema=Answer), options={"validate_inputs": False})
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            assert (await within(run.resume(resume_data="free"))).result == [1, "free"]


class TestTwice:
    async def test_of_several_at_once_one_wins(self, stage: Stage):
        workflow = flow(asking(stage.effects), passing(stage.effects))
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            handles = [await workflow.create_run(run_id=run.run_id) for _ in range(5)]
            resumes = [each.resume(resume_data=number) for number, each in enumerate(handles)]
            answers = await within(asyncio.gather(*resumes, return_exceptions=True))
        [(number, winner)] = [
            (number, answer) for number, answer in enumerate(answers) if not isinstance(answer, BaseException)
        ]
        assert (winner.status, winner.result) == ("success", [1, number])
        assert all(isinstance(answer, RunNotSuspendedError) for answer in answers if answer is not winner), answers
        assert stage.effects.counts() == {"ask fresh": 1, "ask resumed": 1, "after": 1}

    @pytest.mark.parametrize("status", ["running", "suspended", "success", "failed", "canceled"])
    async def test_the_second_is_told_who_was_first(self, stage: Stage, status: str):
        """Both have seen the same suspension. The run has come to different points since."""

        async def go_on(value: Any, ctx: StepContext) -> Any:
            if status in ("running", "canceled"):
                stage.effects.add("runs")
                await ctx.abort_signal.wait()
            if status == "suspended":
                return await ctx.suspend({})
            if status == "failed":
                raise ValueError("no")
            return value

        workflow = flow(asking(stage.effects), create_step(id="then", execute=go_on))
        async with stage.worker(workflow) as mastra:
            run, _ = await suspended_run(workflow)
            seen = await mastra.client.get_workflow_handle(run.run_id).describe()
            if status in ("running", "canceled"):
                await within(run.resume_async(resume_data=1))
                await stage.effects.seen("runs")
            else:
                assert (await within(run.resume(resume_data=1))).status == status
            if status == "canceled":
                await within(run.cancel())
                await until(lambda: _is_closed(stage, run.run_id))
            async with unchanged(stage.client, run.run_id):
                with pytest.raises(ResumeAlreadyClaimedError) as refused:
                    await within(resume_seen(mastra.client, seen, ResumeRequest(resume_data=2)))
            assert str(refused.value) == (
                "This suspended workflow run was already resumed by another caller. "
                f'Workflow "flow" run "{run.run_id}" moved from "suspended" to "{status}" before this resume could '
                "claim it. Only one resume() call may continue a given suspension; re-read the run state before "
                "resuming again."
            )
            await run.cancel()

    async def test_the_second_after_a_cancel_is_told_so(self, stage: Stage):
        workflow = flow(asking())
        async with stage.worker(workflow) as mastra:
            run, _ = await suspended_run(workflow)
            seen = await mastra.client.get_workflow_handle(run.run_id).describe()
            await within(run.cancel())
            await until(lambda: _is_closed(stage, run.run_id))
            async with unchanged(stage.client, run.run_id):
                with pytest.raises(RunNotSuspendedError, match=NOT_SUSPENDED):
                    await within(resume_seen(mastra.client, seen, ResumeRequest(resume_data=2)))
