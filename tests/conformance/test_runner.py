"""The parts of the runner that need no server: expressions, schemas, the case log."""

import pytest

from mastra_temporal._data.schema import Schema, SchemaError
from tests.conformance.case_log import CaseLog
from tests.conformance.expressions import Error, references, value_of
from tests.conformance.records import renamed
from tests.conformance.schema import schema_type

pytestmark = pytest.mark.any_cache

SCOPE = {"input": {"v": 2, "list": [1, [2, 3]], "s": "x"}, "n": 1, "steps": {"a": None}, "state": {}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"$": "input.v"}, 2),
        ({"$": "input.list.1.0"}, 2),
        ({"a": {"$": "input.missing"}, "b": 1}, {"b": 1}),
        ([{"$": "input.missing"}], [None]),
        ({"$lit": {"$": "input.v"}}, {"$": "input.v"}),
        ({"$if": [{"$": "state"}, "empty objects are true", "no"]}, "empty objects are true"),
        ({"$if": ["", 1, 2]}, 2),
        ({"$add": [1, {"$": "input.v"}, 3.5]}, 6.5),
        ({"$add": ["n=", {"$": "n"}]}, "n=1"),
        ({"$add": [{"$": "input.missing"}, 1]}, None),
        ({"$mod": [-7, 3]}, -1),
        ({"$eq": [[1, {"a": 1.0}], [1.0, {"a": 1}]]}, True),
        ({"$eq": [True, 1]}, False),
        ({"$eq": [{"$": "steps.a"}, None]}, True),
        ({"$eq": [{"$": "input.missing"}, None]}, False),
        ({"$gte": [{"$": "input.missing"}, 0]}, False),
        ({"$lt": ["a", "b"]}, True),
        ({"$and": [1, [], "x"]}, True),
        ({"$or": [0, None, ""]}, False),
        ({"$concat": ["a", None, 2.0, {"k": [1, "é"]}]}, 'a2{"k":[1,"é"]}'),
        ({"$append": [{"$": "input.missing"}, 1]}, [1]),
        ({"$merge": [{"a": 1}, {"a": 2, "b": 3}]}, {"a": 2, "b": 3}),
        ({"$default": [{"$": "input.missing"}, 0]}, 0),
        ({"$not": {"$isset": {"$": "steps.a"}}}, True),
        ({"$upper": {"$": "input.s"}}, "X"),
        ({"$len": {"$": "input"}}, 3),
        ({"$sum": [1, 2, 3]}, 6),
        ({"$flat": {"$": "input.list"}}, [1, 2, 3]),
        ({"$pluck": [[{"k": 1}, {}], "k"]}, [1, None]),
        ({"$keys": {"$": "input"}}, ["list", "s", "v"]),
        ({"$range": 3}, [0, 1, 2]),
    ],
)
def test_expressions(expression, value):
    assert value_of(expression, SCOPE) == value
    assert type(value_of(expression, SCOPE)) is type(value)


def test_throw():
    with pytest.raises(Error, match="bad 2"):
        value_of({"$throw": {"$concat": ["bad ", {"$": "input.v"}]}}, SCOPE)


def test_look_up_copies():
    scope = {"input": {"list": [1]}}
    value_of({"$": "input.list"}, scope).append(2)
    assert scope == {"input": {"list": [1]}}


def test_references():
    assert references({"a": [{"$": "steps.x.v"}, {"$if": [{"$": "init"}, 1, 2]}], "b": {"$lit": {"$": "n"}}}) == {
        ("steps", "x", "v"),
        ("init",),
    }


@pytest.mark.parametrize(
    ("schema", "given", "parsed"),
    [
        ("any", None, None),
        ("number", 1.5, 1.5),
        ("int", 2.0, 2.0),
        ({"object": {"v": "number"}}, {"v": 1, "more": 2}, {"v": 1}),
        ({"object": {}}, {"more": 2}, {}),
        ({"loose": {"v": "number"}}, {"v": 1, "more": 2}, {"v": 1, "more": 2}),
        ({"object": {"v": {"default": ["number", 5]}, "w?": "string", "x": "any"}}, {}, {"v": 5}),
        ({"default": [{"object": {"v": "number"}}, {"v": 1}]}, None, {"v": 1}),
        ({"array": {"nullable": "string"}}, ["a", None], ["a", None]),
        ({"record": "boolean"}, {"a": True}, {"a": True}),
        ({"union": ["number", {"object": {"k": "string"}}]}, {"k": "x", "l": 1}, {"k": "x"}),
        ({"min": [{"max": ["string", 3]}, 2]}, "abc", "abc"),
        ({"literal": 1}, 1, 1),
    ],
)
def test_schemas(schema, given, parsed):
    assert Schema(schema_type(schema)).validate(given) == parsed


