from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, RootModel, Tag
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from mastra_temporal._data.schema import Schema, SchemaError


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Only(Enum):
    ONE = 1


class Cat(BaseModel):
    kind: Literal["cat"]
    size: int


class Dog(BaseModel):
    kind: Literal["dog"]
    size: str


class Names(RootModel[list[str]]): ...


class Node(BaseModel):
    name: str
    children: "list[Node]" = []


class Box(TypedDict):
    size: int


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def messages(annotation: Any, value: Any) -> list[str]:
    with pytest.raises(SchemaError) as caught:
        Schema(annotation).validate(value)
    return [issue["message"] for issue in caught.value.issues]


def missing(annotation: Any) -> str:
    """The message for a key that is not there, in a model that has to be looked up by reference."""

    class Inner(BaseModel):
        field: annotation = Field(alias="theField")  # pyright: ignore[reportInvalidTypeForm]

    class Outer(BaseModel):
        inner: list[Inner | None]

    [message] = messages(Outer, {"inner": [None, {}]})
    return message


@pytest.mark.parametrize(
    ("annotation", "value", "expected", "received"),
    [
        (str, 5, "string", "number"),
        (str, None, "string", "null"),
        (str, True, "string", "boolean"),
        (str, [], "string", "array"),
        (str, {}, "string", "object"),
        (int, "x", "number", "string"),
        (int, None, "number", "null"),
        (int, 1.5, "int", "number"),
        (Annotated[int, Field(strict=True)], 1.5, "int", "number"),
        (Annotated[int, Field(strict=True)], "1", "number", "string"),
        (float, "x", "number", "string"),
        (float, {}, "number", "object"),
        (bool, "x", "boolean", "string"),
        (bool, 5, "boolean", "number"),
        (None, 5, "null", "number"),
        (list[int], "x", "array", "string"),
        (set[int], {}, "array", "object"),
        (tuple[int, ...], 5, "array", "number"),
        (Names, "x", "array", "string"),
        (Cat, [], "object", "array"),
        (Pet, 5, "object", "number"),
        (Box, 5, "object", "number"),
        (dict[str, int], 5, "record", "number"),
        (int | None, "x", "number", "string"),
        (int | float, "x", "number", "string"),
        (int | float | None, [], "number", "array"),
        (Cat | Dog, 5, "object", "number"),
    ],
)
def test_a_wrong_type(annotation: Any, value: Any, expected: str, received: str) -> None:
    assert messages(annotation, value) == [f"Invalid input: expected {expected}, received {received}"]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, "string"),
        (int, "number"),
        (float, "number"),
        (bool, "boolean"),
        (None, "null"),
        (datetime, "string"),
        (list[int], "array"),
        (Names, "array"),
        (Cat, "object"),
        (Box, "object"),
        (dict[str, int], "record"),
        (int | None, "number"),
        (int | float, "number"),
    ],
)
def test_a_missing_key(annotation: Any, expected: str) -> None:
    assert missing(annotation) == f"Invalid input: expected {expected}, received undefined"


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Colour, 'Invalid option: expected one of "red"|"blue"'),
        (Colour | None, 'Invalid option: expected one of "red"|"blue"'),
        (Literal["a", 1, True], 'Invalid option: expected one of "a"|1|true'),
        (Literal["é'\""], 'Invalid input: expected "é\'\\""'),
        (Only, "Invalid input: expected 1"),
    ],
)
def test_values_to_choose_from(annotation: Any, message: str) -> None:
    assert messages(annotation, 5) == [message]
    assert messages(dict[str, list[annotation]], {"a": [5]}) == [message]
    assert messages(tuple[int, annotation], [1, 5]) == [message]
    assert missing(annotation) == message


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (Annotated[int, Field(ge=3)], 2, "Too small: expected number to be >=3"),
        (Annotated[float, Field(ge=3)], 2, "Too small: expected number to be >=3"),
        (Annotated[float, Field(gt=0.5)], 0, "Too small: expected number to be >0.5"),
        (Annotated[Decimal, Field(le=3)], "4", "Too big: expected number to be <=3"),
        (Annotated[int, Field(lt=3)], 3, "Too big: expected number to be <3"),
        (Annotated[str, Field(min_length=1)], "", "Too small: expected string to have >=1 characters"),
        (Annotated[str, Field(max_length=2)], "abc", "Too big: expected string to have <=2 characters"),
        (Annotated[list[int], Field(min_length=1)], [], "Too small: expected array to have >=1 items"),
        (Annotated[set[int], Field(max_length=1)], [1, 2], "Too big: expected array to have <=1 items"),
        (tuple[int, int], [1, 2, 3], "Too big: expected array to have <=2 items"),
    ],
)
def test_limits(annotation: Any, value: Any, message: str) -> None:
    assert messages(annotation, value) == [message]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int | str, []),
        (list[int] | list[str], [[]]),
        (Literal["a"] | int, "b"),
        (Pet, {"kind": "cow"}),
        (Pet, {}),
    ],
)
def test_a_union(annotation: Any, value: Any) -> None:
    assert messages(annotation, value) == ["Invalid input"]


def test_a_missing_key_of_a_union() -> None:
    assert missing(int | str) == "Invalid input"
    assert missing(int | str | None) == "Invalid input"


def test_a_tagged_union_is_looked_up_by_its_tag() -> None:
    expected = [
        "Invalid input: expected number, received undefined",
        "Invalid input: expected string, received undefined",
    ]
    assert messages(list[Pet | None], [{"kind": "cat"}, None, {"kind": "dog"}]) == expected


def test_a_recursive_model() -> None:
    value = {"name": "a", "children": [{"name": "b", "children": [{}]}]}
    assert messages(Node, value) == ["Invalid input: expected string, received undefined"]


def test_a_key_of_a_record() -> None:
    assert messages(dict[int, str], {"x": "y"}) == ["Invalid key in record"]


def test_pydantic_words_the_rest() -> None:
    assert messages(datetime, "x") == ["Input should be a valid datetime or date, input is too short"]
    assert messages(Annotated[datetime, Field(ge=datetime(2024, 1, 1))], "2023-01-01T00:00:00") == [  # noqa: DTZ001
        "Input should be greater than or equal to 2024-01-01T00:00:00"
    ]
    assert missing(Any) == "Field required"


def test_an_error_of_the_users_own_keeps_its_text() -> None:
    def check(value: Any) -> Any:
        raise PydanticCustomError(value, "the user's text")  # pyright: ignore[reportArgumentType]

    for kind in ("missing", "less_than", "too_short", "mine"):
        assert messages(Annotated[Any, BeforeValidator(check)], kind) == ["the user's text"]


def test_types_that_json_schema_cannot_express() -> None:
    class Opaque: ...

    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        opaque: Opaque = Opaque()
        call: Callable[[], int] = int
        untagged: (
            Annotated[Annotated[Cat, Tag("c")] | Annotated[Dog, Tag("d")], Discriminator(lambda _: "c")] | None
        ) = None
        name: str

    assert messages(Odd, {}) == ["Invalid input: expected string, received undefined"]
    assert messages(Odd, {"name": "x", "untagged": {"kind": "cat"}}) == ["Field required"]
