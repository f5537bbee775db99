"""Templates of ``.map()``: text with placeholders, such as ``Hello ${inputData.name}``.

A placeholder is ``inputData``, ``initData`` or ``state`` with an optional dotted path, ``requestContext.<key>``, or
``stepResults.<stepId>`` with an optional path. Values are written in the same way as by JavaScript.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from itertools import count
from typing import Any

from mastra_temporal._data.path import MISSING, RunData, is_array, is_object, resolve_path
from mastra_temporal._data.shown import shown
from mastra_temporal.errors import DefinitionError, MappingError

__all__ = ["check_template", "render_template"]

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_SCOPES = ("inputData", "initData", "state", "requestContext", "stepResults")


def check_template(template: Any) -> None:
    """Refuse a template that is not well formed.

    Raises:
        DefinitionError: A placeholder is wrong. The message is Mastra's and names the placeholder.
    """
    if not isinstance(template, str):
        raise DefinitionError(f'A template must be text such as "Hello ${{inputData.name}}", not {shown(template)}.')
    for number, expression in enumerate(_PLACEHOLDER.findall(template), start=1):
        problem = _problem(expression)
        if problem:
            raise DefinitionError(f"{_label(template, number, expression)} {problem}")


def _label(template: str, number: int, expression: str) -> str:
    return f"Template placeholder #{number} (${{{expression}}}) in '{template}'"


def _problem(expression: str) -> str | None:
    scope, _, rest = expression.partition(".")
    if not expression or expression != expression.strip():
        return "has empty or whitespace-padded contents. Use ${<scope>.<path>} with no surrounding whitespace."
    if scope not in _SCOPES:
        return f'references unknown namespace "{scope}". Use one of: {", ".join(_SCOPES)}.'
    if scope == "stepResults" and not rest.partition(".")[0]:
        return "must be of the form ${stepResults.<stepId>} or ${stepResults.<stepId>.<path>}."
    if scope == "requestContext" and not rest:
        return "requires a request-context key — use ${requestContext.<key>}."
    return None


def render_template(template: str, data: RunData) -> str:
    """Fill in the placeholders of a template that ``check_template`` has accepted.

    None becomes an empty text. An object or a list becomes JSON.

    Raises:
        MappingError: A path leads through a value that is not an object, or a step has no output.
    """
    numbers = count(1)

    def render(match: re.Match[str]) -> str:
        expression = match[1]
        value = _resolve(expression, data, _label(template, next(numbers), expression))
        return "" if value is None else _text(value)

    return _PLACEHOLDER.sub(render, template)


def _resolve(expression: str, data: RunData, label: str) -> Any:
    scope, _, path = expression.partition(".")
    if scope == "requestContext":
        return data.request_context.get(path)
    if scope == "stepResults":
        step_id, _, path = path.partition(".")
        value = data.step_output(step_id)
        if value is None or value is MISSING:
            raise MappingError(
                f'{label} references stepResults.{step_id} but step "{step_id}" has no successful output '
                "(not run yet, not registered, failed, or produced no output)."
            )
    else:
        value = {"inputData": data.input_data, "initData": data.init_data, "state": data.state}[scope]
    return resolve_path(value, path, source=label)


def _text(value: Any) -> str:
    """Return a value as text: as ``String(value)`` for scalars, as ``JSON.stringify(value)`` for objects and lists."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return _stringify(value)


def _stringify(value: Any) -> str:
    if is_object(value):
        return "{" + ",".join(f"{_quote(key)}:{_stringify(item)}" for key, item in value.items()) + "}"
    if is_array(value):
        return "[" + ",".join(map(_stringify, value)) + "]"
    if isinstance(value, float):
        return _float(value) if math.isfinite(value) else "null"
    return _quote(value)


def _quote(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _float(value: float) -> str:
    """Return a finite number as JavaScript writes it: ``1`` instead of ``1.0``, ``1e-7`` instead of ``1e-07``."""
    if value == 0:
        return "0"
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return re.sub(r"e([+-])0", r"e\1", repr(value))
