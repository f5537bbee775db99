"""The one gate for data: what passes is read again as it was; what does not is refused with the path to it."""

import math
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    Base64Bytes,
    Base64Str,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PrivateAttr,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    SerializerFunctionWrapHandler,
    computed_field,
    field_serializer,
    model_serializer,
)  # fmt: skip
from typing_extensions import TypedDict

from mastra_temporal._data.gate import MAX_DEPTH, is_too_deep, to_json
from mastra_temporal._data.schema import Schema
from mastra_temporal._definition.validation import require_same_types
from mastra_temporal.errors import DefinitionError, SerializationError

T = TypeVar("T")


class OnlyWritten(BaseModel):
    total: int = Field(serialization_alias="totalAmount")


class Different(BaseModel):
    total: int = Field(validation_alias="in", serialization_alias="out")


class Camel(BaseModel):
    order_id: int = Field(alias="orderId")


class Choices(BaseModel):
    user: str = Field(validation_alias=AliasChoices("userName", AliasPath("users", 0)))


class Swapped(BaseModel):
    a: int = Field(alias="b")
    b: int = Field(alias="a")


class Computed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: int

    @computed_field
    @property
    def twice(self) -> int:
        return self.n * 2


class Encoded(BaseModel):
    raw: Base64Bytes
    text: Base64Str


class Cached(BaseModel):
    n: int
    cache: int = Field(default=0, exclude=True)


class Shape(BaseModel):
    id: int


class Circle(Shape):
    radius: int


class Drawing(BaseModel):
    shapes: list[Shape]


class Text(BaseModel):
    numbers: Json[list[int]]


class Box(BaseModel, Generic[T]):
    value: T


class Cameras(RootModel[list[Camel]]): ...


class Tree(BaseModel):
    value: int
    children: "list[Tree]" = []


class Private(BaseModel):
    n: int
    _hidden: int = PrivateAttr(default=3)


class Opened(BaseModel):
    password: SecretStr

    @field_serializer("password", when_used="json")
    def _write(self, value: SecretStr) -> str:
        return value.get_secret_value()


class Wrapped(BaseModel):
    password: SecretStr

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {**handler(self), "password": self.password.get_secret_value()}


@dataclass
class Point:
    x: int
    day: date
    next: "Point | None" = None


class Pair(NamedTuple):
    a: int
    b: str


class Partial(TypedDict, total=False):
    x: int
    shape: Shape


class Colour(Enum):
    RED = "r"
    GREEN = 2


class Level(IntEnum):
    LOW = 1


ROUND_TRIPS: list[tuple[Any, Any]] = [
    (OnlyWritten, OnlyWritten(total=1)),
    (Different, Different(**{"in": 1})),
    (Camel, Camel(orderId=1)),
    (Choices, Choices.model_validate({"userName": "ann"})),
    (Swapped, Swapped(b=1, a=2)),
    (Computed, Computed(n=1)),
    (Encoded, Encoded(raw=b"aGVsbG8=", text="aGVsbG8=")),
    (Base64Bytes, b"hello"),
    (Base64Str, "hello"),
    (Cached, Cached(n=1)),
    (Text, Text(numbers="[1, 2]")),  # pyright: ignore[reportArgumentType]
    (Box[int], Box[int](value=1)),
    (Box[Circle], Box[Circle](value=Circle(id=1, radius=2))),
    (Cameras, Cameras([Camel(orderId=1)])),
    (Tree, Tree(value=1, children=[Tree(value=2)])),
    (Private, Private(n=1)),
    (Opened, Opened(password=SecretStr("x"))),
    (Wrapped, Wrapped(password=SecretStr("x"))),
    (Point, Point(1, date(2024, 5, 1), Point(2, date(2024, 5, 2)))),
    (Pair, Pair(1, "a")),
    (Partial, {"x": 1, "shape": Shape(id=1)}),
    (Colour, Colour.GREEN),
    (Level, Level.LOW),
    (Decimal, Decimal("1.10")),
    (Path, Path("/a/b")),
    (frozenset[int], frozenset({1, 2})),
    (deque[int], deque([1])),
    (datetime, datetime(2024, 5, 1, tzinfo=timezone.utc)),
    (defaultdict[str, list[Shape]], defaultdict(list, a=[Shape(id=1)])),
    (dict[UUID, int], {UUID(int=1): 1}),
    (dict[date, int], {date(2024, 5, 1): 1}),
    (dict[Colour, int], {Colour.RED: 1}),
    (dict[int, Shape], {1: Shape(id=1)}),
    (dict[bool, int], {True: 1}),
    (Shape | int, Shape(id=1)),
]


