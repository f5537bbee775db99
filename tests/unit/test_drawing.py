"""Drawings of graphs: every kind of entry has its place, and no text ends a Mermaid label early."""

from typing import Any

from mastra_temporal import create_step, create_workflow
from mastra_temporal._definition.drawing import mermaid, text


def plus_one(value: Any) -> Any:
    return value


def step(id: str) -> Any:
    return create_step(id=id, execute=plus_one)


def small(value: Any) -> bool:
    return value < 5


EQUAL = {"op": "eq", "left": {"path": "initData.x"}, "right": {"literal": 'a"b'}}
WORKFLOW: Any = (
    create_workflow(id="all-kinds")
    .then(step("first"))
    .branch([(small, step("yes")), (EQUAL, step("no"))])
    .dountil(step("again"), small)
    .map({"x": {"value": 1}}, id="shape")
    .sleep(1000, id="nap")
    .parallel([step("left"), create_workflow(id="inner").then(step("deep")).commit()])
    .map({"list": {"value": [1]}}, id="list")
    .map(lambda found: found["list"], id="items")
    .foreach(step("item"), concurrency=2)
    .commit()
)


def test_text_has_every_entry_at_its_depth():
    lines = text(WORKFLOW.graph).splitlines()
    assert [len(line) - len(line.lstrip()) for line in lines] == [0, 2, 2, 4, 4, 2, 4, 2, 2, 2, 4, 4, 6, 2, 2, 2, 4]
    assert lines[4] == '    if initData.x = "a\\"b": no (step)'


def test_mermaid_joins_entries_and_loops_back():
    drawn = mermaid(WORKFLOW.graph)
    names = {
        line.split('["')[1].split('"]')[0]: line.split("[")[0].strip() for line in drawn.splitlines() if '["' in line
    }
    again, left, deep = names["again"], names["left"], names["deep"]
    then = next(line.split("[")[0].strip() for line in drawn.splitlines() if '[/"list"/]' in line)
    assert f'-->|"no"| {again}' in drawn
    assert f"{left} --> {then}" in drawn
    assert f"{deep} --> {then}" in drawn
    assert drawn.count("subgraph") == drawn.count("\n  end") + drawn.count("\n    end")


def test_a_quote_in_a_condition_is_escaped():
    labels = [line.split('|"')[1].split('"|')[0] for line in mermaid(WORKFLOW.graph).splitlines() if '|"' in line]
    assert any("#quot;" in label for label in labels)
    assert not any('"' in label for label in labels)
