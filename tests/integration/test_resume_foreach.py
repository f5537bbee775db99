"""Suspending inside foreach: items are resumed together or one by one, and what has finished never runs again."""

from typing import Any

import pytest

from mastra_temporal import RunNotSuspendedError, StepContext, create_step, create_workflow
from tests.integration.suspending import asking, flow, passing, suspended_run, unchanged
from tests.support import Stage, within


def each(body: Any, concurrency: int = 1, **settings: Any) -> Any:
    return create_workflow(id="flow", **settings).foreach(body, concurrency=concurrency).commit()


def asked(result: Any) -> list[str]:
    """The states of the items of `ask`, as far as they were started."""
    items = result.steps["ask"].suspend_payload["__workflow_meta"]["foreachOutput"]
    return [item["status"] for item in items]


class TestSteps:
    async def test_one_at_a_time_each_item_asks_in_turn(self, stage: Stage):
        workflow = each(asking(stage.effects))
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow, ["a", "b", "c"])
            assert (result.suspended, result.suspend_payload) == ([["ask"]], {"ask": {"about": "a"}})
            assert stage.effects.counts() == {"ask[0] fresh": 1}
            for answer, about in ((1, "b"), (2, "c")):
                result = await within(run.resume(resume_data=answer))
                assert result.suspend_payload == {"ask": {"about": about}}
            result = await within(run.resume(resume_data=3))
        assert result.result == [["a", 1], ["b", 2], ["c", 3]]
        assert set(stage.effects.counts().values()) == {1}

    async def test_all_suspended_items_get_the_data(self, stage: Stage):
        workflow = each(asking(stage.effects), concurrency=2)
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow, ["a", "b", "c", "d", "e"])
            assert asked(result) == ["suspended"] * 2
            result = await within(run.resume(resume_data=1))
            assert asked(result) == ["success", "success", "suspended", "suspended"]
            result = await within(run.resume(step="ask", resume_data=2))
            result = await within(run.resume(resume_data=3))
        assert result.result == [["a", 1], ["b", 1], ["c", 2], ["d", 2], ["e", 3]]
        assert set(stage.effects.counts().values()) == {1}

    @pytest.mark.parametrize("how", ["index", "path", "step and index", "label"])
    async def test_one_item_is_meant(self, stage: Stage, how: str):
        workflow = each(asking(stage.effects, label=lambda value: f"about {value}"), concurrency=3)
        arguments: dict[str, Any] = {
            "index": {"for_each_index": 1},
            "path": {"step": "ask[1]"},
            "step and index": {"step": "ask", "for_each_index": 1},
            "label": {"label": "about b"},
        }
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow, ["a", "b", "c"], output_options={"include_resume_labels": True})
            assert result.resume_labels == {
                f"about {name}": {"stepId": "ask", "foreachIndex": index} for index, name in enumerate("abc")
            }
            result = await within(run.resume(**arguments[how], resume_data="for b"))
            assert asked(result) == ["suspended", "success", "suspended"]
            async with unchanged(stage.client, run.run_id):
                with pytest.raises(RunNotSuspendedError):
                    await within(run.resume(**arguments[how], resume_data="again"))
            result = await within(run.resume(resume_data="for the others"))
        assert result.result == [["a", "for the others"], ["b", "for b"], ["c", "for the others"]]
        assert set(stage.effects.counts().values()) == {1}

    async def test_some_items_suspend_and_others_do_not(self, stage: Stage):
        async def odd(value: int, ctx: StepContext) -> Any:
            stage.effects.add(str(value))
            if value % 2 and ctx.suspend_data is None:
                return await ctx.suspend({"odd": value})
            return [value, ctx.resume_data]

        workflow = each(create_step(id="ask", execute=odd), concurrency=2)
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow, [0, 1, 2, 3, 4])
            while result.status == "suspended":
                result = await within(run.resume(resume_data="yes"))
        assert result.result == [[0, None], [1, "yes"], [2, None], [3, "yes"], [4, None]]
        assert stage.effects.counts() == {"0": 1, "1": 2, "2": 1, "3": 2, "4": 1}

    async def test_an_index_that_is_not_suspended_is_refused(self, stage: Stage):
        workflow = each(asking(), concurrency=2)
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow, ["a", "b", "c"])
            async with unchanged(stage.client, run.run_id):
                for index in (2, 3, -1):
                    with pytest.raises(RunNotSuspendedError, match=rf"Item {index} .* suspended items: \[0, 1\]"):
                        await within(run.resume(for_each_index=index, resume_data=1))


