from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, computed_field, model_validator
from typing_extensions import TypedDict

from mastra_temporal._data.gate import to_json
from mastra_temporal._data.schema import Schema, SchemaError, issues_text
from mastra_temporal.errors import DefinitionError, SerializationError


class Colour(Enum):
    RED = "red"


class Line(BaseModel):
    sku: str
    price: Decimal = Decimal("1.50")


class Order(BaseModel):
    at: datetime
    lines: list[Line] = []
    colour: Colour = Colour.RED

    @computed_field
    @property
    def count(self) -> int:
        return len(self.lines)


@dataclass
class Point:
    x: int
    day: date


def issues(annotation: Any, value: Any) -> list[tuple[str, str]]:
    schema = Schema.of(annotation)
    assert schema
    with pytest.raises(SchemaError) as caught:
        schema.validate(value)
    assert str(caught.value) == issues_text(caught.value.issues)
    return [(".".join(map(str, issue["path"])), issue["message"]) for issue in caught.value.issues]


def paths(annotation: Any, value: Any) -> list[str]:
    return [path for path, _ in issues(annotation, value)]


class TestDefinition:
    @pytest.mark.parametrize("annotation", [None, Any])
    def test_no_schema(self, annotation: Any) -> None:
        assert Schema.of(annotation) is None

    @pytest.mark.parametrize("annotation", [{"v": int}, {"type": "object"}, [int], 5, object()])
    def test_what_is_not_a_type_is_refused_by_name(self, annotation: Any) -> None:
        with pytest.raises(DefinitionError, match=r"step `a`: .* cannot be used as a schema"):
            Schema.of(annotation, owner="step `a`")

    def test_the_part_that_is_refused_is_named(self) -> None:
        class Opaque: ...

        with pytest.raises(DefinitionError, match=r"Unable to generate pydantic-core schema for .*Opaque"):
            Schema.of(dict[str, Opaque])

    def test_a_model_that_refers_to_an_unknown_type_is_refused(self) -> None:
        class Early(BaseModel):
            later: "Later"  # type: ignore[name-defined] # noqa: F821

        with pytest.raises(DefinitionError, match="refers to 'Later', which is not defined here"):
            Schema.of(Early)

    def test_a_model_that_defers_its_build_is_built(self) -> None:
        class Lazy(BaseModel):
            model_config = ConfigDict(defer_build=True)
            n: int

        assert paths(Lazy, {}) == ["n"]

    def test_json_schema(self) -> None:
        schema = Schema.of(Line)
        assert schema
        assert schema.annotation is Line
        assert schema.json_schema()["required"] == ["sku"]


class TestValidation:
    def test_data_becomes_a_value_with_defaults(self) -> None:
        value = Schema(Order).validate({"at": "2024-05-01T10:00:00Z", "lines": [{"sku": "a"}], "unknown": 1})
        assert value == Order(at=datetime(2024, 5, 1, 10, tzinfo=timezone.utc), lines=[Line(sku="a")])

    def test_an_instance_is_taken_as_it_is(self) -> None:
        order = Order(at=datetime(2024, 5, 1, tzinfo=timezone.utc))
        assert Schema(Order).validate(order) is order
        assert Schema(list[Order]).validate([order]) == [order]
        assert Schema(Point).validate(Point(1, date(2024, 5, 1))) == Point(1, date(2024, 5, 1))

    def test_data_and_instances_may_be_mixed(self) -> None:
        value = Schema(Order).validate({"at": "2024-05-01T10:00:00Z", "lines": [Line(sku="a"), {"sku": "b"}]})
        assert [line.sku for line in value.lines] == ["a", "b"]

    @pytest.mark.parametrize(
        ("annotation", "value"),
        [
            (datetime, datetime(2024, 5, 1, tzinfo=timezone.utc)),
            (timedelta, timedelta(seconds=90)),
            (UUID, UUID(int=7)),
            (Colour, Colour.RED),
            (set[int], {1, 2}),
            (tuple[int, date], (1, date(2024, 5, 1))),
            (dict[int, Line], {1: Line(sku="a")}),
            (bytes, "é".encode()),
            (Point, Point(1, date(2024, 5, 1))),
            (Line | int, Line(sku="a")),
            (float | None, None),
        ],
    )
    def test_a_dumped_value_validates_again(self, annotation: Any, value: Any) -> None:
        schema = Schema(annotation)
        assert schema.validate(schema.dump(value)) == value
        assert schema.validate(to_json(value, what="value")) == value

    def test_a_strict_model_reads_what_it_dumped(self) -> None:
        class Strict(BaseModel):
            model_config = ConfigDict(strict=True, ser_json_bytes="base64", val_json_bytes="base64")
            at: datetime
            tags: set[str]
            raw: bytes

        value = Strict(at=datetime(2024, 5, 1, tzinfo=timezone.utc), tags={"x"}, raw=b"\xff")
        schema = Schema(Strict)
        assert schema.validate(schema.dump(value)) == value
        assert paths(Strict, {"at": "2024-05-01T00:00:00Z", "tags": ["x", 5], "raw": ""}) == ["tags.1"]

    def test_aliases_are_written_and_names_are_read_too(self) -> None:
        class Camel(BaseModel):
            order_id: int = Field(alias="orderId")
            user: str = Field(validation_alias=AliasChoices("userName", "login"))

        schema = Schema(Camel)
        value = schema.validate({"orderId": 1, "login": "ann"})
        assert schema.dump(value) == {"orderId": 1, "user": "ann"}
        assert schema.validate(schema.dump(value)) == value
        assert paths(Camel, {"order_id": "x", "user": 5}) == ["order_id", "user"]


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    tags: list[str] = []


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    user: Inner = Inner()
    v: int = 0


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int

    @model_validator(mode="after")
    def has_lives(self) -> "Cat":
        if self.lives == 0:
            raise ValueError("dead")
        return self


