"""Continuing suspended steps: which of them a ``resume()`` means, and giving them its data.

A suspended run keeps the entry under way of each scope, with the results of its bodies. To resume is to mark bodies
there; the interpreter then enters the same entries again and runs only the marked bodies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mastra_temporal.definition.path import is_object
from mastra_temporal.execution.ending import META
from mastra_temporal.execution.scope import Progress, Scope, milliseconds_now
from mastra_temporal.wire import ResumeRequest, StepResult

__all__ = [
    "NoSuspendedStepError",
    "SuspendedStep",
    "labels",
    "resumed",
    "step_id_of",
    "suspend_data",
    "suspended_steps",
    "targets",
]

ITEM = re.compile(r"\[(\d+)\]$")
OCCURRENCE = re.compile(r"(\[\d+\]|#\d+)$")


class NoSuspendedStepError(Exception):
    """The request means no suspended step, or does not say which."""


@dataclass(frozen=True)
class SuspendedStep:
    """A suspended step, with the way to it: a body of the entry under way of each scope from the root down."""

    way: tuple[tuple[Progress, str], ...]
    scope: Scope
    result: StepResult

    @property
    def keys(self) -> list[str]:
        """The way by step ids, items with their index: ``["orders[2]", "approve"]``."""
        return [key for _, key in self.way]

    @property
    def path(self) -> list[str]:
        """The way by step ids."""
        return [step_id_of(key) for key in self.keys]

    @property
    def address(self) -> dict[str, Any]:
        """The step as Mastra addresses it: the top-level step, and its item."""
        first = self.keys[0]
        index = _index(first)
        return {"stepId": step_id_of(first)} if index is None else {"stepId": step_id_of(first), "foreachIndex": index}

    def mark(self, data: Any) -> None:
        """Let the step, and all nested workflows on the way to it, run again."""
        for progress, key in self.way:
            progress.resuming[key] = data


def suspended_steps(scope: Scope, way: tuple[tuple[Progress, str], ...] = ()) -> Iterator[SuspendedStep]:
    """All suspended steps of a run, in the order of their definition."""
    progress = scope.progress
    if progress is None:
        return
    for key, result in progress.results.items():
        if result.status != "suspended":
            continue
        here = (*way, (progress, key))
        child = progress.children.get(key)
        if child is None:
            yield SuspendedStep(here, scope, result)
        else:
            yield from suspended_steps(child, here)


def labels(scope: Scope) -> dict[str, SuspendedStep]:
    """The suspended steps that have a resume label, by label."""
    return {label: step for step in suspended_steps(scope) for label in step.result.resume_labels or []}


def targets(scope: Scope, request: ResumeRequest) -> list[SuspendedStep]:
    """The suspended steps that a request means: all items of one foreach, or one step.

    Raises:
        NoSuspendedStepError: There is none, or more than one.
    """
    if request.label is not None:
        return [_labelled(scope, request.label)]
    steps = list(suspended_steps(scope))
    if not steps:
        raise NoSuspendedStepError("No suspended steps found in this workflow run")
    chosen = steps if request.step is None else _on_path(steps, request.step)
    if request.for_each_index is not None:
        chosen = _of_item(chosen, request.step or [], request.for_each_index)
    if _fork(chosen):
        raise NoSuspendedStepError(
            f"Multiple suspended steps found: {_listed(chosen)}. "
            'Please specify which step to resume using the "step" parameter.'
        )
    return chosen


def _labelled(scope: Scope, label: str) -> SuspendedStep:
    known = labels(scope)
    if label not in known:
        raise NoSuspendedStepError(f'Resume label "{label}" not found. Available labels: [{", ".join(known)}]')
    return known[label]


def _on_path(steps: list[SuspendedStep], path: list[str]) -> list[SuspendedStep]:
    chosen = [step for step in steps if _matches(step.keys, path)]
    if chosen:
        return chosen
    heads = list(dict.fromkeys(step.path[0] for step in steps))
    if path and step_id_of(path[0]) not in heads:
        raise NoSuspendedStepError(
            f'This workflow step "{path[0]}" was not suspended. Available suspended steps: [{", ".join(heads)}]'
        )
    raise NoSuspendedStepError(
        f'This workflow step "{".".join(path)}" was not suspended. Available suspended steps: {_listed(steps)}'
    )


def _of_item(steps: list[SuspendedStep], path: list[str], index: int) -> list[SuspendedStep]:
    """The steps of one item: of the first foreach on the way whose item the path leaves open."""
    chosen = [step for step in steps if _open_index(step, path) == index]
    if not chosen:
        suspended = sorted({found for step in steps if (found := _open_index(step, path)) is not None})
        raise NoSuspendedStepError(
            f"Item {index} was not suspended. Available suspended items: [{', '.join(map(str, suspended))}]"
        )
    return chosen


def _matches(keys: list[str], path: list[str]) -> bool:
    """Whether a path leads to a step, or to a nested workflow around it. Without an index it means every item."""
    return len(path) <= len(keys) and all(
        wanted in (key, step_id_of(key)) for wanted, key in zip(path, keys[: len(path)], strict=True)
    )


def _fork(steps: list[SuspendedStep]) -> bool:
    """Whether the ways part anywhere but at the items of a foreach, which are resumed together."""
    following: dict[tuple[str, ...], set[str]] = {}
    for step in steps:
        keys = tuple(step.keys)
        for depth, key in enumerate(keys):
            following.setdefault(keys[:depth], set()).add(step_id_of(key))
    return any(len(ids) > 1 for ids in following.values())


def _open_index(step: SuspendedStep, path: list[str]) -> int | None:
    given = [_index(wanted) is not None for wanted in path] + [False] * len(step.keys)
    indexes = (_index(key) for key, is_given in zip(step.keys, given, strict=False) if not is_given)
    return next((index for index in indexes if index is not None), None)


def _listed(steps: list[SuspendedStep]) -> str:
    return ", ".join(dict.fromkeys(f"[{', '.join(step.path)}]" for step in steps))


def step_id_of(key: str) -> str:
    """The step id of a key of a progress, or of a part of a scope's path."""
    return OCCURRENCE.sub("", key)


def _index(key: str) -> int | None:
    item = ITEM.search(key)
    return None if item is None else int(item[1])


def resumed(result: StepResult, data: Any) -> StepResult:
    """The result of a suspended body that goes on: it keeps its input and its beginning."""
    update: dict[str, Any] = {"status": "running", "suspend_payload": None, "suspend_output": None}
    update |= {"suspended_at": None, "resume_labels": None}
    if data is not None:
        update |= {"resume_payload": data, "resumed_at": milliseconds_now()}
    return result.model_copy(update=update)


def suspend_data(result: StepResult) -> Any:
    """What a step suspended with, without what Mastra keeps there for itself."""
    payload = result.suspend_payload
    if not is_object(payload):
        return payload
    return {key: value for key, value in payload.items() if key != META}
