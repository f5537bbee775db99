"""Parsing of the object form of ``.map()``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from mastra_temporal._data.gate import to_json
from mastra_temporal._data.path import is_array
from mastra_temporal._data.shown import shown
from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal._definition.function import source_of
from mastra_temporal._definition.ids import fault_of
from mastra_temporal._definition.template import check_template
from mastra_temporal._protocol.graph import FunctionRef, MapSource
from mastra_temporal.errors import DefinitionError

__all__ = ["ParsedMapping", "map_variable", "parse_mapping"]

SOURCES = ("value", "fn", "template", "request_context_path", "init_data", "step")
CAMEL_CASE = {"requestContextPath": "request_context_path", "initData": "init_data"}


@dataclass(frozen=True)
class ParsedMapping:
    """A mapping as data."""

    sources: dict[str, MapSource]
    config: str
    """The text that the graph shows."""


def map_variable(*, step: Any = None, init_data: Any = None, path: str = "") -> dict[str, Any]:
    """Return ``{"step": ..., "path": ...}`` or ``{"init_data": ..., "path": ...}``, for use in ``.map()``.

    Mastra's ``mapVariable``.

    Args:
        step: The step whose output is the source.
        init_data: True, or the workflow, if the workflow's input is the source. Ignored if ``step`` is given.
        path: The dotted path in the source. Default: the whole source.
    """
    return {"init_data": init_data, "path": path} if step is None else {"step": step, "path": path}


def parse_mapping(
    config: Mapping[str, Any], *, map_id: str, owner: str, keep: Callable[[str, Callable[..., Any]], FunctionRef]
) -> ParsedMapping:
    """Parse the object form of ``.map()``.

    Args:
        config: The object that the user wrote.
        map_id: The id of the mapping.
        owner: The workflow's name for error messages.
        keep: Stores the function of a key under its id.

    Raises:
        DefinitionError: A key has no source, two sources, an unknown source, or a wrong template.
    """
    sources: dict[str, MapSource] = {}
    functions: dict[str, Callable[..., Any]] = {}
    if not _is_mapping(config):
        raise DefinitionError(f"{owner}: .map() takes a function or an object of sources, got {shown(config)}.")
    for key, item in config.items():
        if (fault := fault_of(key)) is not None:
            raise DefinitionError(f"{owner}: map `{map_id}`: {shown(key)} cannot be a key: {fault}.")
        where = f"{owner}: map `{map_id}`, key `{key}`"
        if not _is_mapping(item):
            raise DefinitionError(
                f"{where}: expected an object such as {{'step': ..., 'path': ...}} or {{'value': ...}}, "
                f"got {shown(item)}."
            )
        sources[key] = _parse_source(
            {CAMEL_CASE.get(name, name): value for name, value in item.items()},
            where,
            lambda function, key=key: keep(f"{map_id}.{key}", function),
        )
        if "fn" in item:
            functions[key] = item["fn"]
    return ParsedMapping(sources, _readable(sources, functions))


def _is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _parse_source(item: dict[str, Any], where: str, keep: Callable[[Callable[..., Any]], FunctionRef]) -> MapSource:
    given = [name for name in SOURCES if name in item]
    unknown = [name for name in item if name not in (*SOURCES, "path", "schema")]
    if unknown:
        raise DefinitionError(f"{where}: unknown source `{unknown[0]}`.{did_you_mean(unknown[0], (*SOURCES, 'path'))}")
    if len(given) != 1:
        found = " and ".join(f"`{name}`" for name in given) or "none"
        raise DefinitionError(f"{where}: needs exactly one of {', '.join(SOURCES)}; found {found}.")
    kind, value = given[0], item[given[0]]
    path = item.get("path") or ""
    _check_text(path, f"{where}: `path`")
    if kind == "value":
        return MapSource(value=to_json(value, what=where))
    if kind == "fn":
        if not callable(value):
            raise DefinitionError(f"{where}: `fn` must be a function, got {shown(value)}.")
        return MapSource(fn=keep(value))
    if kind == "template":
        try:
            check_template(value)
        except DefinitionError as error:
            raise DefinitionError(f"{where}: {error}") from None
        return MapSource(template=value)
    if kind == "request_context_path":
        _check_text(value, f"{where}: `request_context_path`")
        return MapSource(request_context_path=value)
    if kind == "init_data":
        return MapSource(init_data=True, path=path)
    ids = [getattr(step, "id", step) for step in (value if is_array(value) else [value])]
    for step_id in ids:
        _check_text(step_id, f"{where}: `step`")
    return MapSource(step=ids, path=path)


def _check_text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise DefinitionError(f"{where} is text such as 'a.b', got {shown(value)}.")
    to_json(value, what=where)


def _readable(sources: dict[str, MapSource], functions: dict[str, Callable[..., Any]]) -> str:
    shown = {key: source.model_dump(by_alias=True) for key, source in sources.items()}
    for key, function in functions.items():
        shown[key] = {"fn": source_of(function)}
    text = json.dumps(shown, indent=2)
    return text if len(text) <= 1000 else text[:1000] + "...\n}"