@pytest.mark.parametrize(("annotation", "value"), ROUND_TRIPS, ids=lambda part: repr(part)[:40])
def test_what_a_type_writes_it_reads_again(annotation: Any, value: Any) -> None:
    schema = Schema(annotation).for_data(owner="step `a`", name="input_schema")
    assert schema.validate(schema.dump(value)) == value
    if not isinstance(value, (bytes, str)):  # of which nothing but the schema tells that they are encoded
        assert schema.validate(to_json(value, what="value")) == value
        assert to_json({"deep": [value]}, what="value") == {"deep": [to_json(value, what="value")]}


def test_subclasses_are_written_with_all_their_fields() -> None:
    drawing = Drawing(shapes=[Circle(id=1, radius=2)])
    written = {"shapes": [{"id": 1, "radius": 2}]}
    assert Schema(Drawing).dump(drawing) == to_json(drawing, what="value") == written
    assert Schema(list[Shape]).dump(drawing.shapes) == written["shapes"]


def test_computed_fields_are_written_where_they_are_ignored_when_read() -> None:
    class Order(BaseModel):
        lines: list[int]

        @computed_field
        @property
        def count(self) -> int:
            return len(self.lines)

    assert to_json(Order(lines=[1]), what="value") == {"lines": [1], "count": 1}
    assert Schema(Computed).dump(Computed(n=1)) == {"n": 1}


def test_data_in_place_of_a_value_are_written_as_they_are() -> None:
    assert Schema(Partial).dump({"x": 1, "more": 2}) == {"x": 1, "more": 2}
    assert Schema(Shape).dump({"id": 1, "more": 2}) == {"id": 1, "more": 2}
    assert Schema(Encoded).dump({"raw": "aGVsbG8=", "text": "aGVsbG8="}) == {"raw": "aGVsbG8=", "text": "aGVsbG8="}
    assert Schema(Base64Bytes).dump("aGVsbG8=") == "aGVsbG8="


class Login(BaseModel):
    name: str
    password: SecretStr


@dataclass
class Key:
    raw: SecretBytes


class Pin(TypedDict):
    pin: Secret[int]


class Gone(BaseModel):
    n: int = Field(exclude=True)


class Crossed(BaseModel):
    a: int = Field(validation_alias="b")
    b: int


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Login, "`password` is a secret"),
        (list[dict[str, Login]], "`password` is a secret"),
        (Login | None, "`password` is a secret"),
        (Key, "`raw` is a secret"),
        (Pin, "`pin` is a secret"),
        (SecretStr, "it is a secret"),
        (Gone, "`n` has exclude=True"),
        (Crossed, "another field's key"),
        (dict[tuple[int, int], str], "keys of type tuple"),
        (Box[dict[Pair, str]], "`value` has keys of type named-tuple"),
        (dict[frozenset[int], str], "keys of type frozenset"),
        (dict[int | None, str], "keys of type None"),
        (Annotated[dict[tuple[int, int], str], Field(min_length=1)], "keys of type tuple"),
    ],
)
def test_a_type_that_does_not_come_back_is_refused(annotation: Any, words: str) -> None:
    with pytest.raises(DefinitionError, match=words) as refusal:
        Schema(annotation).for_data(owner="step `a`", name="output_schema")
    assert str(refusal.value).startswith("step `a`: the output_schema ")


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def cycle() -> Any:
    circle: dict[str, Any] = {}
    circle["again"] = [circle]
    return circle