class Update(BaseModel):
    kind: Literal["update"]
    size: int | list[int] = 1


class Pets(BaseModel):
    any: Cat | Update | None = None
    tagged: list[Annotated[Cat | Update, Field(discriminator="kind")]] = []
    named: dict[Annotated[str, Field(min_length=2)], int | bool] = {}
    pair: tuple[int, Line] | None = None


class TestIssues:
    def test_nested_paths(self) -> None:
        assert paths(Strict, {"user": {"tags": ["a", 2, "c", 4]}, "v": "x"}) == ["user.tags.1", "user.tags.3", "v"]
        assert paths(Order, {"lines": [{}]}) == ["at", "lines.0.sku"]

    def test_unknown_keys_are_reported_at_their_parent(self) -> None:
        assert issues(Strict, {"extra": True}) == [("", 'Unrecognized key: "extra"')]
        found = issues(Strict, {"user": {"a": 1, "b": 2}, "v": "x", "c": 3})
        assert sorted(found) == [  # their order is another one in pydantic 2.13
            ("", 'Unrecognized key: "c"'),
            ("user", 'Unrecognized keys: "a", "b"'),
            ("v", "Invalid input: expected number, received string"),
        ]

    def test_the_lines_of_a_message(self) -> None:
        text = issues_text([{"path": ["user", "tags", 1], "message": "bad"}, {"path": [], "message": "worse"}])
        assert text == "- user.tags.1: bad\n- : worse"

    @pytest.mark.parametrize("value", [{"kind": "cat"}, {}, {"kind": "update", "size": "x"}])
    def test_a_union_is_one_issue(self, value: Any) -> None:
        assert issues(Pets, {"any": value}) == [("any", "Invalid input")]
        assert issues(Cat | Update, value) == [("", "Invalid input")]

    def test_a_tagged_union_reports_inside_the_chosen_member(self) -> None:
        assert paths(Pets, {"tagged": [{"kind": "cat"}]}) == ["tagged.0.lives"]
        assert paths(Pets, {"tagged": [{"kind": "dog"}, {}]}) == ["tagged.0", "tagged.1"]
        assert paths(Pets, {"tagged": [{"kind": "cat", "lives": 0}]}) == ["tagged.0"]
        assert issues(Pets, {"tagged": [{"kind": "update", "size": "x"}]}) == [("tagged.0.size", "Invalid input")]

    def test_keys_and_positions(self) -> None:
        assert paths(Pets, {"named": {"a": 1, "long": "x"}}) == ["named.a", "named.long"]
        assert paths(Pets, {"pair": [1, {}]}) == ["pair.1.sku"]
        assert paths(Pets, {"pair": [1]}) == ["pair.1"]
        assert paths(set[int], [1, "x"]) == ["1"]
        assert paths(dict[int, Line], {1: {}}) == ["1.sku"]

    def test_paths_into_instances(self) -> None:
        assert paths(Pets, {"pair": (Line(sku="a"), {})}) == ["pair.0", "pair.1.sku"]
        assert paths(Line, Point(1, date(2024, 5, 1))) == [""]


class TestJson:
    def test_values_at_any_depth(self) -> None:
        order = Order(at=datetime(2024, 5, 1, tzinfo=timezone.utc), lines=[Line(sku="a")])
        value = {"order": [order], "point": Point(1, date(2024, 5, 1)), "id": UUID(int=7), 1: (Colour.RED, b"x")}
        assert to_json(value, what="value") == {
            "order": [
                {"at": "2024-05-01T00:00:00Z", "lines": [{"sku": "a", "price": "1.50"}], "colour": "red", "count": 1}
            ],
            "point": {"x": 1, "day": "2024-05-01"},
            "id": "00000000-0000-0000-0000-000000000007",
            "1": ["red", "x"],
        }

    def test_a_dump_that_fails_is_refused_the_same_way(self) -> None:
        class Loose(TypedDict):
            x: Any

        with pytest.raises(SerializationError, match=r"^The input of step 'a' cannot be written as JSON"):
            Schema(Loose).dump({"x": object()}, what="The input of step 'a'")
