"""Suspending in every kind of entry, and which suspended step a `resume()` means."""

from typing import Any

import pytest
from pydantic import BaseModel

from mastra_temporal import Run, RunNotSuspendedError, StepContext, SyncStepContext, create_step, create_workflow
from tests.integration.suspending import asking, flow, passing, suspended_run, unchanged
from tests.support import Stage, within


def nested(*steps: Any, depth: int = 1) -> Any:
    """A workflow of these steps, inside others: ``outer-2 > outer-1 > ...``."""
    inner = flow(*steps, id="outer-1")
    for level in range(2, depth + 1):
        inner = flow(inner, id=f"outer-{level}")
    return inner


class TestWhere:
    async def test_in_a_step(self, stage: Stage):
        workflow = flow(asking(stage.effects), passing(stage.effects))
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow)
            assert result.suspended == [["ask"]]
            assert result.suspend_payload == {"ask": {"about": 1}}
            assert result.steps["ask"].status == "suspended"
            assert run.status == await run.fetch_status() == "suspended"
            result = await within(run.resume(resume_data="yes"))
        assert (result.status, result.result, result.suspended) == ("success", [1, "yes"], None)
        ask = result.steps["ask"]
        assert (ask.status, ask.resume_payload, ask.suspend_payload, ask.suspended_at) == ("success", "yes", None, None)
        assert ask.resumed_at
        assert ask.started_at <= ask.resumed_at
        assert result.step_execution_path == ["ask", "after"]
        assert stage.effects.counts() == {"ask fresh": 1, "ask resumed": 1, "after": 1}

    async def test_in_a_step_that_runs_in_a_thread(self, stage: Stage):
        def ask(value: Any, ctx: SyncStepContext) -> Any:
            return [value, ctx.resume_data] if ctx.suspend_data else ctx.suspend({"about": value})

        workflow = flow(create_step(id="ask", execute=ask))
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            assert (await within(run.resume(resume_data="yes"))).result == [1, "yes"]

    @pytest.mark.parametrize("depth", [1, 4])
    async def test_in_nested_workflows(self, stage: Stage, depth: int):
        workflow = flow(nested(asking(stage.effects), passing(stage.effects), depth=depth), passing(stage.effects))
        path = [f"outer-{level}" for level in range(depth, 0, -1)]
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow)
            assert result.suspended == [[*path, "ask"]]
            result = await within(run.resume(resume_data="yes"))
        assert (result.status, result.result) == ("success", [1, "yes"])
        inside = ".".join(path)
        counts = {f"{inside}.ask fresh": 1, f"{inside}.ask resumed": 1, f"{inside}.after": 1, "after": 1}
        assert stage.effects.counts() == counts

    async def test_in_parallel_each_goes_on_by_itself(self, stage: Stage):
        bodies = [asking(stage.effects, "a"), passing(stage.effects, "b"), asking(stage.effects, "c")]
        workflow = create_workflow(id="flow").parallel(bodies).then(passing(stage.effects)).commit()
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow)
            assert result.suspended == [["a"], ["c"]]
            assert result.suspend_payload == {"a": {"about": 1}, "c": {"about": 1}}
            result = await within(run.resume(step="c", resume_data="for c"))
            assert (result.status, result.suspended) == ("suspended", [["a"]])
            assert result.steps["c"].output == [1, "for c"]
            result = await within(run.resume(resume_data="for a"))
        assert result.result == {"a": [1, "for a"], "b": 1, "c": [1, "for c"]}
        assert stage.effects.counts() == {
            f"{step}": 1 for step in ("a fresh", "a resumed", "b", "c fresh", "c resumed", "after")
        }

    async def test_in_a_branch_conditions_are_not_asked_again(self, stage: Stage):
        def condition(name: str, holds: bool) -> Any:
            return lambda value: stage.effects.add(f"{name}?") and holds  # pyright: ignore[reportUnknownLambdaType]

        bodies = [(condition("a", True), asking(stage.effects, "a")), (condition("b", False), passing(id="b"))]
        workflow = create_workflow(id="flow").branch(bodies).commit()
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            result = await within(run.resume(resume_data="yes"))
        assert result.result == {"a": [1, "yes"]}
        assert stage.effects.counts() == {"a?": 1, "b?": 1, "a fresh": 1, "a resumed": 1}

    async def test_in_a_loop_each_iteration_asks(self, stage: Stage):
        async def add(value: int, ctx: StepContext) -> Any:
            stage.effects.add(ctx.idempotency_key.partition("/")[2])
            return await ctx.suspend({"so far": value}) if ctx.suspend_data is None else value + ctx.resume_data

        workflow = create_workflow(id="flow").dountil(create_step(id="add", execute=add), lambda total: total >= 10)
        workflow.commit()
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow, 0)
            for number, total in ((3, 3), (4, 7)):
                result = await within(run.resume(resume_data=number))
                assert (result.status, result.suspend_payload) == ("suspended", {"add": {"so far": total}})
            result = await within(run.resume(resume_data=5))
        assert result.result == 12
        assert result.steps["add"].metadata == {"iterationCount": 3}
        assert stage.effects.counts() == {"add#1": 2, "add#2": 2, "add#3": 2}

    async def test_in_a_nested_workflow_in_a_loop(self, stage: Stage):
        round = flow(asking(stage.effects), create_step(id="sum", execute=lambda pair: sum(pair)), id="round")
        workflow = create_workflow(id="flow").dowhile(round, lambda total: total < 5).commit()
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow, 0)
            assert (await within(run.resume(step="round.ask", resume_data=2))).suspended == [["round", "ask"]]
            result = await within(run.resume(resume_data=3))
        assert result.result == 5
        assert set(stage.effects.counts().values()) == {1}

    async def test_several_times_in_one_step(self, stage: Stage):
        async def gather(value: Any, ctx: StepContext) -> Any:
            answers = [*(ctx.suspend_data or {}).get("answers", []), *([ctx.resume_data] if ctx.resume_data else [])]
            return answers if len(answers) == 3 else await ctx.suspend({"answers": answers})

        workflow = flow(create_step(id="gather", execute=gather))
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            for answer in "ab":
                assert (await within(run.resume(resume_data=answer))).status == "suspended"
            assert (await within(run.resume(resume_data="c"))).result == ["a", "b", "c"]