UNWRITABLE: list[tuple[Any, str]] = [
    (math.nan, "it is NaN"),
    ({"a": [{"ratio": math.nan}]}, "`a[0].ratio` is NaN"),
    ([1.0, -math.inf], "`[1]` is -Infinity"),
    (Box[float](value=math.inf), "`value` is Infinity"),
    (Box[Any](value={"x": math.nan}), "`value.x` is NaN"),
    ("\ud83d", "it has half a surrogate pair"),
    (
        {"items": ["ok", {"name": "half \udc00"}]},
        r"`items[1].name` has half a surrogate pair ('\udc00') at character 5",
    ),
    ({"a": {"key \ud83d": 1}}, "`a` has half a surrogate pair"),
    (Box[str](value="\ud83d"), "`value` has half a surrogate pair"),
    (nested(MAX_DEPTH + 1), "is nested deeper than 100 levels"),
    (nested(5000), "is nested deeper than 100 levels"),
    (Box[Any](value=nested(300)), "is nested deeper than 100 levels"),
    (cycle(), "holds itself"),
    ({"n": 10**6000}, "`n` is a number of more than 3,600 digits"),
    ({"b": b"\xff"}, "`b` is bytes that are no UTF-8 text"),
    ({"s": {1, object}}, "is a value of type builtins.type"),
    ({"f": [1, lambda: 1]}, "`f[1]` is a value of type builtins.function"),
    (Box[Any](value=[object()]), "`value[0]` is a value of type builtins.object"),
    ({"m": {(1, 2): 3}}, "`m` has the key (1, 2)"),
    ({1: "a", "1": "b"}, "keys that differ only in type"),
    ({"s": SecretStr("x")}, "`s` is a secret"),
    ([Login(name="ann", password=SecretStr("x"))], "is a secret: the next step would get"),
    (Box[Any](value={"s": SecretStr("x")}), "`value.s` is a secret"),
]


@pytest.mark.parametrize(("value", "words"), UNWRITABLE, ids=[words for _, words in UNWRITABLE])
def test_what_cannot_be_written_is_refused_with_its_path(value: Any, words: str) -> None:
    what = "The result of step `a`"
    for write in (lambda: to_json(value, what=what), lambda: Schema(object).dump(value, what=what)):
        with pytest.raises(SerializationError) as refusal:
            write()
        message = str(refusal.value)
        assert message.startswith(f"{what} cannot be written as JSON: ")
        assert words in message
        assert len(message.encode()) < 600


def test_what_just_passes() -> None:
    assert to_json(nested(MAX_DEPTH), what="value") == nested(MAX_DEPTH)
    assert not is_too_deep(nested(MAX_DEPTH))
    assert is_too_deep(nested(MAX_DEPTH + 1))
    assert to_json([10**3000, "😀 漢", -0.0, True, None, {}], what="value") == [10**3000, "😀 漢", -0.0, True, None, {}]
    assert to_json((n for n in range(2)), what="value") == [0, 1]


def test_the_data_are_a_copy() -> None:
    given = {"a": [1]}
    data = to_json(given, what="value")
    given["a"].append(2)
    assert data == {"a": [1]}


class Cat(BaseModel):
    name: str


class Dog(BaseModel):
    name: str


class Puppy(Dog): ...


class Tagged(BaseModel):
    kind: Literal["tagged"] = "tagged"
    name: str


@pytest.mark.parametrize(
    ("annotation", "value", "path"),
    [
        (Tagged | Cat, Cat(name="x"), "it is a Cat and would be read as a Tagged"),
        (Cat | Dog, Dog(name="rex"), "it is a Dog and would be read as a Cat"),
        (dict[str, list[Cat | Dog]], {"a": [Cat(name="tom"), Dog(name="rex")]}, "`a[1]` is a Dog"),
        (Box[Cat | Dog], Box[Cat | Dog](value=Dog(name="rex")), "`value` is a Dog"),
    ],
)
def test_a_member_of_a_union_that_looks_like_another_is_refused(annotation: Any, value: Any, path: str) -> None:
    schema = Schema(annotation)
    with pytest.raises(SerializationError, match="discriminator") as refusal:
        require_same_types(schema, value, schema.validate(schema.dump(value)), what="The result of step `a`")
    assert path in str(refusal.value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Cat | Tagged, Tagged(name="x")),
        (Cat | Dog, Cat(name="tom")),
        (Cat | Dog, {"name": "rex"}),
        (Dog, Puppy(name="rex")),
        (Iterable[int], [1]),
    ],
)
def test_what_is_read_as_what_it_was(annotation: Any, value: Any) -> None:
    schema = Schema(annotation)
    require_same_types(schema, value, schema.validate(schema.dump(value)), what="value")
