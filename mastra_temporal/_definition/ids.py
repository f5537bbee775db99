"""Checks of the ids of steps, workflows, runs and task queues, all of which become names or ids in Temporal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mastra_temporal._data.shown import shown
from mastra_temporal.errors import DefinitionError

__all__ = ["MAX_ID_BYTES", "check_id", "check_names", "fault_of"]

MAX_ID_BYTES = 1000
"""Temporal's limit for any id or name, in bytes of UTF-8."""
_SUFFIX_BYTES = 16
"""Bytes reserved for an item or iteration in a path and for the number of an activity, as in ``[123456]#7``."""
_RESERVED = ".[]#"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def fault_of(value: object) -> str | None:
    """Return why a value cannot be an id in Temporal, or None if it can."""
    if not isinstance(value, str):
        return f"it is a {type(value).__name__}, not text"
    if not value:
        return "it is empty"
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        return f"character {error.start} is half a surrogate pair, which is no text"
    if (control := _CONTROL.search(value)) is not None:
        return f"it has the control character {control[0]!r}"
    return f"it has {size:,} bytes, Temporal takes {MAX_ID_BYTES:,}" if size > MAX_ID_BYTES else None


def check_id(value: object, *, kind: str) -> str:
    """Check the id of a step or workflow and return it. It must be usable in paths such as ``nested.step[3]``.

    Raises:
        DefinitionError: Temporal does not take the id, or it has a character with a meaning in paths.
    """
    if (fault := fault_of(value)) is not None or not isinstance(value, str):
        raise DefinitionError(f"A {kind} needs an id that Temporal takes, got {shown(value)}: {fault}.")
    if any(character in value for character in _RESERVED):
        raise DefinitionError(f"{kind} `{value}`: an id cannot contain any of `. [ ] #`, they have a meaning in paths.")
    return value


def check_names(workflow_id: str, steps: Mapping[str, Any], callbacks: Iterable[str]) -> None:
    """Refuse ids that are together too long. Activity types and ids are made from workflow ids and step paths.

    Args:
        workflow_id: The workflow's id.
        steps: The workflow's steps and nested workflows by id.
        callbacks: The names of the workflow's callbacks.

    Raises:
        DefinitionError: The type or the id of an activity would be longer than Temporal takes.
    """
    types = [[workflow_id, step_id] for step_id, step in steps.items() if not hasattr(step, "steps")]
    ids = [_longest_path(steps), *([workflow_id, callback] for callback in callbacks)]
    for name in types + ids:
        size = len(".".join(name).encode()) + (_SUFFIX_BYTES * len(name) if name in ids else 0)
        if size > MAX_ID_BYTES:
            raise DefinitionError(
                f"workflow `{_shortened(workflow_id)}`: the ids {', '.join(map(_shortened, name))} are too long "
                f"together: with them an activity has a name of {size:,} bytes, Temporal takes {MAX_ID_BYTES:,}."
            )


def _longest_path(steps: Mapping[str, Any]) -> list[str]:
    """Return the longest path to a step, in bytes, through all nested workflows."""
    paths: list[list[str]] = [[]]
    paths += ([step_id, *_longest_path(getattr(step, "steps", {}))] for step_id, step in steps.items())
    return max(paths, key=lambda path: sum(len(part.encode()) + _SUFFIX_BYTES for part in path))


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."
