"""Finds the suspended steps that a ``resume()`` addresses, and gives them its data.

A suspended run keeps the current entry of each scope, with the results of its bodies. A resume marks suspended bodies
there. The interpreter then enters the same entries again and runs only the marked bodies.

Each suspension is answered once. A resume is refused if another caller has answered the same step since the run was
read, or if that step is running again. Other suspended steps can be answered meanwhile. They run when all steps in
flight have ended or are suspended again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from temporalio.exceptions import ApplicationError

from mastra_temporal._protocol.keys import ITEM, step_id_of
from mastra_temporal._protocol.messages import ResumeClaim, ResumeRequest
from mastra_temporal._protocol.names import NOT_SUSPENDED, RESUME_CLAIMED, RUN_NOT_SUSPENDED
from mastra_temporal._protocol.results import StepResult
from mastra_temporal._worker.workflow.completion import without_meta
from mastra_temporal._worker.workflow.scope import Answer, Progress, RunState, Scope, milliseconds_now

__all__ = [
    "SuspendedStep",
    "answer",
    "labels",
    "resumable",
    "resumed",
    "suspend_data",
    "suspended_steps",
    "take_up",
]

KEPT_CLAIMS = 1000
"""How many of the latest resumes a run remembers. Callers resume within moments after they have read the run."""


class NoSuspendedStepError(Exception):
    """The request addresses no suspended step, or more than one."""


class ClaimedError(Exception):
    """Another caller has already resumed what the request addresses."""


@dataclass(frozen=True)
class SuspendedStep:
    """A suspended step, with the way to it: the body in the current entry of each scope, from the root down."""

    way: tuple[tuple[Progress, str], ...]
    scope: Scope
    result: StepResult

    @property
    def keys(self) -> list[str]:
        """The way as step IDs, with the index of a foreach item: ``["orders[2]", "approve"]``."""
        return [key for _, key in self.way]

    @property
    def path(self) -> list[str]:
        """The way as step IDs."""
        return [step_id_of(key) for key in self.keys]

    @property
    def address(self) -> dict[str, Any]:
        """The address of the step in Mastra's resume labels: the top-level step, and the index of its item."""
        first = self.keys[0]
        index = _index(first)
        return {"stepId": step_id_of(first)} if index is None else {"stepId": step_id_of(first), "foreachIndex": index}

    @property
    def going_on(self) -> bool:
        """Whether the step has been resumed already and is running."""
        progress, key = self.way[-1]
        return key in progress.resuming

    def mark(self, data: Any) -> None:
        """Mark the step, and all nested workflows on the way to it, to run again."""
        for progress, key in self.way:
            progress.resuming[key] = data


def suspended_steps(scope: Scope, way: tuple[tuple[Progress, str], ...] = ()) -> Iterator[SuspendedStep]:
    """Yield all suspended steps of a run, in the order of its results."""
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
    """Return the suspended steps that have a resume label, by label."""
    return {label: step for step in suspended_steps(scope) for label in step.result.resume_labels or []}


def resumable(
    run: RunState, scope: Scope, request: ResumeRequest, *, suspended: bool, claimed: str
) -> list[SuspendedStep]:
    """Return the suspended steps that a request addresses.

    Args:
        run: The run.
        scope: The root scope of the run.
        request: The request.
        suspended: Whether the run as a whole is suspended.
        claimed: The error message if another caller has resumed them already.

    Raises:
        ApplicationError: There are none, the request is ambiguous, or another caller has resumed them already.
    """
    if run.traveling:
        raise ApplicationError(claimed, type=RESUME_CLAIMED)
    try:
        return targets(run, scope, request)
    except ClaimedError:
        raise ApplicationError(claimed, type=RESUME_CLAIMED) from None
    except NoSuspendedStepError as error:
        raise ApplicationError(str(error) if suspended else NOT_SUSPENDED, type=RUN_NOT_SUSPENDED) from None


def targets(run: RunState, scope: Scope, request: ResumeRequest) -> list[SuspendedStep]:
    """Return the suspended steps that a request addresses: one step, or all items of one foreach.

    Raises:
        NoSuspendedStepError: There is none, or more than one.
        ClaimedError: Another caller has resumed it already.
    """
    # Accepted answers wait in `run.answers` while other steps are in flight. Without this check, a second resume of the
    # same step would be accepted in that time.
    waiting = [answer.keys for answer in run.answers]
    steps = [step for step in suspended_steps(scope) if not step.going_on and step.keys not in waiting]
    try:
        found = _chosen(steps, request)
    except NoSuspendedStepError:
        under_way = [step.keys for step in suspended_steps(scope) if step.going_on] + waiting
        claimed = [claim for claim in run.claims if claim.keys in under_way or _is_later(claim, request)]
        if any(_means(request, claim.keys, claim.labels) for claim in claimed):
            raise ClaimedError from None
        raise
    if any(_is_later(claim, request) and _means(request, claim.keys, claim.labels) for claim in run.claims):
        raise ClaimedError
    return found


