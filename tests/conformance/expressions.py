"""E: the expressions of the corpus, with JavaScript's ideas of truth, equality, numbers and missing values."""

import copy
import json
import math
from collections.abc import Callable, Mapping
from typing import Any


class Error(Exception):
    """What the corpus throws: an error named as JavaScript's."""


class Undefined:
    """JavaScript's undefined, which lives only inside an evaluation: see ``to_json``."""

    def __bool__(self) -> bool:
        return False


UNDEFINED = Undefined()
Scope = Mapping[str, Any]


def value_of(expression: Any, scope: Scope) -> Any:
    """Evaluates an expression to a JSON value; undefined as a whole becomes None."""
    return to_json(evaluate(expression, scope))


def holds(expression: Any, scope: Scope) -> bool:
    return truthy(evaluate(expression, scope))


def evaluate(expression: Any, scope: Scope) -> Any:
    if isinstance(expression, list):
        return [evaluate(each, scope) for each in expression]
    if not isinstance(expression, dict):
        return expression
    operator = operator_of(expression)
    if operator is None:
        return {key: evaluate(each, scope) for key, each in expression.items()}
    argument = expression[operator]
    if operator in LAZY:
        return LAZY[operator](argument, scope)
    if operator in OF_LIST:
        return OF_LIST[operator](*(evaluate(each, scope) for each in argument))
    return OF_ONE[operator](evaluate(argument, scope))


def references(expression: Any) -> set[tuple[str, ...]]:
    """The paths that an expression looks up; what has to be fetched from elsewhere is known by the first part."""
    if isinstance(expression, list):
        return set().union(*map(references, expression))
    if not isinstance(expression, dict) or operator_of(expression) == "$lit":
        return set()
    if operator_of(expression) == "$":
        return {tuple(expression["$"].split("."))}
    return set().union(*map(references, expression.values()))


def operator_of(expression: dict[str, Any]) -> str | None:
    [*keys] = expression
    return keys[0] if len(keys) == 1 and keys[0].startswith("$") else None


def to_json(value: Any) -> Any:
    """What JSON.stringify would keep of a value."""
    if isinstance(value, dict):
        return {key: to_json(each) for key, each in value.items() if each is not UNDEFINED}
    if isinstance(value, list):
        return [to_json(each) for each in value]
    if value is UNDEFINED or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value


def is_set(value: Any) -> bool:
    return value is not None and value is not UNDEFINED


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def truthy(value: Any) -> bool:
    return isinstance(value, (list, dict)) or (bool(value) and value == value)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def number(value: Any) -> Any:
    if is_number(value):
        return value
    if value is None or isinstance(value, bool):
        return int(value or 0)
    return math.nan


def text(value: Any) -> str:
    if not is_set(value):
        return ""
    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def plain(value: Any) -> Any:
    """Numbers as JavaScript prints them: 2.0 is 2."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else to_json(value)


def look_up(path: str, scope: Scope) -> Any:
    root, *parts = path.split(".")
    value = scope.get(root, UNDEFINED)
    for part in parts:
        value = part_of(value, part)
    return copy.deepcopy(value) if isinstance(value, (list, dict)) else value


def part_of(value: Any, part: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(part, UNDEFINED)
    if isinstance(value, (list, str)) and part == "length":
        return len(value)
    if isinstance(value, (list, str)) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    return UNDEFINED


def fold(step: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def operation(first: Any, *others: Any) -> Any:
        for each in others:
            first = step(first, each)
        return first

    return operation


def plus(left: Any, right: Any) -> Any:
    if isinstance(left, str) or isinstance(right, str):
        return text(left) + text(right)
    return number(left) + number(right)


def remainder(left: Any, right: Any) -> Any:
    dividend, divisor = number(left), number(right)
    if not divisor or not math.isfinite(dividend):
        return math.nan
    rest = math.fmod(dividend, divisor)
    return rest if isinstance(dividend, float) or isinstance(divisor, float) else int(rest)


def comparison(holds: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def operation(left: Any, right: Any) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return holds(left, right)
        return holds(number(left), number(right))

    return operation


def throw(message: Any, scope: Scope) -> Any:
    raise Error(text(evaluate(message, scope)))


LAZY: dict[str, Callable[[Any, Scope], Any]] = {
    "$": look_up,
    "$lit": lambda argument, scope: argument,
    "$undefined": lambda argument, scope: UNDEFINED,
    "$throw": throw,
    "$if": lambda argument, scope: evaluate(argument[1] if holds(argument[0], scope) else argument[2], scope),
    "$and": lambda argument, scope: all(holds(each, scope) for each in argument),
    "$or": lambda argument, scope: any(holds(each, scope) for each in argument),
}
OF_LIST: dict[str, Callable[..., Any]] = {
    "$add": fold(plus),
    "$sub": fold(lambda left, right: number(left) - number(right)),
    "$mul": fold(lambda left, right: number(left) * number(right)),
    "$mod": fold(remainder),
    "$eq": same,
    "$ne": lambda left, right: not same(left, right),
    "$gt": comparison(lambda left, right: left > right),
    "$gte": comparison(lambda left, right: left >= right),
    "$lt": comparison(lambda left, right: left < right),
    "$lte": comparison(lambda left, right: left <= right),
    "$concat": lambda *parts: "".join(map(text, parts)),
    "$append": lambda items, item: [*(items or []), item],
    "$merge": lambda *objects: {key: each for each_object in objects for key, each in (each_object or {}).items()},
    "$default": lambda value, default: value if is_set(value) else default,
    "$pluck": lambda items, key: [part_of(each, str(key)) for each in items],
}
OF_ONE: dict[str, Callable[[Any], Any]] = {
    "$not": lambda value: not truthy(value),
    "$upper": lambda value: text(value).upper(),
    "$len": lambda value: len(value or ()),
    "$sum": lambda items: fold(plus)(0, *(items or [])),
    "$isset": is_set,
    "$flat": lambda items: [each for item in items for each in (item if isinstance(item, list) else [item])],
    "$keys": lambda value: sorted(value or {}),
    "$range": lambda count: list(range(int(count))),
}
