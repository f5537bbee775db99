"""`ask`: asks a person for data that match a schema, field by field."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from pydantic.errors import PydanticInvalidForJsonSchema

from mastra_temporal._data.schema import Schema, SchemaError
from mastra_temporal._data.suggest import did_you_mean

__all__ = ["ask", "is_interactive"]

JsonSchema = dict[str, Any]


def is_interactive() -> bool:
    """Return whether a person can be asked: standard input and output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask(schema: Schema | None, title: str) -> Any:
    """Ask for data until they match the schema. Return them as JSON data.

    A model is asked for field by field, any other type as a whole. Without a schema the answer is JSON.

    Args:
        schema: The schema.
        title: What is asked for.
    """
    described = _json_schema(schema)
    typer.echo(title)
    while True:
        data = _object(described) if described.get("properties") else _value(described, "value", required=True)
        if schema is None:
            return data
        try:
            schema.validate(data)
        except SchemaError as error:
            typer.echo(f"This does not match:\n{error}\nPlease answer again.", err=True)
        else:
            return data


def _json_schema(schema: Schema | None) -> JsonSchema:
    try:
        return {} if schema is None else schema.json_schema()
    except PydanticInvalidForJsonSchema:  # a custom type that JSON Schema cannot describe
        return {}


def _object(schema: JsonSchema) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for name, field in schema["properties"].items():
        resolved = _resolved(field, schema)
        answer = _value(resolved, name, required=name in schema.get("required", ()))
        if answer is not None:
            answers[name] = answer
    return answers


def _resolved(field: JsonSchema, root: JsonSchema) -> JsonSchema:
    """Return a field's schema with its reference replaced and without the alternative null."""
    alternatives = [each for each in field.get("anyOf", ()) if each.get("type") != "null"]
    if len(alternatives) == 1:
        field = {**field, **alternatives[0]}
    reference = field.get("$ref", "")
    target: JsonSchema = root.get("$defs", {}).get(reference.rpartition("/")[2], {})
    return {**target, **field} if reference else field


def _value(field: JsonSchema, name: str, *, required: bool) -> Any:
    """Ask for one value until it can be read. Return None if a person leaves out a value that is not required."""
    hint = _hint(field, required=required)
    while True:
        answer: str = typer.prompt(f"  {name} ({hint})", default="", show_default=False).strip()
        if not answer and not required:
            return None
        try:
            return _read(answer, field)
        except ValueError as error:
            typer.echo(f"  {error}", err=True)


def _hint(field: JsonSchema, *, required: bool) -> str:
    """Return what a person must know to answer."""
    choices = [json.dumps(each) if not isinstance(each, str) else each for each in _choices(field)]
    kind = " | ".join(choices) or {"string": "text", "boolean": "y/n", None: "JSON"}.get(
        field.get("type"), str(field.get("type"))
    )
    about = f"{kind}: {field['description']}" if field.get("description") else kind
    if required:
        return about
    return (
        f"{about}; default {json.dumps(field['default'])}" if field.get("default") is not None else f"{about}; optional"
    )


def _choices(field: JsonSchema) -> list[Any]:
    return [field["const"]] if "const" in field else list(field.get("enum", ()))


def _read(answer: str, field: JsonSchema) -> Any:
    """Return the value of an answer.

    Raises:
        ValueError: It is not a value of the field's type. The message is for a person.
    """
    choices = {str(each): each for each in _choices(field)}
    if choices:
        if answer not in choices:
            raise ValueError(f"Choose one of {', '.join(choices)}.{did_you_mean(answer, choices)}")
        return choices[answer]
    kind = field.get("type")
    if kind == "string":
        return answer
    if kind == "boolean":
        known = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}
        if answer.lower() not in known:
            raise ValueError("Answer y or n.")
        return known[answer.lower()]
    try:
        value = json.loads(answer)
    except ValueError:
        if kind in ("integer", "number"):
            raise ValueError("Write a number.") from None
        raise ValueError('Write JSON, for example {"name": "Ann"}, [1, 2] or "text".') from None
    if kind in ("integer", "number") and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise ValueError("Write a number.")
    return value