@pytest.mark.parametrize(
    ("schema", "given", "paths"),
    [
        ("number", True, [()]),
        ("number", "1", [()]),
        ("int", 1.5, [()]),
        ("string", 1, [()]),
        ("null", 0, [()]),
        ({"literal": 1}, True, [()]),
        ({"enum": ["a", "b"]}, "c", [()]),
        ({"object": {"v": "number"}}, None, [()]),
        ({"object": {"v": "number"}}, {}, [("v",)]),
        ({"object": {"v": {"default": ["number", 5]}, "w?": "string"}}, {"v": None, "w": None}, [("v",), ("w",)]),
        ({"object": {"tags": {"array": "string"}}}, {"tags": ["a", 2, "c", 4]}, [("tags", 1), ("tags", 3)]),
        ({"strict": {"v": "number"}}, {"v": 1, "more": 2}, [()]),
        ({"object": {"u": {"union": ["number", "null"]}}}, {"u": "x"}, [("u",)]),
        ({"object": {"u": {"union": [{"object": {"a": "string"}}, {"object": {"b": "int"}}]}}}, {"u": {}}, [("u",)]),
        ({"object": {"u": {"union": [{"literal": "a"}, {"literal": "b"}]}}}, {"u": "c"}, [("u",)]),
        ({"object": {"v": {"min": ["number", 3]}}}, {"v": 2}, [("v",)]),
        ({"array": {"max": ["string", 1]}}, ["a", "bc"], [(1,)]),
    ],
)
def test_schema_violations(schema, given, paths):
    with pytest.raises(SchemaError) as caught:
        Schema(schema_type(schema)).validate(given)
    assert [tuple(issue["path"]) for issue in caught.value.issues] == paths


@pytest.mark.parametrize(
    ("schema", "given", "message"),
    [
        ({"object": {"v": "number"}}, {"v": "x"}, "Invalid input: expected number, received string"),
        ({"object": {"v": "number"}}, {}, "Invalid input: expected number, received undefined"),
        ({"object": {}}, None, "Invalid input: expected object, received undefined"),
        ("int", 1.5, "Invalid input: expected int, received number"),
        ({"enum": ["a", "b"]}, "c", 'Invalid option: expected one of "a"|"b"'),
        ({"min": ["number", 3]}, 2, "Too small: expected number to be >=3"),
        ({"max": ["string", 1]}, "ab", "Too big: expected string to have <=1 characters"),
        ({"strict": {}}, {"a": 1, "b": 2}, 'Unrecognized keys: "a", "b"'),
    ],
)
def test_schema_texts(schema, given, message):
    with pytest.raises(SchemaError) as caught:
        Schema(schema_type(schema)).validate(given)
    assert [issue["message"] for issue in caught.value.issues] == [message]


def test_case_log(tmp_path):
    log, other_process = CaseLog(tmp_path), CaseLog(tmp_path)
    log.add("calls", "main.a")
    start = log.size()
    other_process.add("notes", {"k": None})
    other_process.add("calls", "main.b")
    assert log.since(start) == {"notes": [{"k": None}], "calls": ["main.b"]}
    assert log.calls() == ["main.a", "main.b"]
    other_process.open_gate("g")
    assert log.gate_is_open("g")
    assert not log.gate_is_open("h")


def test_renamed():
    names = {"sleep_1": "<main/sleep#1>", "sleep_10": "<main/sleep#2>"}
    record = renamed({"steps": {"sleep_10": {}}, "stepExecutionPath": ["sleep_1"]}, names)
    assert record == {"steps": {"<main/sleep#2>": {}}, "stepExecutionPath": ["<main/sleep#1>"]}
