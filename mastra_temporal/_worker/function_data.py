"""Hands the data of a run to the functions that it calls, within one process.

A local activity runs in the process that holds the run. So its argument has only a number, by which the activity finds
the data here, and a function pays only for what it reads. Sent as an argument, all outputs of the run would be encoded
and decoded for each condition of a loop.
"""

from __future__ import annotations

import itertools
from typing import Any
from weakref import WeakValueDictionary

from pydantic_core import from_json, to_json

from mastra_temporal._protocol.function_calls import FunctionData

__all__ = ["copy_of", "held", "hold"]

# Weak, so that data vanish with the call of the run that waits for the function: also when the run is evicted.
_held: WeakValueDictionary[int, FunctionData] = WeakValueDictionary()
_numbers = itertools.count(1)


def hold(data: FunctionData) -> int:
    """Make data available by a number, for as long as the caller keeps them."""
    # The number differs between the first execution and a replay. It must go only into the argument of a local
    # activity, which is not recorded.
    number = next(_numbers)
    _held[number] = data
    return number


def held(number: int) -> FunctionData | None:
    """Return the data of a number, or None if their run has been evicted from this process."""
    return _held.get(number)


def copy_of(value: Any) -> Any:
    """Return a copy of JSON data. A function may change what it gets, and the run must not see that."""
    return value if value is None or isinstance(value, (str, bool, int, float)) else from_json(to_json(value))
