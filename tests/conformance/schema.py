"""SCHEMA of the corpus as types for pydantic that check like Zod: nothing is coerced, and the texts are Zod's."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import PlainValidator
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from tests.conformance.expressions import UNDEFINED, is_number, same, text

Path = tuple["int | str", ...]
UNKNOWN_KEYS = ("object", "strict", "loose")


class Issue(NamedTuple):
    path: Path
    message: str
    value: Any


class Parsed(NamedTuple):
    value: Any
    issues: list[Issue]


def schema_type(schema: Any) -> Any:
    """The type of a whole value, for which None stands for JavaScript's undefined."""

    def check(value: Any) -> Any:
        given = UNDEFINED if value is None and parse(schema, None, ()).issues else value
        parsed = parse(schema, given, ())
        if parsed.issues:
            raise ValidationError.from_exception_data("Zod", list(map(line_error, parsed.issues)))
        return None if parsed.value is UNDEFINED else parsed.value

    return Annotated[Any, PlainValidator(check)]


def line_error(issue: Issue) -> InitErrorDetails:
    kind = "missing" if issue.value is UNDEFINED else "zod"
    error = PydanticCustomError(kind, "{text}", {"text": issue.message})
    return InitErrorDetails(type=error, loc=issue.path, input=issue.value)


def parse(schema: Any, value: Any, path: Path) -> Parsed:
    if isinstance(schema, str):
        return parse_scalar(schema, value, path)
    [(kind, argument)] = schema.items()
    if kind in UNKNOWN_KEYS:
        return parse_object(kind, argument, value, path)
    return PARSERS[kind](argument, value, path)


def failed(value: Any, path: Path, message: str) -> Parsed:
    return Parsed(value, [Issue(path, message, value)])


def wrong_type(expected: str, value: Any, path: Path) -> Parsed:
    return failed(value, path, f"Invalid input: expected {expected}, received {type_name(value)}")


def type_name(value: Any) -> str:
    if value is UNDEFINED:
        return "undefined"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


SCALARS: dict[str, Callable[[Any], bool]] = {
    "any": lambda value: True,
    "unknown": lambda value: True,
    "string": lambda value: isinstance(value, str),
    "number": is_number,
    "int": lambda value: is_number(value) and float(value).is_integer(),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def parse_scalar(kind: str, value: Any, path: Path) -> Parsed:
    if SCALARS[kind](value):
        return Parsed(value, [])
    return wrong_type("number" if kind == "int" and not is_number(value) else kind, value, path)


def parse_object(kind: str, fields: dict[str, Any], value: Any, path: Path) -> Parsed:
    if not isinstance(value, dict):
        return wrong_type("object", value, path)
    members = {name.removesuffix("?"): (field, name.endswith("?")) for name, field in fields.items()}
    found: dict[str, Any] = {}
    issues: list[Issue] = []
    for name, (field, optional) in members.items():
        if optional and name not in value:
            continue
        parsed = parse(field, value.get(name, UNDEFINED), (*path, name))
        issues += parsed.issues
        if parsed.value is not UNDEFINED:
            found[name] = parsed.value
    unknown = {name: each for name, each in value.items() if name not in members}
    if kind == "loose":
        found |= unknown
    if kind == "strict" and unknown:
        names = ", ".join(f'"{name}"' for name in unknown)
        issues.append(Issue(path, f"Unrecognized key{'s' if len(unknown) > 1 else ''}: {names}", value))
    return Parsed(found, issues)


def parse_array(item: Any, value: Any, path: Path) -> Parsed:
    if not isinstance(value, list):
        return wrong_type("array", value, path)
    parsed = [parse(item, each, (*path, index)) for index, each in enumerate(value)]
    return Parsed([each.value for each in parsed], [issue for each in parsed for issue in each.issues])


def parse_record(item: Any, value: Any, path: Path) -> Parsed:
    if not isinstance(value, dict):
        return wrong_type("record", value, path)
    parsed = {name: parse(item, each, (*path, name)) for name, each in value.items()}
    found = {name: each.value for name, each in parsed.items()}
    return Parsed(found, [issue for each in parsed.values() for issue in each.issues])


def parse_default(pair: list[Any], value: Any, path: Path) -> Parsed:
    return Parsed(pair[1], []) if value is UNDEFINED else parse(pair[0], value, path)


def parse_nullable(item: Any, value: Any, path: Path) -> Parsed:
    return Parsed(None, []) if value is None else parse(item, value, path)


def parse_enum(values: list[Any], value: Any, path: Path) -> Parsed:
    if any(same(value, each) for each in values):
        return Parsed(value, [])
    return failed(value, path, "Invalid option: expected one of " + "|".join(map(quoted, values)))


def parse_literal(literal: Any, value: Any, path: Path) -> Parsed:
    return (
        Parsed(value, []) if same(value, literal) else failed(value, path, f"Invalid input: expected {quoted(literal)}")
    )


def quoted(value: Any) -> str:
    if value is None:
        return "null"
    return f'"{value}"' if isinstance(value, str) else text(value)


def parse_min(pair: list[Any], value: Any, path: Path) -> Parsed:
    return parse_bound(pair, value, path, "Too small", ">=", lambda size, limit: size >= limit)


def parse_max(pair: list[Any], value: Any, path: Path) -> Parsed:
    return parse_bound(pair, value, path, "Too big", "<=", lambda size, limit: size <= limit)


def parse_bound(
    pair: list[Any], value: Any, path: Path, problem: str, sign: str, fits: Callable[[float, float], bool]
) -> Parsed:
    parsed = parse(pair[0], value, path)
    if parsed.issues or value is UNDEFINED:
        return parsed
    if fits(value if is_number(value) else len(value), pair[1]):
        return parsed
    unit = {"string": "characters", "array": "items"}.get(type_name(value))
    limit = f"to have {sign}{pair[1]} {unit}" if unit else f"to be {sign}{pair[1]}"
    return failed(value, path, f"{problem}: expected {type_name(value)} {limit}")


def parse_union(members: list[Any], value: Any, path: Path) -> Parsed:
    for member in members:
        parsed = parse(member, value, path)
        if not parsed.issues:
            return parsed
    return failed(value, path, "Invalid input")


PARSERS: dict[str, Callable[[Any, Any, Path], Parsed]] = {
    "array": parse_array,
    "record": parse_record,
    "default": parse_default,
    "nullable": parse_nullable,
    "enum": parse_enum,
    "literal": parse_literal,
    "min": parse_min,
    "max": parse_max,
    "union": parse_union,
}
