"""How an entry, or a whole workflow, ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mastra_temporal._data.path import is_object
from mastra_temporal._protocol.results import ErrorInfo, StepResult

__all__ = ["META", "Completion", "completion_of", "meta_of", "suspended_paths", "with_suspended_paths"]

CompletionStatus = Literal[
    "success", "failed", "tripwire", "suspended", "bailed", "canceled", "paused", "continued_as_new"
]

META = "__workflow_meta"
"""Mastra's key for what a suspended step or a broken-off foreach says of its inside."""


@dataclass(frozen=True)
class Completion:
    """How an entry, or a whole workflow, ended."""

    status: CompletionStatus
    output: Any = None
    """What the next entry gets."""
    result: Any = None
    """What the workflow gives if this was its last entry: not always the same after parallel and branch."""
    error: ErrorInfo | None = None
    non_retryable: bool = False
    tripwire: dict[str, Any] | None = None
    suspended: list[list[str]] = field(default_factory=lambda: list[list[str]]())
    """The paths of the suspended steps, seen from this workflow."""


def completion_of(step_id: str, result: StepResult) -> Completion:
    """The completion of an entry that is a single step, or that a single step ended."""
    if result.status == "failed":
        if result.tripwire is not None:
            return Completion("tripwire", tripwire=result.tripwire)
        return Completion("failed", error=result.error, non_retryable=bool(result.non_retryable))
    if result.status == "suspended":
        return Completion("suspended", suspended=suspended_paths(step_id, result))
    if result.status == "canceled":
        return Completion("canceled")
    if result.status == "paused":
        return Completion("paused")
    if result.status == "running":
        return Completion("continued_as_new")
    return Completion("bailed" if result.status == "bailed" else "success", output=result.output, result=result.output)


def with_suspended_paths(payload: Any, paths: list[list[str]], run_id: str) -> dict[str, Any]:
    """The payload of a suspended nested workflow, with the paths inside it."""
    own = payload if is_object(payload) else {}
    return {**own, META: {"runId": run_id, "path": paths[0], "paths": paths}}


def suspended_paths(step_id: str, result: StepResult) -> list[list[str]]:
    """The paths of a suspended step: itself, or the steps inside the nested workflow that it is."""
    inner: list[list[str]] = meta_of(result).get("paths", [])
    return [[step_id, *path] for path in inner] or [[step_id]]


def meta_of(result: StepResult) -> dict[str, Any]:
    """What a suspended or broken-off step says of its inside."""
    payload = result.suspend_payload
    meta = payload.get(META) if is_object(payload) else None
    return meta if is_object(meta) else {}
