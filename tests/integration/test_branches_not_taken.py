"""A branch that was not taken is not in the output: in JavaScript its key is undefined, so defaults apply."""

from typing import Any

import pytest
from pydantic import BaseModel

from mastra_temporal import create_step, create_workflow, step
from tests.support import Stage, run


class Both(BaseModel):
    one: int = 0
    two: int = 0


@step
async def one(value: int) -> int:
    return value


@step
async def two(value: int) -> None:
    return None


def flow(*conditions: bool) -> Any:
    """Branches of which those are taken whose condition is true."""
    wanted = [lambda value, true=true: true for true in conditions]
    return create_workflow(id="flow").branch([(wanted[0], one), (wanted[1], two)])


@pytest.mark.parametrize(
    ("conditions", "output"),
    [((True, False), {"one": 5}), ((False, True), {"two": None}), ((True, True), {"one": 5, "two": None})],
)
async def test_whether_or_not_another_entry_follows(stage: Stage, conditions: Any, output: dict[str, Any]):
    last = flow(*conditions).commit()
    async with stage.worker(last):
        assert (await run(last, input_data=5)).result == output
    followed = flow(*conditions).then(create_step(id="see", execute=lambda value: value)).commit()
    async with stage.worker(followed):
        result = await run(followed, input_data=5)
    assert result.result == output
    assert result.steps.keys() == {*output, "see"}


async def test_no_branch_is_taken(stage: Stage):
    workflow = flow(False, False).map(lambda value: [value]).commit()
    async with stage.worker(workflow):
        assert (await run(workflow, input_data=5)).result == [{}]


async def test_defaults_of_the_next_schema_apply(stage: Stage):
    @step
    async def sum_up(both: Both) -> int:
        return both.one + both.two

    nested = create_workflow(id="nested", input_schema=Both).then(sum_up).commit()
    workflow = flow(True, False).then(nested).commit()
    async with stage.worker(workflow):
        assert (await run(workflow, input_data=5)).result == 5


async def test_paths_and_templates_find_nothing_there(stage: Stage):
    sources = {"text": {"template": "<${inputData.two}>"}, "two": {"step": ["two", "one"], "path": ""}}
    workflow = flow(True, False).map(sources).commit()
    async with stage.worker(workflow):
        assert (await run(workflow, input_data=5)).result == {"text": "<>", "two": 5}