def _is_later(claim: ResumeClaim, request: ResumeRequest) -> bool:
    """Return whether a claim was made after the caller had read the run."""
    return request.resume_count is not None and claim.resume_count > request.resume_count


def answer(run: RunState, steps: list[SuspendedStep], request: ResumeRequest, resume_count: int) -> None:
    """Accept a resume for suspended steps. `take_up` gives it to them as soon as nothing is in flight."""
    for step in steps:
        run.answers.append(Answer(step.keys, request.resume_data, bool(request.per_step)))
        run.claims.append(ResumeClaim(keys=step.keys, labels=step.result.resume_labels, resume_count=resume_count))
    del run.claims[:-KEPT_CLAIMS]


def take_up(run: RunState, scope: Scope) -> None:
    """Mark the steps that were answered to run again. Call this only while nothing is in flight."""
    steps = {tuple(step.keys): step for step in suspended_steps(scope)}
    for each in run.answers:
        if (step := steps.get(tuple(each.keys))) is not None:
            step.mark(each.data)
    if run.answers:
        run.per_step = any(each.per_step for each in run.answers)
    run.answers.clear()


def _chosen(steps: list[SuspendedStep], request: ResumeRequest) -> list[SuspendedStep]:
    if request.label is not None:
        return [_labelled(steps, request.label)]
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


def _labelled(steps: list[SuspendedStep], label: str) -> SuspendedStep:
    known = {name: step for step in steps for name in step.result.resume_labels or []}
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
    """Return the steps of one item of the first foreach on the way for which the path gives no index."""
    chosen = [step for step in steps if _open_index(step.keys, path) == index]
    if not chosen:
        suspended = sorted({found for step in steps if (found := _open_index(step.keys, path)) is not None})
        raise NoSuspendedStepError(
            f"Item {index} was not suspended. Available suspended items: [{', '.join(map(str, suspended))}]"
        )
    return chosen


def _means(request: ResumeRequest, keys: list[str], labels: list[str] | None) -> bool:
    """Return whether a request addresses the step at the end of this way, suspended or not."""
    if request.label is not None:
        return request.label in (labels or [])
    path = request.step or []
    on_path = request.step is None or _matches(keys, path)
    return on_path and request.for_each_index in (None, _open_index(keys, path))


def _matches(keys: list[str], path: list[str]) -> bool:
    """Return whether a path leads to a step, or to a nested workflow around it. A key without an index matches all."""
    return len(path) <= len(keys) and all(
        wanted in (key, step_id_of(key)) for wanted, key in zip(path, keys[: len(path)], strict=True)
    )


def _fork(steps: list[SuspendedStep]) -> bool:
    """Return whether the steps differ in more than the item of a foreach. Items are resumed together."""
    following: dict[tuple[str, ...], set[str]] = {}
    for step in steps:
        keys = tuple(step.keys)
        for depth, key in enumerate(keys):
            following.setdefault(keys[:depth], set()).add(step_id_of(key))
    return any(len(ids) > 1 for ids in following.values())


def _open_index(keys: list[str], path: list[str]) -> int | None:
    given = [_index(wanted) is not None for wanted in path] + [False] * len(keys)
    indexes = (_index(key) for key, is_given in zip(keys, given, strict=False) if not is_given)
    return next((index for index in indexes if index is not None), None)


def _listed(steps: list[SuspendedStep]) -> str:
    return ", ".join(dict.fromkeys(f"[{', '.join(step.path)}]" for step in steps))


def _index(key: str) -> int | None:
    item = ITEM.search(key)
    return None if item is None else int(item[1])


def resumed(result: StepResult, data: Any) -> StepResult:
    """Return the result of a suspended body that runs again. It keeps its input and its start time."""
    update: dict[str, Any] = {"status": "running", "suspend_payload": None, "suspend_output": None}
    update |= {"suspended_at": None, "resume_labels": None}
    if data is not None:
        update |= {"resume_payload": data, "resumed_at": milliseconds_now()}
    return result.model_copy(update=update)


def suspend_data(result: StepResult) -> Any:
    """Return the payload that a step suspended with, without Mastra's internal metadata."""
    return without_meta(result.suspend_payload)
