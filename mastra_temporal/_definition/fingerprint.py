"""`fingerprint`: identifies a user function whose entry has no id.

The fingerprint covers the function's code, its defaults, the values that it captures, and the state of objects as far
as it is data. It is the same in every process. If the source can be read, it is also the same on every version of
Python. Comments, formatting, docstrings and the function's own name do not change it. Neither do classes and functions
that it uses by a global name, because Python looks them up when it runs.
"""

from __future__ import annotations

import ast
import copyreg
import dataclasses
import functools
import hashlib
import inspect
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import CellType, CodeType, FunctionType, MappingProxyType, ModuleType
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
MAX_DEPTH = 60
"""The number of levels of a captured value that count."""
MAX_OBJECTS = 1_000
"""The number of objects and functions that one object may consist of."""
OPAQUE = "opaque"
"""The form of a state that is no data, or that is too large."""
EMPTY = object()
"""The content of a captured variable that has no value yet."""
WITHOUT_MEANING = ("ctx", "kind", "type_comment")
"""Fields of the syntax tree that do not change what the code does."""


@dataclasses.dataclass(frozen=True)
class _Around:
    """What is known on the way down to a value."""

    ids: frozenset[int]
    """The ids of the values that contain this one, because a value may contain itself."""
    objects: Iterator[int] | None = None
    """One item for each object that may still be read, because one object of an application may lead to all others.

    None outside of objects.
    """

    def with_value(self, value: object) -> _Around:
        return dataclasses.replace(self, ids=self.ids | {id(value)})

    def with_object(self) -> _Around:
        return self if self.objects else dataclasses.replace(self, objects=iter(range(MAX_OBJECTS)))

    def is_used_up(self) -> bool:
        return self.objects is not None and next(self.objects, None) is None


