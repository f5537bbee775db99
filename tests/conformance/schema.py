"""SCHEMA of the corpus as types for pydantic, as strict as Zod: nothing is coerced, unknown keys are stripped."""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from typing_extensions import NotRequired, TypedDict


def integral(value: float) -> float:
    if not float(value).is_integer():
        raise ValueError("expected an integer")
    return value


def no_mix_of_booleans_and_numbers(literal: Any) -> Callable[[Any], Any]:
    """In Python, and so in pydantic, True is 1."""

    def check(value: Any) -> Any:
        if isinstance(value, bool) != isinstance(literal, bool):
            raise ValueError(f"expected {literal!r}")
        return value

    return check


SCALARS: dict[str, Any] = {
    "any": Any,
    "unknown": Any,
    "string": StrictStr,
    "number": StrictInt | StrictFloat,
    "int": Annotated[StrictInt | StrictFloat, AfterValidator(integral)],
    "boolean": StrictBool,
    "null": None,
}
EXTRA = {"object": "ignore", "strict": "forbid", "loose": "allow"}


def schema_type(schema: Any) -> Any:
    """The type of a whole value; None stands for JavaScript's undefined, so a default applies to it."""
    kind = part_type(schema)
    if isinstance(schema, dict) and "default" in schema:
        value = schema["default"][1]
        return Annotated[kind, BeforeValidator(lambda given: value if given is None else given)]
    return kind


def part_type(schema: Any) -> Any:
    if isinstance(schema, str):
        return SCALARS[schema]
    [(kind, argument)] = schema.items()
    if kind in EXTRA:
        return object_type(kind, argument)
    return PARTS[kind](argument)


def object_type(kind: str, fields: dict[str, Any]) -> Any:
    members: dict[str, Any] = {}
    for name, field in fields.items():
        member = part_type(field)
        members[name.removesuffix("?")] = NotRequired[member] if name.endswith("?") or member is Any else member
    # The members of a union are told apart by their names.
    made: Any = TypedDict(f"Object({','.join(fields)})", members)
    made.__pydantic_config__ = ConfigDict(extra=EXTRA[kind])
    return made


PARTS: dict[str, Callable[[Any], Any]] = {
    "array": lambda item: list[part_type(item)],
    "record": lambda item: dict[str, part_type(item)],
    "default": lambda pair: Annotated[part_type(pair[0]), Field(default=pair[1])],
    "nullable": lambda item: part_type(item) | None,
    "enum": lambda values: Literal[tuple(values)],
    "literal": lambda value: Annotated[Literal[value], BeforeValidator(no_mix_of_booleans_and_numbers(value))],
    "min": lambda pair: Annotated[part_type(pair[0]), AfterValidator(bound(lambda size: size >= pair[1]))],
    "max": lambda pair: Annotated[part_type(pair[0]), AfterValidator(bound(lambda size: size <= pair[1]))],
    "union": lambda items: Annotated[reduce(or_, map(part_type, items)), Field(union_mode="left_to_right")],
}


def bound(fits: Callable[[float], bool]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not fits(value if isinstance(value, (int, float)) else len(value)):
            raise ValueError("too small or too big")
        return value

    return check
