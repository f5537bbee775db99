"""The completion of an entry or of a whole workflow: its status, and its output, error or suspended steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mastra_temporal._data.path import is_object
from mastra_temporal._protocol.results import ErrorInfo, StepResult

__all__ = [
    "META",
    "Completion",
    "completion_of",
    "meta_of",
    "suspended_paths",
    "with_suspended_paths",
    "without_meta",
]

CompletionStatus = Literal[
    "success", "failed", "tripwire", "suspended", "bailed", "canceled", "paused", "continued_as_new"
]

META = "__workflow_meta"
"""Mastra's key in a suspend payload for the state inside a suspended nested workflow or an unfinished foreach."""


@dataclass(frozen=True)
class Completion:
    """The completion of an entry or of a whole workflow."""

    status: CompletionStatus
    output: Any = None
    """The input of the next entry."""
    result: Any = None
    """The result of the workflow if this was its last entry. After parallel and branch it can differ from `output`."""
    error: ErrorInfo | None = None
    non_retryable: bool = False
    tripwire: dict[str, Any] | None = None
    suspended: list[list[str]] = field(default_factory=lambda: list[list[str]]())
    """The paths of the suspended steps, relative to this workflow."""


def completion_of(step_id: str, result: StepResult) -> Completion:
    """Return the completion of an entry that consists of one step, or that one step ended."""
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
    """Return the suspend payload of a nested workflow, with the paths of its suspended steps added."""
    own = payload if is_object(payload) else {}
    return {**own, META: {"runId": run_id, "path": paths[0], "paths": paths}}


def suspended_paths(step_id: str, result: StepResult) -> list[list[str]]:
    """Return the path of a suspended step, or the paths of the suspended steps inside a nested workflow."""
    inner: list[list[str]] = meta_of(result).get("paths", [])
    return [[step_id, *path] for path in inner] or [[step_id]]


def meta_of(result: StepResult) -> dict[str, Any]:
    """Return Mastra's metadata of a suspended or failed step, or an empty dictionary."""
    payload = result.suspend_payload
    meta = payload.get(META) if is_object(payload) else None
    return meta if is_object(meta) else {}


def without_meta(payload: Any) -> Any:
    """Return a suspend payload without Mastra's own entry."""
    return {key: value for key, value in payload.items() if key != META} if is_object(payload) else payload
