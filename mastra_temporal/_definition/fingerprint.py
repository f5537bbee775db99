"""`fingerprint`: identifies a user function whose entry has no id.

The fingerprint covers the function's code, its defaults and the values that it captures. It is the same in every
process. If the source can be read, it is also the same on every version of Python. Comments, formatting, docstrings and
the function's own name do not change it. Neither do the functions that it calls by a global name, because Python looks
them up when it runs.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import inspect
import linecache
import operator
from collections.abc import Callable, Iterable
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeAlias, cast
from uuid import UUID

from pydantic import BaseModel

__all__ = ["fingerprint"]

Form: TypeAlias = "str | tuple[Form, ...]"
"""The data that are hashed: nested tuples of text."""
Place: TypeAlias = tuple[int, int, int, int]
"""The first line, last line, first column and last column of an instruction in the source."""
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

PLAIN = (str, bytes, int, float, complex, type(None), Decimal, UUID, PurePath, date, time, timedelta)
"""Types whose values are fully described by their ``repr``."""
CACHED = type(functools.lru_cache(len))
"""The class of functions with ``functools.cache`` or ``lru_cache``. They are objects written in C."""
MAX_DEPTH = 100
"""The number of levels of a captured value that count."""
WITHOUT_MEANING = ("ctx", "kind", "type_comment")
"""Fields of the syntax tree that do not change what the code does."""


def fingerprint(kind: str, function: Callable[..., Any]) -> str:
    """Return the fingerprint of a function that is used as ``kind``: 16 hexadecimal digits."""
    form = repr((kind, _value(function, frozenset())))
    return hashlib.sha256(form.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _value(value: Any, around: frozenset[int]) -> Form:
    """Return the form of a function or a captured value.

    Data are described by their values, functions by their code, and other objects by their class. Parameter ``around``
    has the ids of the values that contain this one, because a value may contain itself.
    """
    if isinstance(value, Enum):
        return (_name(type(value)), value.name)
    if isinstance(value, PLAIN):
        return (type(value).__name__, repr(value))
    if id(value) in around or len(around) > MAX_DEPTH:
        return "itself"
    around |= {id(value)}
    if isinstance(value, (list, tuple)):
        return ("list", *(_value(item, around) for item in cast("Iterable[Any]", value)))
    # The order of a set differs from process to process. Without sorting, so would the fingerprint.
    if isinstance(value, (set, frozenset)):
        return ("set", *sorted((_value(item, around) for item in cast("Iterable[Any]", value)), key=repr))
    if isinstance(value, dict):
        return ("dict", _items(cast("dict[Any, Any]", value), around))
    if isinstance(value, functools.partial):
        bound = cast("functools.partial[Any]", value)
        return ("partial", *(_value(part, around) for part in (bound.func, bound.args, bound.keywords)))
    if inspect.ismethod(value):
        return ("method", _value(value.__func__, around), _value(value.__self__, around))
    if inspect.isfunction(value):
        decorated = inspect.unwrap(value)
        return _function(decorated, around) if inspect.isfunction(decorated) else _value(decorated, around)
    if isinstance(value, (type, ModuleType)):
        return _name(value)
    if inspect.isroutine(value):
        return _native(value, around)
    return _object(value, around)


def _native(value: Any, around: frozenset[int]) -> Form:
    """Return the form of a function that is written in C."""
    if isinstance(value, CACHED):
        return ("cached", _value(cast("Any", value).__wrapped__, around))
    return (_name(value), _value(getattr(value, "__self__", None), around))


def _object(value: object, around: frozenset[int]) -> Form:
    if isinstance(value, (operator.itemgetter, operator.attrgetter, operator.methodcaller)):
        # Pickle knows what they were made of.
        return (_name(type(cast("Any", value))), _value(value.__reduce__()[1:], around))
    call = getattr(type(value), "__call__", None)  # noqa: B004 - what it does when it is called is wanted
    code = _function(call, around) if inspect.isfunction(call) else ()
    return (_name(type(value)), _items(_fields(value), around), code)


def _fields(value: Any) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return dict(value)
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    return {}


def _items(values: dict[Any, Any], around: frozenset[int]) -> Form:
    return tuple((_value(key, around), _value(item, around)) for key, item in values.items())


def _name(value: Any) -> str:
    module = getattr(value, "__module__", None)
    return f"{module}.{getattr(value, '__qualname__', getattr(value, '__name__', ''))}"


def _function(function: FunctionType, around: frozenset[int]) -> Form:
    node = _node_of(function)
    code = _bytecode(function.__code__, around) if node is None else _signature_and_body(node)
    defaults = _value((function.__defaults__, function.__kwdefaults__), around)
    captured = tuple(
        (name, _captured(cell, around))
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    )
    return (code, defaults, captured)


def _captured(cell: Any, around: frozenset[int]) -> Form:
    try:
        return _value(cell.cell_contents, around)
    except ValueError:
        return "empty"


# From the source


def _node_of(function: FunctionType) -> FunctionNode | None:
    """Return the syntax tree of a function, or None if it has no source or several candidates remain."""
    code = function.__code__
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    try:
        nodes = [node for node in _functions_by_line(text).get(code.co_firstlineno, ()) if _fits(node, code)]
    except (SyntaxError, ValueError):
        return None
    if len(nodes) > 1:
        places = _places(code)
        nodes = sorted((node for node in nodes if places and _surrounds(node, places)), key=_extent)[:1]
    return nodes[0] if len(nodes) == 1 else None


@functools.lru_cache(maxsize=4)
def _functions_by_line(text: str) -> dict[int, list[FunctionNode]]:
    found: dict[int, list[FunctionNode]] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, FunctionNode):
            decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
            found.setdefault(min(part.lineno for part in (node, *decorators)), []).append(node)
    return found


def _fits(node: FunctionNode, code: CodeType) -> bool:
    given = node.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names += [each.arg for each in (given.vararg, given.kwarg) if each is not None]
    name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
    return name == code.co_name and names == list(code.co_varnames[: len(names)])


def _places(code: CodeType) -> list[Place]:
    """Return the places of the instructions in the source. Empty before Python 3.11, which introduced them."""
    positions: Any = getattr(code, "co_positions", tuple)()
    return [place for place in positions if None not in place and place[3] > 0]


def _surrounds(node: FunctionNode, places: list[Place]) -> bool:
    """Return whether the instructions are in the body of this lambda. One line may have several lambdas."""
    body = cast(ast.expr, node.body)
    begin, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    return all(
        begin <= (line, column) and (end_line, end_column) <= end for line, end_line, column, end_column in places
    )


def _extent(node: FunctionNode) -> tuple[int, int]:
    return (node.end_lineno or 0) - node.lineno, (node.end_col_offset or 0) - node.col_offset


def _signature_and_body(node: FunctionNode) -> Form:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return (type(node).__name__, _syntax(node.args), _syntax(_without_docstring(node)), _syntax(decorators))


def _without_docstring(node: FunctionNode) -> ast.expr | list[ast.stmt]:
    if isinstance(node, ast.Lambda) or ast.get_docstring(node, clean=False) is None:
        return node.body
    return node.body[1:]


def _syntax(node: Any) -> Form:
    """Return the form of a syntax tree.

    It leaves out positions and empty fields. Newer versions of Python add fields that are empty in older code; with
    them an upgrade of Python would change every fingerprint.
    """
    if isinstance(node, list):
        return ("list", *map(_syntax, cast("list[Any]", node)))
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if name not in WITHOUT_MEANING]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        fields = [(name, _without_docstring(node) if name == "body" else value) for name, value in fields]
    return (
        type(node).__name__,
        *((name, _syntax(value)) for name, value in fields if value is not None and value != []),
    )


# Without source


def _bytecode(code: CodeType, around: frozenset[int]) -> Form:
    constants = tuple(
        _bytecode(each, around) if isinstance(each, CodeType) else _value(each, around) for each in code.co_consts
    )
    return (code.co_code.hex(), constants, code.co_names, code.co_varnames)
