from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from mastra_temporal._data.path import MISSING
from mastra_temporal._definition.predicate import check_predicate, evaluate_predicate
from mastra_temporal.errors import DefinitionError


@dataclass
class Data:
    init_data: Any = None
    input_data: Any = None
    state: Any = None
    request_context: Mapping[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def step_output(self, step_id: str) -> Any:
        return self.outputs.get(step_id, MISSING)


DATA = Data(
    init_data={"city": "Oslo"},
    input_data={
        "n": 5,
        "whole": 5.0,
        "zero": 0,
        "nan": float("nan"),
        "text": "b",
        "empty": "",
        "yes": True,
        "nothing": None,
        "list": [1, {"a": 2}],
        "same": [1.0, {"a": 2}],
        "object": {},
    },
    state={"phase": "draft"},
    outputs={"a": {"x": [10, 20]}, "none": None, "scalar": 7},
)


def path(text: str) -> dict[str, Any]:
    return {
        "path": text if text.startswith(("initData", "inputData", "state", "stepResults", "$")) else f"inputData.{text}"
    }


def compare(op: str, left: str, right: Any) -> bool:
    right = path(right[1:]) if isinstance(right, str) and right.startswith("@") else {"literal": right}
    predicate = {"op": op, "left": path(left), "right": right}
    check_predicate(predicate)
    return evaluate_predicate(predicate, DATA)


def holds(**predicate: Any) -> bool:
    check_predicate(predicate)
    return evaluate_predicate(predicate, DATA)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("n", 5, True),
        ("n", 5.0, True),
        ("n", "5", False),
        ("yes", True, True),
        ("yes", 1, False),
        ("zero", False, False),
        ("nothing", None, True),
        ("nothing", False, False),
        ("nan", "@nan", False),
        ("list", "@same", True),
        ("list", "@object", False),
        ("list", "@a", False),
    ],
)
def test_equality_is_strict_and_compares_contents(left: str, right: Any, equal: bool) -> None:
    assert compare("eq", left, right) is equal
    missing = right == "@a"
    assert compare("ne", left, right) is (not equal and not missing)


@pytest.mark.parametrize(
    ("op", "left", "right", "result"),
    [
        ("gt", "n", 4, True),
        ("gt", "n", 5, False),
        ("gte", "whole", 5, True),
        ("lt", "n", 5.5, True),
        ("lte", "n", 5, True),
        ("lt", "text", "c", True),
        ("gt", "text", 1, False),
        ("gte", "yes", 0, False),
        ("lte", "nothing", 1, False),
        ("gte", "list", "@list", False),
        ("gte", "nan", 1, False),
    ],
)
def test_only_numbers_and_texts_have_an_order(op: str, left: str, right: Any, result: bool) -> None:
    assert compare(op, left, right) is result


@pytest.mark.parametrize("op", ["eq", "ne", "lt", "lte", "gt", "gte"])
def test_every_comparison_with_missing_data_is_false(op: str) -> None:
    assert not compare(op, "missing.deep", None)
    assert not compare(op, "n", "@missing")


def test_roots() -> None:
    assert compare("eq", "initData.city", "Oslo")
    assert compare("eq", "state.phase", "draft")
    assert compare("eq", "stepResults.a.x.1", 20)
    assert compare("eq", "stepResults.scalar", 7)
    assert compare("eq", "list.length", 2)
    assert compare("eq", "${inputData.n}", 5)


def test_existence_tells_none_from_missing() -> None:
    for exists in ("inputData.nothing", "inputData", "stepResults.a", "inputData.list.0"):
        assert holds(op="exists", path=exists)
        assert not holds(op="notExists", path=exists)
    for missing in ("inputData.gone", "inputData.n.deep", "stepResults.never", "stepResults.none", "inputData.list.9"):
        assert not holds(op="exists", path=missing)
        assert holds(op="notExists", path=missing)


@pytest.mark.parametrize(
    ("name", "truthy"),
    [
        ("n", True),
        ("zero", False),
        ("nan", False),
        ("empty", False),
        ("text", True),
        ("nothing", False),
        ("list", True),
        ("object", True),
        ("gone", False),
    ],
)
def test_truthiness_is_javascripts(name: str, truthy: bool) -> None:
    assert holds(op="truthy", value=path(name)) is truthy
    assert holds(op="falsy", value=path(name)) is not truthy


def test_membership() -> None:
    assert holds(op="in", value=path("n"), set=[1, 5])
    assert not holds(op="in", value=path("yes"), set=[1])
    assert holds(op="notIn", value=path("text"), set=["a", None])
    assert not holds(op="in", value=path("gone"), set=[None])
    assert holds(op="notIn", value=path("gone"), set=[None])


def test_composition() -> None:
    yes = {"op": "truthy", "value": {"literal": True}}
    no = {"op": "not", "arg": yes}
    assert holds(op="and", args=[yes, {"op": "or", "args": [no, yes]}])
    assert not holds(op="and", args=[yes, no])
    assert not holds(op="or", args=[no, no])


OPERATORS = "eq, ne, lt, lte, gt, gte, in, notIn, exists, notExists, truthy, falsy, and, or, not"
N = {"path": "inputData.n"}


@pytest.mark.parametrize(
    ("predicate", "message"),
    [
        ({"op": "gtt"}, f"predicate has the unknown op 'gtt'. Did you mean \"gt\"? Use one of: {OPERATORS}."),
        ({"op": "not_in"}, f"predicate has the unknown op 'not_in'. Did you mean \"notIn\"? Use one of: {OPERATORS}."),
        ({"op": []}, f"predicate has the unknown op []. Use one of: {OPERATORS}."),
        ({}, f'predicate has no "op". Use one of: {OPERATORS}.'),
        (
            {"op": "eq", "left": N, "rigth": N},
            'predicate has the unknown key \'rigth\'. Did you mean "right"? "eq" takes: left, right.',
        ),
        ({"op": "eq", "left": N}, 'predicate lacks "right". "eq" takes: left, right.'),
        (
            {"op": "eq", "left": 5, "right": N},
            'predicate.left must be {"path": "..."} or {"literal": ...}, not 5.',
        ),
        (
            {"op": "truthy", "value": {"literal": []}},
            "predicate.value.literal must be text, a number, a boolean or None, not [].",
        ),
        (
            {"op": "exists", "path": "input_data.n"},
            'predicate.path "input_data.n" starts at the unknown root "input_data". Did you mean "inputData"?'
            " Use one of: initData, inputData, state, stepResults.",
        ),
        (
            {"op": "exists", "path": "stepResults"},
            'predicate.path "stepResults" names no step. Use stepResults.<stepId>.<path>.',
        ),
        ({"op": "exists", "path": 1}, 'predicate.path must be text such as "inputData.total", not 1.'),
        ({"op": "and", "args": []}, "predicate.args must be a list with at least one item, not []."),
        ({"op": "in", "value": N, "set": "ab"}, "predicate.set must be a list with at least one item, not 'ab'."),
        (
            {"op": "in", "value": N, "set": [1, {}]},
            "predicate.set[1] must be text, a number, a boolean or None, not {}.",
        ),
    ],
)
def test_a_malformed_predicate_is_refused_by_name(predicate: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        check_predicate(predicate)
    assert str(caught.value) == message


def test_the_place_of_a_nested_mistake_is_named() -> None:
    with pytest.raises(DefinitionError, match=r"^condition of 'a'\.args\[1\]\.arg must be a dict such as"):
        check_predicate(
            {"op": "or", "args": [{"op": "truthy", "value": N}, {"op": "not", "arg": 1}]}, "condition of 'a'"
        )
