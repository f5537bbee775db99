"""The further arguments of a run's calls: a misspelled one is an error, as with any Python function."""

from typing import Any

import pytest

from mastra_temporal import DefinitionError, Mastra, MastraPlugin, clone_step, clone_workflow, create_workflow, step


@step
async def nothing(value: Any) -> Any:
    return value


FLOW = create_workflow(id="flow").then(nothing).commit()


@pytest.mark.parametrize(
    ("function", "arguments", "given", "meant"),
    [
        (Mastra, (), "workflow", "workflows"),
        (Mastra, (), "taskqueue", "task_queue"),
        (MastraPlugin, (Mastra(workflows=[FLOW]),), "tracin", "tracing"),
        (clone_step, (nothing,), "idd", "id"),
        (clone_workflow, (FLOW,), "idd", "id"),
        (FLOW.create_run, (), "runid", "run_id"),
        (create_workflow(id="new").foreach, (nothing,), "concurency", "concurrency"),
    ],
)
def test_a_misspelled_argument_of_a_definition(function: Any, arguments: Any, given: str, meant: str):
    with pytest.raises(DefinitionError, match=f"has no argument `{given}`. Did you mean `{meant}`"):
        function(*arguments, **{given: "a"})


@pytest.mark.parametrize(
    ("call", "given", "message"),
    [
        ("start", "input_dta", "start() has no argument `input_dta`. Did you mean `input_data`?"),
        ("start", "perstep", "start() has no argument `perstep`. Did you mean `per_step`?"),
        ("start_async", "initial_stat", "start_async() has no argument `initial_stat`. Did you mean `initial_state`?"),
        ("stream", "tracing_option", "stream() has no argument `tracing_option`. Did you mean `tracing_options`?"),
        ("resume", "resume_dat", "resume() has no argument `resume_dat`. Did you mean `resume_data`?"),
        ("resume_async", "lable", "resume_async() has no argument `lable`. Did you mean `label`?"),
        (
            "resume_stream",
            "foreach_index",
            "resume_stream() has no argument `foreach_index`. Did you mean `for_each_index`?",
        ),
    ],
)
async def test_a_misspelled_argument_is_refused_and_the_right_one_named(call: str, given: str, message: str):
    workflow = create_workflow(id="flow").then(nothing).commit()
    assert Mastra(workflows=[workflow]).list_workflows() == {"flow": workflow}
    run: Any = await workflow.create_run()

    async def made() -> None:
        answer = getattr(run, call)(**{given: 1})
        if call not in ("stream", "resume_stream"):
            await answer

    with pytest.raises(TypeError) as refused:
        await made()
    assert str(refused.value) == message


async def test_so_is_one_of_a_list_of_runs():
    workflow = create_workflow(id="flow").then(nothing).commit()
    assert Mastra(workflows=[workflow]).list_workflows() == {"flow": workflow}
    listing: Any = workflow.list_workflow_runs
    with pytest.raises(TypeError, match="resource"):
        await listing(resource="x")


@pytest.mark.parametrize(("given", "meant"), [("inputSchema", "input_schema"), ("state_shema", "state_schema")])
def test_so_is_one_of_create_workflow(given: str, meant: str):
    made: Any = create_workflow
    with pytest.raises(DefinitionError, match=f"workflow `flow`: .* has no argument `{given}`. Did you mean `{meant}`"):
        made(id="flow", **{given: int})
