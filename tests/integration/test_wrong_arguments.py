"""Every argument of a call may be any value: a wrong one is refused by name, at once, and changes nothing."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mastra_temporal import MastraError, Run, Workflow
from tests.integration.suspending import asking, flow, passing, suspended_run
from tests.support import Stage, within

HUGE = 10**5000
"""A number that ``repr`` and JSON refuse."""
HALF = "half \ud83d"
"""Text that UTF-8 cannot write."""

CALLS: dict[str, tuple[Callable[[Run[Any, Any], Any], Awaitable[Any]], list[Any]]] = {
    "resume(step)": (lambda run, bad: run.resume(step=bad), [5, HUGE, HALF, [HUGE]]),
    "resume(label)": (lambda run, bad: run.resume(label=bad), [5, HUGE, HALF, ["a"]]),
    "resume(for_each_index)": (lambda run, bad: run.resume(for_each_index=bad), ["5", HUGE, -1, 1.5]),
    "resume(resume_data)": (lambda run, bad: run.resume(resume_data=bad), [HUGE, HALF, object(), float("nan")]),
    "resume(per_step)": (lambda run, bad: run.resume(step="none", per_step=bad), [5, HUGE, HALF, "yes"]),
    "resume(request_context)": (lambda run, bad: run.resume(request_context=bad), [5, HUGE, HALF, ["a"]]),
    "restart(request_context)": (lambda run, bad: run.restart(request_context=bad), [5, HUGE, HALF, ["a"]]),
    "time_travel(step)": (lambda run, bad: run.time_travel(step=bad), [5, HUGE, HALF, None, [""]]),
    "time_travel(per_step)": (lambda run, bad: run.time_travel(step="after", per_step=bad), [5, HUGE, HALF]),
    "time_travel(context)": (lambda run, bad: run.time_travel(step="after", context=bad), [5, HUGE, HALF, {"a": 5}]),
    "time_travel(context of a step)": (
        lambda run, bad: run.time_travel(step="after", context={"ask": {"status": bad}}),
        [5, HUGE, HALF, "happy"],
    ),
    "time_travel(nested_steps_context)": (
        lambda run, bad: run.time_travel(step="after", nested_steps_context=bad),
        [5, HUGE, HALF, {"a": 5}, {"a": {"b": 5}}],
    ),
    "time_travel(initial_state)": (lambda run, bad: run.time_travel(step="after", initial_state=bad), [5, HUGE, HALF]),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_call_for_a_suspended_run(stage: Stage, call: str):
    workflow = flow(asking(), passing())
    async with stage.worker(workflow):
        run, _ = await suspended_run(workflow, 1)
        act, wrong = CALLS[call]
        for bad in wrong:
            with pytest.raises(MastraError):
                await within(act(run, bad))
        record = await within(workflow.get_workflow_run_by_id(run.run_id))
        assert record is not None
        assert record.status == "suspended"


READS: dict[str, tuple[Callable[[Workflow[Any, Any, Any], Any], Awaitable[Any]], list[Any]]] = {
    "status": (lambda workflow, bad: workflow.list_workflow_runs(status=bad), [5, HUGE, HALF, ["happy"]]),
    "page": (lambda workflow, bad: workflow.list_workflow_runs(page=bad, per_page=1), ["5", -1, object()]),
    "from_date": (lambda workflow, bad: workflow.list_workflow_runs(from_date=bad), ["2030-01-01", HUGE, 5]),
    "to_date": (lambda workflow, bad: workflow.list_workflow_runs(to_date=bad), ["2030-01-01", HUGE, 5]),
    "fields": (lambda workflow, bad: workflow.get_workflow_run_by_id("a", fields=bad), ["status", 5, [5], [HUGE]]),
    "run id": (lambda workflow, bad: workflow.get_workflow_run_by_id(bad), [5, HUGE, None]),
    "deleted id": (lambda workflow, bad: workflow.delete_workflow_run_by_id(bad), [5, HUGE, None, []]),
    "initial_state": (lambda workflow, bad: _started(workflow, initial_state=bad), [5, HUGE, HALF, ["a"]]),
    "per_step": (lambda workflow, bad: _started(workflow, per_step=bad), [5, HUGE, HALF, "yes"]),
}


async def _started(workflow: Workflow[Any, Any, Any], **options: Any) -> Any:
    return await (await workflow.create_run()).start(input_data=1, **options)


@pytest.mark.parametrize("read", READS)
async def test_a_call_of_a_workflow(stage: Stage, read: str):
    workflow = flow(asking(), passing())
    async with stage.worker(workflow):
        act, wrong = READS[read]
        for bad in wrong:
            with pytest.raises(MastraError):
                await within(act(workflow, bad))


async def test_a_text_that_cannot_be_an_id_names_no_run(stage: Stage):
    workflow = flow(asking(), passing())
    async with stage.worker(workflow):
        for run_id in ("", HALF, "nul \0", "x" * 2000):
            assert await within(workflow.get_workflow_run_by_id(run_id)) is None
            await within(workflow.delete_workflow_run_by_id(run_id))
