"""Writes snapshots with each value only once.

A value of a run appears in many places: the output of a step is the input of the next one, the list of a foreach is
also the input of its workflow. What an execution begins with must fit into one payload, so the places hold numbers, and
the values stand in one list. Values are the same if they are the same object; reading a snapshot restores that. The
value 0 is the input of the run, which stands beside the snapshot. A long list is compressed.

The outputs of a foreach are written as lists of neighbours: ``[[0, [a, b]], [3, [d]]]`` for the items 0, 1 and 3.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import from_json, to_json

__all__ = ["pack", "unpack"]

VALUES = "values"
COMPRESSED = "compressedValues"
COMPRESSED_FROM = 32 * 1024
"""Bytes from which the list of values is compressed. Below, a person can read it in the Temporal UI."""
SHARED = {"initData", "inputData", "state", "payload", "output"}
"""The keys of scopes, progress and step results whose values are shared."""
PARTS = {"scope", "left", "steps", "results", "children", "progress"}
"""The keys that contain scopes, progress or step results."""
OUTPUTS = "outputs"


def pack(snapshot: BaseModel, run_input: Any) -> tuple[dict[str, Any], Any]:
    """Return a snapshot as data, and the input that stands beside it: None if it is among the compressed values."""
    values: list[Any] = [run_input]
    numbers: dict[int, int] = {id(run_input): 0}

    def number_of(value: Any) -> int:
        number = numbers.setdefault(id(value), len(values))
        if number == len(values):
            values.append(value)  # keeps the object alive, so that its id stays its own
        return number

    data = _packed(snapshot, number_of)
    encoded = to_json(values)
    data["size"] = len(encoded)
    if len(encoded) < COMPRESSED_FROM:
        return {**data, VALUES: values[1:]}, run_input
    return {**data, COMPRESSED: base64.b64encode(zlib.compress(encoded, level=1)).decode()}, None


def _packed(part: Any, number_of: Callable[[Any], int]) -> Any:
    if isinstance(part, list):
        return [_packed(each, number_of) for each in cast("list[Any]", part)]
    if isinstance(part, dict):
        return {key: _packed(each, number_of) for key, each in cast("dict[str, Any]", part).items()}
    found: dict[str, Any] = {}
    for name, field in cast("BaseModel", part).__class__.model_fields.items():
        key, value = field.alias or name, getattr(part, name)
        if value is None or value == field.default:
            continue
        if key in SHARED:
            value = number_of(value)
        elif key in PARTS:
            value = _packed(value, number_of)
        elif key == OUTPUTS:
            value = _neighbours(value)
        found[key] = value
    return found


def unpack(packed: Mapping[str, Any], run_input: Any) -> tuple[dict[str, Any], Any]:
    """Return what `pack` wrote as nested data, and the input of the run."""
    compressed = packed.get(COMPRESSED)
    values: list[Any]
    if compressed is None:
        values = [run_input, *packed[VALUES]]
    else:
        values = from_json(zlib.decompress(base64.b64decode(compressed)))
    data = {key: value for key, value in packed.items() if key not in (VALUES, COMPRESSED)}
    return _unpacked(data, values), values[0]


def _unpacked(part: Mapping[str, Any], values: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in part.items():
        if key in SHARED:
            found[key] = values[value]
        elif key in ("scope", "progress"):
            found[key] = _unpacked(value, values)
        elif key == "left":
            found[key] = [_unpacked(each, values) for each in value]
        elif key in PARTS:
            found[key] = {name: _unpacked(each, values) for name, each in value.items()}
        elif key == OUTPUTS:
            found[key] = {start + offset: output for start, run in value for offset, output in enumerate(run)}
        else:
            found[key] = value
    return found


def _neighbours(outputs: dict[int, Any]) -> list[list[Any]]:
    runs: list[list[Any]] = []
    end = None
    for index in sorted(outputs):
        if index != end:
            runs.append([index, []])
        runs[-1][1].append(outputs[index])
        end = index + 1
    return runs