class TestWhich:
    @pytest.mark.parametrize("given", ["text", "dotted", "list", "steps", "nested only", "nested object", "nothing"])
    async def test_the_ways_to_name_a_nested_step(self, stage: Stage, given: str):
        ask = asking()
        inner = flow(ask, id="inner")
        outer = flow(inner, id="outer")
        workflow = flow(outer)
        names: dict[str, Any] = {
            "text": ["outer", "inner", "ask"],
            "dotted": "outer.inner.ask",
            "list": ["outer", "inner"],
            "steps": [outer, inner, ask],
            "nested only": "outer",
            "nested object": outer,
            "nothing": None,
        }
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            assert (await within(run.resume(step=names[given], resume_data=2))).result == [1, 2]

    async def test_a_step_object(self, stage: Stage):
        a, b = asking(id="a"), asking(id="b")
        workflow = create_workflow(id="flow").parallel([a, b]).commit()
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            assert (await within(run.resume(step=b, resume_data=2))).steps["b"].output == [1, 2]

    async def test_of_several_in_nested_workflows_each_is_listed(self, stage: Stage):
        inner = create_workflow(id="inner").parallel([asking(id="a"), asking(id="b")]).commit()
        workflow = create_workflow(id="flow").parallel([inner, asking(id="c")]).commit()
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow)
            assert result.suspended == [["inner", "a"], ["inner", "b"], ["c"]]
            async with unchanged(stage.client, run.run_id):
                with pytest.raises(RunNotSuspendedError) as refused:
                    await within(run.resume(resume_data=1))
            assert str(refused.value) == (
                "Multiple suspended steps found: [inner, a], [inner, b], [c]. "
                'Please specify which step to resume using the "step" parameter.'
            )
            with pytest.raises(RunNotSuspendedError, match=r"found: \[inner, a\], \[inner, b\]\. Please"):
                await within(run.resume(step="inner", resume_data=1))
            for step in ("inner.b", "c", "inner"):
                result = await within(run.resume(step=step, resume_data=step))
        assert result.result == {
            "inner": {"a": [1, "inner"], "b": [1, "inner.b"]},
            "c": [1, "c"],
        }

    async def test_a_label(self, stage: Stage):
        bodies = [asking(id="a", label="first"), flow(asking(id="b", label=["second", "other"]), id="inner")]
        workflow = create_workflow(id="flow").parallel(bodies).commit()
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow, output_options={"include_resume_labels": True})
            assert result.resume_labels == {
                "first": {"stepId": "a"},
                "second": {"stepId": "inner"},
                "other": {"stepId": "inner"},
            }
            result = await within(run.resume(label="other", resume_data=2))
            assert result.suspended == [["a"]]
            result = await within(run.resume(label="first", resume_data=3))
        assert result.result == {"a": [1, 3], "inner": [1, 2]}