class TestNested:
    async def test_each_item_is_resumed_by_itself(self, stage: Stage):
        item = flow(passing(stage.effects, "before"), asking(stage.effects), asking(stage.effects, "again"), id="item")
        workflow = each(item, concurrency=3)
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow, ["a", "b", "c"])
            assert result.suspended == [["item", "ask"]]
            for index, answer in ((2, "2"), (0, "0")):
                result = await within(run.resume(step="item", for_each_index=index, resume_data=answer))
                assert result.status == "suspended"
            await within(run.resume(step="item[2].again", resume_data="2 again"))
            await within(run.resume(step=["item[1]", "ask"], resume_data="1"))
            result = await within(run.resume(resume_data="both"))
        assert result.result == [[["a", "0"], "both"], [["b", "1"], "both"], [["c", "2"], "2 again"]]
        assert set(stage.effects.counts().values()) == {1}

    async def test_items_that_had_not_started_follow(self, stage: Stage):
        workflow = each(flow(asking(stage.effects), passing(stage.effects), id="item"), concurrency=1)
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow, ["a", "b"])
            assert stage.effects.counts() == {"item[0].ask fresh": 1}
            assert (await within(run.resume(resume_data=1))).status == "suspended"
            result = await within(run.resume(step="item.ask", resume_data=2))
        assert result.result == [["a", 1], ["b", 2]]

    async def test_a_foreach_in_a_foreach(self, stage: Stage):
        inner = create_workflow(id="inner").foreach(asking(stage.effects), concurrency=2).commit()
        workflow = each(inner, concurrency=2)
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow, [["a", "b"], ["c", "d"]])
            result = await within(run.resume(step="inner[1].ask[0]", resume_data="c"))
            assert result.status == "suspended"
            result = await within(run.resume(step="inner[0].ask", for_each_index=1, resume_data="b"))
            assert result.status == "suspended"
            result = await within(run.resume(step="inner", for_each_index=1, resume_data="d"))
            assert result.status == "suspended"
            result = await within(run.resume(resume_data="a"))
        assert result.result == [[["a", "a"], ["b", "b"]], [["c", "c"], ["d", "d"]]]
        assert set(stage.effects.counts().values()) == {1}

    async def test_labels_of_items_lead_into_them(self, stage: Stage):
        item = flow(asking(stage.effects, label=lambda value: value), id="item")
        workflow = each(item, concurrency=3)
        async with stage.worker(workflow):
            run, result = await suspended_run(workflow, ["a", "b", "c"], output_options={"include_resume_labels": True})
            assert result.resume_labels == {
                name: {"stepId": "item", "foreachIndex": index} for index, name in enumerate("abc")
            }
            for name in "ca":
                await within(run.resume(label=name, resume_data=name))
            result = await within(run.resume(label="b", resume_data="b"))
        assert result.result == [["a", "a"], ["b", "b"], ["c", "c"]]

    async def test_several_steps_of_one_item_are_listed(self, stage: Stage):
        item = create_workflow(id="item").parallel([asking(id="a"), asking(id="b")]).commit()
        workflow = each(item, concurrency=2)
        async with stage.worker(workflow):
            run, _ = await suspended_run(workflow, [1, 2])
            async with unchanged(stage.client, run.run_id):
                for step in (None, "item", "item[1]"):
                    with pytest.raises(RunNotSuspendedError, match=r"found: \[item, a\], \[item, b\]\. Please"):
                        await within(run.resume(step=step, resume_data=0))
            await within(run.resume(step="item.a", resume_data="a"))
            result = await within(run.resume(step="item.b", resume_data="b"))
        assert result.result == [{"a": [1, "a"], "b": [1, "b"]}, {"a": [2, "a"], "b": [2, "b"]}]
