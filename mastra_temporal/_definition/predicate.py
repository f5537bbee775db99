"""Conditions as data: ``{"predicate": {"op": "gt", "left": {"path": "inputData.total"}, "right": {"literal": 5}}}``.

The interpreter evaluates a predicate in workflow code, without an activity. The operators are Mastra's:

======================================  =========================================
``eq ne lt lte gt gte``                 ``left`` and ``right``, both operands
``in notIn``                            ``value`` (operand), ``set`` (list of scalars)
``exists notExists``                    ``path``
``truthy falsy``                        ``value`` (operand)
``and or``                              ``args`` (list of predicates)
``not``                                 ``arg`` (predicate)
======================================  =========================================

An operand is ``{"path": "inputData.a.b"}`` or ``{"literal": 5}``. If a path has no value, every comparison and ``in``
is false. ``eq`` and ``ne`` are strict as in JavaScript: ``1`` equals ``1.0`` but not ``True``. Unlike in JavaScript,
objects and arrays are compared by their contents, because data from Temporal's history have no identity.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from mastra_temporal._data.path import MISSING, RunData, child, is_array, is_object
from mastra_temporal._data.shown import shown
from mastra_temporal.errors import DefinitionError

__all__ = ["check_predicate", "evaluate_predicate"]

_ROOTS = ("initData", "inputData", "state", "stepResults")


def evaluate_predicate(predicate: Mapping[str, Any], data: RunData) -> bool:
    """Evaluate a predicate that ``check_predicate`` has accepted. Missing data do not raise an error."""
    op = predicate["op"]
    if op == "and":
        return all(evaluate_predicate(arg, data) for arg in predicate["args"])
    if op == "or":
        return any(evaluate_predicate(arg, data) for arg in predicate["args"])
    if op == "not":
        return not evaluate_predicate(predicate["arg"], data)
    if op in ("exists", "notExists"):
        return (_lookup(predicate["path"], data) is not MISSING) == (op == "exists")
    if op in ("truthy", "falsy"):
        return _truthy(_value(predicate["value"], data)) == (op == "truthy")
    if op in ("in", "notIn"):
        value = _value(predicate["value"], data)
        return any(_equal(value, member) for member in predicate["set"]) == (op == "in")
    left, right = _value(predicate["left"], data), _value(predicate["right"], data)
    return left is not MISSING and right is not MISSING and _COMPARISONS[op](left, right)


def _value(operand: Mapping[str, Any], data: RunData) -> Any:
    return operand["literal"] if "literal" in operand else _lookup(operand["path"], data)


def _lookup(path: str, data: RunData) -> Any:
    root, *keys = _split(path)
    if root == "stepResults":
        value = data.step_output(keys.pop(0))
        if value is None:
            return MISSING
    else:
        value = {"initData": data.init_data, "inputData": data.input_data, "state": data.state}[root]
    for key in keys:
        value = child(value, key)
    return value


def _split(path: str) -> list[str]:
    path = path.strip()
    if path.startswith("${") and path.endswith("}"):
        path = path[2:-1].strip()
    return path.split(".")


def _truthy(value: Any) -> bool:
    if is_object(value) or is_array(value):
        return True
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is not MISSING and bool(value) and not is_nan


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_array(left) and is_array(right):
        return len(left) == len(right) and all(map(_equal, left, right))
    if is_object(left) and is_object(right):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    return left == right


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        comparable = (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))
        return comparable and compare(left, right)

    return ordered


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "ne": lambda left, right: not _equal(left, right),
    "lt": _ordering(operator.lt),
    "lte": _ordering(operator.le),
    "gt": _ordering(operator.gt),
    "gte": _ordering(operator.ge),
}


def check_predicate(predicate: Any, where: str = "predicate") -> None:
    """Refuse a predicate that is not well formed.

    Args:
        predicate: The value that the user wrote.
        where: The name of the predicate for the message.

    Raises:
        DefinitionError: The predicate is wrong. The message names the place, the mistake and the correct form.
    """
    if not is_object(predicate):
        example = '{"op": "eq", "left": {"path": "inputData.x"}, "right": {"literal": 1}}'
        raise DefinitionError(f"{where} must be a dict such as {example}, not {shown(predicate)}.")
    if "op" not in predicate:
        raise DefinitionError(f'{where} has no "op". Use one of: {", ".join(_FIELDS)}.')
    op = predicate["op"]
    if not isinstance(op, str) or op not in _FIELDS:
        raise DefinitionError(
            f"{where} has the unknown op {shown(op)}.{_did_you_mean(op, _FIELDS)} Use one of: {', '.join(_FIELDS)}."
        )
    fields = _FIELDS[op]
    _check_keys(predicate, op, fields, where)
    for name, check in fields.items():
        check(predicate[name], f"{where}.{name}")


def _check_keys(predicate: Mapping[str, Any], op: str, fields: Iterable[str], where: str) -> None:
    takes = f'"{op}" takes: {", ".join(fields)}.'
    for key in predicate:
        if key != "op" and key not in fields:
            raise DefinitionError(f"{where} has the unknown key {shown(key)}.{_did_you_mean(key, fields)} {takes}")
    for name in fields:
        if name not in predicate:
            raise DefinitionError(f'{where} lacks "{name}". {takes}')


def _check_operand(operand: Any, where: str) -> None:
    if not is_object(operand) or set(operand) not in ({"path"}, {"literal"}):
        raise DefinitionError(f'{where} must be {{"path": "..."}} or {{"literal": ...}}, not {shown(operand)}.')
    if "path" in operand:
        _check_path(operand["path"], f"{where}.path")
    else:
        _check_scalar(operand["literal"], f"{where}.literal")


def _check_path(path: Any, where: str) -> None:
    if not isinstance(path, str):
        raise DefinitionError(f'{where} must be text such as "inputData.total", not {shown(path)}.')
    root, *keys = _split(path)
    if root not in _ROOTS:
        raise DefinitionError(
            f'{where} "{path}" starts at the unknown root "{root}".{_did_you_mean(root, _ROOTS)}'
            f" Use one of: {', '.join(_ROOTS)}."
        )
    if root == "stepResults" and not (keys and keys[0]):
        raise DefinitionError(f'{where} "{path}" names no step. Use stepResults.<stepId>.<path>.')


def _check_scalar(value: Any, where: str) -> None:
    if not (value is None or isinstance(value, str | int | float)):
        raise DefinitionError(f"{where} must be text, a number, a boolean or None, not {shown(value)}.")


def _check_set(members: Any, where: str) -> None:
    for index, member in enumerate(_non_empty_list(members, where)):
        _check_scalar(member, f"{where}[{index}]")


def _check_predicates(predicates: Any, where: str) -> None:
    for index, predicate in enumerate(_non_empty_list(predicates, where)):
        check_predicate(predicate, f"{where}[{index}]")


def _non_empty_list(value: Any, where: str) -> list[Any]:
    if not is_array(value) or not value:
        raise DefinitionError(f"{where} must be a list with at least one item, not {shown(value)}.")
    return value


def _did_you_mean(word: Any, choices: Iterable[str]) -> str:
    matches = get_close_matches(str(word), list(choices), n=1)
    return f' Did you mean "{matches[0]}"?' if matches else ""


_Check = Callable[[Any, str], None]

_SHAPES: list[tuple[Iterable[str], dict[str, _Check]]] = [
    (_COMPARISONS, {"left": _check_operand, "right": _check_operand}),
    (("in", "notIn"), {"value": _check_operand, "set": _check_set}),
    (("exists", "notExists"), {"path": _check_path}),
    (("truthy", "falsy"), {"value": _check_operand}),
    (("and", "or"), {"args": _check_predicates}),
    (("not",), {"arg": check_predicate}),
]
_FIELDS = {op: fields for ops, fields in _SHAPES for op in ops}