class TestData:
    @pytest.mark.parametrize("data", [0, "", False, [], {}, None])
    async def test_falsy_data_reach_the_step(self, stage: Stage, data: Any):
        workflow = flow(asking())
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            result = await within(run.resume(resume_data=data))
        assert result.result == [1, data]
        assert (result.steps["ask"].resumed_at is None) == (data is None)

    @pytest.mark.parametrize("payload", ["text", 5, ["a", "list"], None])
    @pytest.mark.parametrize("depth", [0, 1])
    async def test_a_suspend_payload_of_any_kind_comes_back(self, stage: Stage, payload: Any, depth: int):
        async def ask(value: Any, ctx: StepContext) -> Any:
            return [ctx.suspend_data, ctx.resume_data] if ctx.resume_data else await ctx.suspend(payload)

        step = create_step(id="ask", execute=ask)
        workflow = flow(nested(step) if depth else step)
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            assert (await within(run.resume(resume_data="yes"))).result == [payload, "yes"]

    @pytest.mark.parametrize("label", [5, ["good", 5], {"a": 1}])
    async def test_a_label_that_is_not_text_fails_the_step(self, stage: Stage, label: Any):
        workflow = flow(asking(label=label))
        async with stage.worker(workflow):
            result = await within((await workflow.create_run()).start(input_data=1))
        assert result.status == "failed"
        assert result.error
        assert result.error["message"].startswith("Step `ask` of workflow `flow`: `resume_label` is text or a list")

    async def test_schemas_make_models_of_them(self, stage: Stage):
        class Question(BaseModel):
            about: str

        class Answer(BaseModel):
            yes: bool
            by: str = "nobody"

        async def ask(value: Any, ctx: StepContext) -> Any:
            if ctx.suspend_data is None:
                return await ctx.suspend(Question(about=value))
            assert isinstance(ctx.resume_data, Answer)
            return {"answer": ctx.resume_data, "question": ctx.suspend_data}

        workflow = flow(create_step(id="ask", execute=ask, suspend_schema=Question, resume_schema=Answer))
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow, "it")
            assert result.suspend_payload == {"ask": {"about": "it"}}
            result = await within(run.resume(resume_data=Answer(yes=True)))
        assert result.result == {"answer": {"yes": True, "by": "nobody"}, "question": {"about": "it"}}

    async def test_a_suspend_payload_must_fit_its_schema(self, stage: Stage):
        class Question(BaseModel):
            about: str

        workflow = flow(asking(suspend_schema=Question))
        async with stage.worker(workflow):
            result = await within((await workflow.create_run()).start(input_data=1))
        assert result.status == "failed"
        assert result.error
        assert result.error["message"].startswith("Step suspend data validation failed: \n- about: ")

    async def test_the_request_context_is_merged_and_the_caller_wins(self, stage: Stage):
        async def ask(value: Any, ctx: StepContext) -> Any:
            if ctx.suspend_data is None:
                ctx.request_context["set"] = "by the step"
                return await ctx.suspend({})
            return ctx.request_context.to_json()

        workflow = flow(create_step(id="ask", execute=ask))
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow, request_context={"kept": 1, "changed": 1})
            result = await within(run.resume(request_context={"changed": 2, "new": 3}))
        assert result.result == {"kept": 1, "changed": 2, "new": 3, "set": "by the step"}

    async def test_state_set_before_the_suspension_is_kept(self, stage: Stage):
        async def ask(value: Any, ctx: StepContext) -> Any:
            if ctx.suspend_data is None:
                ctx.set_state({"asked": True})
                return await ctx.suspend({})
            return ctx.state

        workflow = flow(flow(create_step(id="ask", execute=ask), id="inner"))
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            assert (await within(run.resume())).result == {"asked": True}


class TestHow:
    async def test_async_and_by_another_client(self, stage: Stage):
        workflow = flow(asking())
        async with stage.worker(workflow) as mastra:
            run, _ = await suspended_run(workflow)
            other: Run[Any] = await mastra.get_workflow("flow").create_run(run_id=run.run_id)
            assert other.status == "suspended"
            assert await within(other.resume_async(resume_data=2)) == run.run_id
            assert (await within(run.start(input_data=1))).result == [1, 2]

    async def test_per_step_pauses_after_the_entry_that_was_resumed(self, stage: Stage):
        workflow = flow(asking(), passing(stage.effects))
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow)
            result = await within(run.resume(resume_data=2, per_step=True))
        assert result.status == "paused"
        assert result.steps["ask"].output == [1, 2]
        assert "after" not in result.steps
        assert not stage.effects.counts()

    async def test_options_of_the_result(self, stage: Stage):
        workflow = flow(asking(label="first"), asking(id="again", label="second"))
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow, initial_state={"a": 1})
            assert (result.state, result.resume_labels) == (None, None)
            options = {"include_state": True, "include_resume_labels": True}
            result = await within(run.resume(resume_data=2, output_options=options))
        assert (result.state, result.resume_labels) == ({"a": 1}, {"second": {"stepId": "again"}})
