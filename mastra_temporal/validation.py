"""Validation with Mastra's messages: which data it was, then a line for each thing that is wrong."""

from __future__ import annotations

from typing import Any

from mastra_temporal.definition.schema import Schema, SchemaError, issues_text
from mastra_temporal.errors import SchemaValidationError

__all__ = ["validated"]


def validated(schema: Schema | None, value: Any, message: str, code: str, *, carries_issues: bool = True) -> Any:
    """The value as the schema's type, defaults filled in.

    Args:
        schema: None lets every value through.
        value: JSON data, or an instance of the type.
        message: The first line of the error, without its colon: ``Step input validation failed``.
        code: Mastra's error id.
        carries_issues: Whether the recorded error has the issues as its cause, as some of Mastra's have.

    Raises:
        SchemaValidationError: The value does not match.
    """
    if schema is None:
        return value
    try:
        return schema.validate(value)
    except SchemaError as error:
        text = f"{message}: \n{issues_text(error.issues)}"
        raise SchemaValidationError(text, code=code, issues=error.issues, carries_issues=carries_issues) from None
