"""`check_flow`: checks that the output of each entry can be the input of the next one, by their schemas.

A pair is refused only if it can never work, because the two types have no kind of JSON data in common. Types whose
data may be of any kind (overlapping unions, the user's own validators and serializers, ``Any``) match everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from mastra_temporal._data.schema import Schema
from mastra_temporal._protocol.graph import (
    ConditionalEntry,
    Entry,
    ForeachEntry,
    LoopEntry,
    MappingEntry,
    ParallelEntry,
    SleepEntry,
    SleepUntilEntry,
)
from mastra_temporal.errors import DefinitionError

__all__ = ["check_flow"]

Core = dict[str, Any]
"""A pydantic core schema."""

KINDS = {
    "int": "number",
    "float": "number",
    "bool": "number",  # 1 is taken for true
    "str": "text",
    "none": "null",
    "list": "list",
    "tuple": "list",
    "set": "list",
    "frozenset": "list",
    "dict": "object",
    "model": "object",
    "dataclass": "object",
    "typed-dict": "object",
}
"""The kind of JSON data by type of core schema. The data of types that are not listed may be of any kind."""


@dataclass(frozen=True)
class Given:
    """The input of an entry, which is the output of the entries before it."""

    schema: Core | None
    """The core schema, or None if it is not known."""
    source: str = ""
    """A description for error messages: the output of which entry it is, and its type."""


UNKNOWN = Given(None)


def check_flow(
    entries: list[Entry], steps: Mapping[str, Any], *, takes: Schema | None, gives: Schema | None, owner: str
) -> None:
    """Refuse a workflow in which the output of an entry can never be the input of the next one.

    Args:
        entries: The workflow's entries.
        steps: The workflow's steps and nested workflows by id.
        takes: The schema of the workflow's input.
        gives: The schema of the workflow's output.
        owner: The workflow's name for the message.

    Raises:
        DefinitionError: An output can never be the next input. The message names both sides and their types.
    """
    given = _given("the workflow's input", takes)
    for entry in entries:
        for step_id in (body.body_id for body in entry.bodies):
            offered = _item(given, step_id, owner) if isinstance(entry, ForeachEntry) else given
            _check(offered, steps[step_id].input_schema, f"the input of `{step_id}`", owner)
        given = _after(entry, steps, given, owner)
    _check(given, gives, "the workflow's output", owner)


def _after(entry: Entry, steps: Mapping[str, Any], before: Given, owner: str) -> Given:
    """Return the input of the entry that follows. For a loop, that is also its own."""
    if isinstance(entry, (SleepEntry, SleepUntilEntry)):
        return before
    if isinstance(entry, (ParallelEntry, ConditionalEntry)):
        kind = "parallel" if isinstance(entry, ParallelEntry) else "branch"
        return Given({"type": "dict"}, f"the output of .{kind}() (an object of the steps' outputs)")
    if isinstance(entry, MappingEntry):
        return UNKNOWN if entry.plan.function is not None else Given({"type": "dict"}, f"the object of `{entry.id}`")
    [body] = entry.bodies
    step_id = body.body_id
    output = _given(f"the output of `{step_id}`", steps[step_id].output_schema)
    if isinstance(entry, LoopEntry):
        _check(output, steps[step_id].input_schema, f"the input of `{step_id}` in the next round of the loop", owner)
    if isinstance(entry, ForeachEntry):
        return Given({"type": "list", "items_schema": output.schema}, f"the output of `.foreach({step_id})` (a list)")
    return output


def _given(source: str, schema: Schema | None) -> Given:
    return UNKNOWN if schema is None else Given(schema.core, f"{source} ({_shown(schema)})")


def _item(given: Given, step_id: str, owner: str) -> Given:
    """Return the input of a foreach's step, which is one item of the foreach's input."""
    kinds = [] if given.schema is None else list(_alternatives(given.schema))
    if not kinds or None in kinds:
        return UNKNOWN
    lists = [each for each in kinds if each is not None and KINDS[each["type"]] in ("list", "text")]
    if not lists:
        raise DefinitionError(
            f"{owner}: {given.source} is not a list, but .foreach({step_id}) needs one. "
            "Let that step return a list, or put a .map() between them."
        )
    items: Any = {"type": "str"} if lists[0]["type"] == "str" else lists[0].get("items_schema")
    is_known = len(lists) == 1 and isinstance(items, dict)
    return Given(cast(Core, items), f"an item of {given.source}") if is_known else UNKNOWN


def _check(given: Given, taken: Schema | None, sink: str, owner: str) -> None:
    if given.schema is not None and taken is not None and _never_fits(given.schema, taken.core):
        raise DefinitionError(
            f"{owner}: {given.source} can never be {sink} ({_shown(taken)}). "
            "Correct one of the two, or put a .map() between them."
        )


def _never_fits(given: Core, taken: Core) -> bool:
    all_given, all_taken = list(_alternatives(given)), list(_alternatives(taken))
    if None in all_given or None in all_taken:
        return False
    pairs = [(one, other) for one in all_given for other in all_taken]
    return bool(pairs) and all(_differ(cast(Core, one), cast(Core, other)) for one, other in pairs)


def _differ(given: Core, taken: Core) -> bool:
    if KINDS[given["type"]] != KINDS[taken["type"]]:
        return True
    items = [schema.get("items_schema") for schema in (given, taken)]
    return all(isinstance(each, dict) for each in items) and _never_fits(*cast("list[Core]", items))


def _alternatives(schema: Core) -> Iterator[Core | None]:
    """Yield the alternatives of a schema, such as the members of a union. None stands for data of any kind."""
    kind = schema["type"]
    if "serialization" in schema or schema.get("coerce_numbers_to_str"):
        yield None
    elif kind == "nullable":
        yield {"type": "none"}
        yield from _alternatives(schema["schema"])
    elif kind in ("default", "function-after", "definitions") or (kind == "model" and schema.get("root_model")):
        yield from _alternatives(schema["schema"])
    elif kind == "union":
        for choice in cast("list[Core | tuple[Core, str]]", schema["choices"]):
            yield from _alternatives(choice[0] if isinstance(choice, tuple) else choice)
    elif kind == "literal":
        for value in schema["expected"]:
            yield {"type": type(value).__name__} if type(value) in (int, str, bool) else None
    else:
        yield schema if kind in KINDS else None


def _shown(schema: Schema) -> str:
    kind = schema.annotation
    return kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)
