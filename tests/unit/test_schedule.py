"""Schedules are checked where they are declared, and cron means what it means in Mastra."""

import re
from typing import Any

import pytest

from mastra_temporal import DefinitionError, ScheduleConfig, clone_workflow, create_workflow, step
from mastra_temporal._definition.cron import temporal_crons


@step
async def count(number: int) -> int: ...


def declare(schedule: Any) -> Any:
    return create_workflow(id="a", input_schema=int, schedule=schedule)


@pytest.mark.parametrize(
    ("mastra", "temporal"),
    [
        ("0 9 * * *", ["0 0 9 * * * *"]),
        ("*/5 * * * * *", ["*/5 * * * * * *"]),
        ("0 0 9 * * MON-FRI 2027", ["0 0 9 * * MON-FRI 2027"]),
        ("1,2-5,10/7 0-12/3 * jan,JUL *", ["0 1,2-5,10/7 0-12/3 * jan,JUL * *"]),
        ("@daily", ["0 0 0 * * * *"]),
        # Cron means "on the 13th and on Fridays", Temporal would mean "on Fridays the 13th".
        ("0 9 13 * 5", ["0 0 9 13 * * *", "0 0 9 * * 5 *"]),
    ],
)
def test_cron_expressions(mastra: str, temporal: list[str]):
    assert temporal_crons(mastra) == temporal


@pytest.mark.parametrize(
    ("cron", "problem"),
    [
        ("", "it has 0 fields, not 5 to 7"),
        ("* * * *", "it has 4 fields, not 5 to 7"),
        ("61 * * * *", "minute `61` is not within 0-59"),
        ("* 24 * * *", "hour `24` is not within 0-23"),
        ("* * 0 * *", "day of month `0` is not within 1-31"),
        ("* * * FOO *", "month `FOO` is not within 1-12"),
        ("* * * * 8", "day of week `8` is not within 0-7"),
        ("-1 * * * *", "minute `` is not within 0-59"),
        ("*/0 * * * *", "minute `*/0` needs a step from 1 up after the slash"),
        ("0 22-2 * * *", "hour `22-2` ends before it begins; write it as two ranges with a comma"),
        ("0 0 L * *", "day of month `L`: Temporal does not support L, W, # and ?"),
        ("0 0 * * 1#2", "day of week `1#2`: Temporal does not support L, W, # and ?"),
        ("@every 5s", "it has 2 fields, not 5 to 7"),
    ],
)
def test_bad_cron_expressions_are_refused_where_they_are_declared(cron: str, problem: str):
    with pytest.raises(DefinitionError, match=re.escape(f'Invalid cron expression "{cron}": {problem}.')):
        declare({"cron": cron, "input_data": 1})


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            {"cron": "@daily", "timezone": "Europe/Berln"},
            'timezone "Europe/Berln".*Did you mean `Europe/Berlin`',
        ),
        ({"cron": "@daily", "timezone": ""}, 'Invalid timezone "".*Use an IANA name'),
        ({"cron": "@daily", "timezone": "../etc"}, "Invalid timezone"),
        ({"cron": "@daily", "inputData": "one"}, "schedule: Invalid input data: \n- : Invalid input: expected number"),
        ({"cron": "@daily"}, "Invalid input data"),
        ({"cron": "@daily", "corn": 1}, "Unknown option `corn` in ScheduleConfig. Did you mean `cron`"),
        ({"inputData": 1}, "Option `cron` of ScheduleConfig: Field required"),
        (
            [{"cron": "@daily", "inputData": 1}],
            'Workflow "a" declares an array of schedules but one entry is missing the required `id` field.',
        ),
        (
            [{"id": "x", "cron": "@daily", "inputData": 1}, {"id": "x", "cron": "@hourly", "inputData": 1}],
            'Workflow "a" declares duplicate schedule id "x".',
        ),
    ],
)
def test_mistakes_in_a_declaration(schedule: Any, message: str):
    with pytest.raises(DefinitionError, match=message):
        declare(schedule)


def test_a_declaration_is_part_of_the_workflow_and_a_clone_has_none():
    workflow = declare({"cron": "@daily", "inputData": 1}).then(count).commit()
    assert workflow.schedules == (ScheduleConfig(cron="@daily", input_data=1),)
    assert clone_workflow(workflow, id="b").schedules == ()