def fingerprint(kind: str, function: Callable[..., Any]) -> str:
    """Return the fingerprint of a function that is used as ``kind``: 16 hexadecimal digits."""
    form = repr((kind, _value(function, _Around(frozenset()))))
    return hashlib.sha256(form.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _value(value: Any, around: _Around) -> Form:
    """Return the form of a function or a captured value.

    Data are described by their values, functions by their code and objects by their class and state.
    """
    if isinstance(value, Enum):
        return (_name(type(value)), value.name)
    if isinstance(value, PLAIN):
        # `repr` refuses integers of more than 4,300 digits.
        return (type(value).__name__, hex(value) if type(value) is int else repr(value))
    if id(value) in around.ids or len(around.ids) > MAX_DEPTH:
        return "itself"
    around = around.with_value(value)
    if isinstance(value, (list, tuple)):
        return ("list", *(_value(item, around) for item in cast("Iterable[Any]", value)))
    # The order of a set differs from process to process. Without sorting, so would the fingerprint.
    if isinstance(value, (set, frozenset)):
        return ("set", *sorted((_value(item, around) for item in cast("Iterable[Any]", value)), key=repr))
    if isinstance(value, (dict, MappingProxyType)):
        return ("dict", _items(cast("dict[Any, Any]", value), around))
    if isinstance(value, functools.partial):
        bound = cast("functools.partial[Any]", value)
        return ("partial", *(_value(part, around) for part in (bound.func, bound.args, bound.keywords)))
    if inspect.ismethod(value):
        return ("method", _value(value.__func__, around), _owner(value.__self__, around))
    if inspect.isfunction(value):
        return _function(value, around)
    if isinstance(value, (type, ModuleType)):
        return _name(value)
    if inspect.isroutine(value):
        return _native(value, around)
    return _object(value, around, whole=not callable(value))


def _owner(value: Any, around: _Around) -> Form:
    """Return the form of the object that a method belongs to."""
    if isinstance(value, type) or id(value) in around.ids:
        return _value(value, around)
    return _object(value, around.with_value(value), whole=False)


def _native(value: Any, around: _Around) -> Form:
    """Return the form of a function that is written in C."""
    if isinstance(value, CACHED):
        return ("cached", _value(cast("Any", value).__wrapped__, around))
    return (_name(value), _value(getattr(value, "__self__", None), around))


def _object(value: object, around: _Around, *, whole: bool) -> Form:
    """Return the form of an object.

    A connection, a lock and everything that has one differ from process to process. Such an object counts by its class
    alone if ``whole``. A callable object and the owner of a method are the function itself, so the rest of their
    state counts.
    """
    state = _state(value, around.with_object())
    if whole and _has_opaque(state):
        state = OPAQUE
    call = getattr(type(value), "__call__", None)  # noqa: B004 - what it does when it is called is wanted
    code = _value(call, around) if inspect.isfunction(call) else ()
    return (_name(type(value)), state, code)


def _state(value: Any, around: _Around) -> Form:
    """Return the form of what an object is made of.

    Pickle's protocol knows it, and refuses what belongs to one process.
    """
    if around.is_used_up():
        return OPAQUE
    if isinstance(value, BaseModel):
        return _items(dict(value), around)
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
        return _items(fields, around)
    try:
        reduced: Any = copyreg.dispatch_table.get(cast("type[Any]", type(value)), _reduce)(value)
        if isinstance(reduced, str):
            return reduced
        make, arguments, state, *items = (*reduced, None, None, None)[:5]
        parts = [make, arguments, state or None, *(list(each) for each in items if each is not None)]
    except Exception:  # code of the user's class
        return OPAQUE
    return tuple(_value(part, around) for part in parts)


def _reduce(value: Any) -> Any:
    return value.__reduce_ex__(2)


def _has_opaque(form: Form) -> bool:
    return form == OPAQUE or (isinstance(form, tuple) and any(map(_has_opaque, form)))


def _items(values: dict[Any, Any], around: _Around) -> Form:
    return tuple((_value(key, around), _value(item, around)) for key, item in values.items())


def _name(value: Any) -> str:
    module = getattr(value, "__module__", None)
    return f"{module}.{getattr(value, '__qualname__', getattr(value, '__name__', ''))}"


def _function(function: FunctionType, around: _Around) -> Form:
    if around.is_used_up():
        return OPAQUE
    if (registry := _registry(function)) is not None:
        return ("dispatch", *sorted((_name(kind), _value(each, around)) for kind, each in registry.items()))
    defaults = _value((function.__defaults__, function.__kwdefaults__), around)
    captured = tuple(
        (name, _captured(cell, around))
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    )
    return (_code(function, around), defaults, captured, _wrapped(function, around))


def _registry(function: FunctionType) -> dict[type, Any] | None:
    """Return the implementations of a `functools.singledispatch` function. Its closure has caches of the process."""
    registry: Any = getattr(function, "registry", None)
    is_dispatch = function.__code__.co_filename == functools.__file__ and isinstance(registry, MappingProxyType)
    return dict(cast("MappingProxyType[type, Any]", registry)) if is_dispatch else None


def _code(function: FunctionType, around: _Around) -> Form:
    module = str(function.__globals__.get("__name__"))
    if module.partition(".")[0] in sys.stdlib_module_names:
        return f"{module}.{function.__code__.co_name}"  # its code differs from one version of Python to the next
    node = _node_of(function)
    return _bytecode(function.__code__, around) if node is None else _signature_and_body(node)


def _wrapped(function: FunctionType, around: _Around) -> Form:
    """Return the form of the function that this one wraps. It counts once if it is captured as well."""
    wrapped = getattr(function, "__wrapped__", None)
    if wrapped is None or any(_contents(cell) is wrapped for cell in function.__closure__ or ()):
        return ()
    return _value(wrapped, around)


def _captured(cell: CellType, around: _Around) -> Form:
    content = _contents(cell)
    return "empty" if content is EMPTY else _value(content, around)


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return EMPTY


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


def _bytecode(code: CodeType, around: _Around) -> Form:
    constants = tuple(
        _bytecode(each, around) if isinstance(each, CodeType) else _value(each, around) for each in code.co_consts
    )
    return (code.co_code.hex(), constants, code.co_names, code.co_varnames)
