"""Plan a time travel: build the snapshot from which the new execution continues at the target step.

The plan descends from the run's workflow through nested workflows to the target. On each level, the entries before the
target keep their results, the target's entry is prepared, and the results after it are dropped.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from mastra_temporal._data.gate import json_object
from mastra_temporal._data.path import is_array
from mastra_temporal._protocol.graph import (
    ConditionalEntry,
    Entry,
    ForeachEntry,
    LoopEntry,
    NestedEntry,
    ParallelEntry,
    SleepEntry,
    SleepUntilEntry,
    StepEntry,
)
from mastra_temporal._protocol.keys import index_of, step_id_of
from mastra_temporal._protocol.results import StepResult
from mastra_temporal._protocol.snapshot import ProgressSnapshot, RunSnapshot, ScopeSnapshot
from mastra_temporal._worker.workflow.foreach import recorded_items
from mastra_temporal._worker.workflow.scope import Scope
from mastra_temporal._worker.workflow.snapshot import nested_entry, take_snapshot
from mastra_temporal.errors import TimeTravelError

__all__ = ["StepContexts", "TimeTravelRequest", "plan_time_travel", "step_contexts"]

StepContexts = dict[str, StepResult]
"""Results by step id that replace recorded ones."""

MAX_REPORTED = 10
"""Maximum number of recorded steps named in an error message."""
KEPT = ("suspended", "paused", "bailed")
"""Statuses that a step before the target keeps. With any other status it counts as successful."""
NOTHING: dict[str, Any] = {}
"""The value that Mastra uses for data that is neither recorded nor given."""


@dataclass(frozen=True)
class TimeTravelRequest:
    """Target step and data of a time travel."""

    target: list[str]
    """Ids of the nested workflows that lead to the step, and of the step. ``<id>[<index>]`` is an item of a foreach."""
    now: int
    """Current time in milliseconds since the epoch."""
    run_id: str
    input_data: Any = None
    resume_data: Any = None
    initial_state: dict[str, Any] | None = None
    context: StepContexts = field(default_factory=lambda: StepContexts())
    nested_contexts: dict[str, StepContexts] = field(default_factory=lambda: dict[str, StepContexts]())


def step_contexts(given: Any, *, what: str) -> StepContexts:
    """Return the results given by a caller. Fields that are left out get the values of a successful step.

    Args:
        given: The results by step id, or None.
        what: What they are, for error messages.

    Raises:
        SerializationError: The argument, or one of the results, is not an object that JSON can represent.
        TimeTravelError: A field of a result has a wrong value.
    """
    defaults = {"status": "success", "startedAt": round(time.time() * 1000)}
    contexts: dict[str, StepResult] = {}
    for name, result in json_object(given, what=what).items():
        fields = {**defaults, **json_object(result, what=f"{what}: the result of `{name}`")}
        try:
            contexts[name] = StepResult.model_validate(fields)
        except ValidationError as error:
            problem = error.errors()[0]
            field = ".".join(map(str, problem["loc"]))
            raise TimeTravelError(f"{what}: field `{field}` of the result of `{name}`: {problem['msg']}.") from None
    return contexts


def plan_time_travel(
    request: TimeTravelRequest, entries: list[Entry], scopes: Mapping[tuple[str, ...], Scope]
) -> RunSnapshot:
    """Return the snapshot from which the new execution continues.

    Args:
        request: The target step and the data.
        entries: The graph of the new execution.
        scopes: The recorded scopes by path. Empty if the run was never started.

    Raises:
        TimeTravelError: The target does not exist, a step before it was not recorded, or no suspended step can receive
            the resume data.
    """
    top = _Level(request, scopes, (), entries, request.target, request.context, request.initial_state)
    snapshot = top.snapshot()
    if request.resume_data is not None and not _answers(snapshot):
        raise TimeTravelError(
            f"Nothing is suspended at step '{'.'.join(request.target)}' or after it that could get the resume data. "
            "Travel without `resume_data`, or to the suspended step."
        )
    return RunSnapshot(scope=snapshot, left=[take_snapshot(scope) for path, scope in scopes.items() if path])


@dataclass
class _Level:
    """One workflow on the path to the target: the run's own, or a nested one."""

    request: TimeTravelRequest
    scopes: Mapping[tuple[str, ...], Scope]
    path: tuple[str, ...]
    entries: list[Entry]
    way: list[str]
    """Rest of the target's ids, beginning with one in this workflow."""
    context: StepContexts
    """Results given by the caller for this workflow."""
    state: dict[str, Any] | None
    """Workflow state given by the caller. None: use the recorded one."""
    entered_with: Any = None
    """Input of a nested workflow that was never entered before."""

    def __post_init__(self) -> None:
        self.recorded = self.scopes.get(self.path)
        self.results = dict(self.recorded.steps) if self.recorded is not None else {}
        self.target = step_id_of(self.way[0])
        self.arrived = len(self.way) == 1

    def snapshot(self) -> ScopeSnapshot:
        """Return the snapshot of this workflow."""
        position = self._position()
        before, previous = self._before(position)
        init_data = self._init_data(position)
        input_data = self._input(position, init_data, previous)
        entry = self.entries[position]
        recorded = self.recorded
        path = list(recorded.step_execution_path) if recorded is not None else []
        progress = self._progress(entry, input_data)
        if isinstance(entry, (StepEntry, NestedEntry)) and progress is not None:
            path.append(self.target)
        suspended = self._suspended_after(position) if self.arrived and progress is None else {}
        return ScopeSnapshot(
            run_id=recorded.run_id if recorded is not None else self.request.run_id,
            path=list(self.path),
            init_data=init_data,
            state=self._state(),
            steps={**before, **suspended},
            step_execution_path=path,
            position=position,
            input_data=input_data,
            progress=progress,
            answers=dict.fromkeys(suspended, self.request.resume_data),
        )

    def _state(self) -> dict[str, Any]:
        if self.state is not None:
            return self.state
        return self.recorded.state if self.recorded is not None else {}

    # Before the target

    def _position(self) -> int:
        """Return the index of the target's entry. Check that the entries before it were recorded."""
        found = (index for index, entry in enumerate(self.entries) if self.target in entry.result_ids)
        position = next(found, None)
        if not self.results:
            if position is None:
                raise TimeTravelError(
                    f"Time travel target step not found in execution graph: '{'.'.join(self.request.target)}'. "
                    "Verify the step id/path."
                )
            return position
        known = list(self.results)
        shown = ", ".join(known[:MAX_REPORTED])
        if len(known) > MAX_REPORTED:
            shown += f" (and {len(known) - MAX_REPORTED} more)"
        end = f"Steps recorded in the snapshot: {shown}. The stored snapshot has not been modified."
        if position is None:
            raise TimeTravelError(
                f"Cannot time travel to step '{self.target}': the step does not exist in the current execution graph. "
                "The workflow definition has likely changed since the run was recorded (renamed step, or an unnamed "
                f".map() step whose generated id changed across processes). {end}"
            )
        missing = [f"'{step_id}'" for entry in self.entries[:position] for step_id in self._missing(entry)]
        if missing:
            raise TimeTravelError(
                f"Cannot time travel to step '{self.target}': step(s) {', '.join(missing)} "
                "precede the target in the current execution graph but were not recorded in the snapshot. Either the "
                "workflow definition changed since the run was recorded (renamed steps, or unnamed .map() steps whose "
                "generated ids changed across processes), or the recorded run never reached these steps (it failed, "
                f"was canceled, or was suspended before them). {end}"
            )
        return position

    def _missing(self, entry: Entry) -> list[str]:
        """Return the steps of an entry before the target that have no result. One branch of a conditional suffices."""
        if isinstance(entry, (SleepEntry, SleepUntilEntry, ForeachEntry, LoopEntry)):
            return []
        missing = [name for name in entry.result_ids if name not in self.results and name not in self.context]
        if isinstance(entry, ConditionalEntry) and len(missing) < len(entry.steps):
            return []
        return missing

    def _before(self, position: int) -> tuple[StepContexts, Any]:
        """Return the results of the entries before the target, and the output of the last one."""
        results: StepContexts = {}
        output: Any = None
        for index, entry in enumerate(self.entries[:position]):
            names = entry.result_ids
            injected = self.request.input_data if self._gives_input(names, index == position - 1) else None
            for name in names:
                if isinstance(entry, ConditionalEntry) and name not in self.results and name not in self.context:
                    continue
                results[name] = self._completed(name, output if index else None, injected)
            output = results[names[0]].output if len(names) == 1 else _outputs(names, results)
        return results, output

    def _gives_input(self, names: list[str], is_last: bool) -> bool:
        """Return whether the target's given input becomes the output of the step before it, as in Mastra."""
        return is_last and self.arrived and len(names) == 1 and "[" not in self.way[0]

    def _completed(self, name: str, payload: Any, output: Any) -> StepResult:
        """Return the result of a step that counts as finished."""
        given, recorded = self.context.get(name), self.results.get(name)
        basis = given or recorded or StepResult(status="success", started_at=self.request.now)
        update: dict[str, Any] = {
            "payload": _first(given and given.payload, payload, recorded and recorded.payload, NOTHING),
            "metadata": None,  # as in Mastra: the iteration count of a loop belongs to the previous execution
        }
        if basis.status not in KEPT:
            update |= {
                "status": "success",
                "output": _first(given and given.output, output, recorded and recorded.output, NOTHING),
                "error": None,
                "tripwire": None,
                "non_retryable": None,
                "ended_at": basis.ended_at or self.request.now,
            }
        return basis.model_copy(update=update)

    def _init_data(self, position: int) -> Any:
        """Return the input of this workflow."""
        recorded = self.recorded.init_data if self.recorded is not None else self.entered_with
        if position == 0:
            given = self.context.get(self.target)
            own_input = self.request.input_data if self.arrived and "[" not in self.way[0] else None
            return _first(given and given.payload, own_input, recorded, NOTHING)
        first = [self.context[name].payload for name in self.entries[0].result_ids if name in self.context]
        return _first(*first, recorded, NOTHING)

    def _input(self, position: int, init_data: Any, previous: Any) -> Any:
        """Return the input of the target's entry."""
        given = self.context.get(self.target)
        own_input = self.request.input_data if self.arrived and "[" not in self.way[0] else None
        return _first(own_input, given and given.payload, init_data if position == 0 else previous)

    def _suspended_after(self, position: int) -> StepContexts:
        """Return the suspended steps after the target, which get the resume data when they are reached."""
        # The items of a foreach begin anew.
        after = (entry for entry in self.entries[position + 1 :] if not isinstance(entry, ForeachEntry))
        names = (name for entry in after for name in entry.result_ids)
        return {name: self.results[name] for name in names if self._is_answered(name)}

    def _is_answered(self, key: str) -> bool:
        """Return whether a step is suspended and can get the resume data.

        A nested workflow cannot: it begins anew, and its suspended step would not get them.
        """
        if self.request.resume_data is None or nested_entry(self.entries, key) is not None:
            return False
        return _is(self.results.get(step_id_of(key)), "suspended")

    # The target's entry

    def _progress(self, entry: Entry, input_data: Any) -> ProgressSnapshot | None:
        """Return the progress within the target's entry. None if the entry begins anew."""
        if isinstance(entry, ForeachEntry):
            return self._of_foreach(entry, input_data)
        if isinstance(entry, (ParallelEntry, ConditionalEntry)):
            return self._of_block(entry, input_data)
        progress = ProgressSnapshot(input_data=input_data)
        self._enter(progress, self.target, input_data)
        return progress if progress.results else None

    def _enter(self, progress: ProgressSnapshot, key: str, input_data: Any) -> None:
        """Prepare the step that is the target, or the nested workflow that contains it."""
        recorded = self.results.get(self.target)
        if not self.arrived:
            progress.children[key] = self._child(key, input_data)
            started_at = recorded.started_at if recorded is not None else self.request.now
            progress.results[key] = StepResult(status="running", payload=input_data, started_at=started_at)
            if self.request.resume_data is not None and _is(recorded, "suspended"):
                progress.resuming[key] = self.request.resume_data
        elif recorded is not None and self._is_answered(key):
            progress.results[key] = recorded.model_copy(update={"payload": input_data})
            progress.resuming[key] = self.request.resume_data

    def _child(self, key: str, input_data: Any) -> ScopeSnapshot:
        """Return the snapshot of the nested workflow that contains the target."""
        entry = nested_entry(self.entries, key)
        if entry is None:
            raise TimeTravelError(
                f"Time travel target step not found in execution graph: '{'.'.join(self.request.target)}'. "
                f"`{self.target}` is not a nested workflow."
            )
        paths = [
            path for path in self.scopes if path and path[:-1] == self.path and step_id_of(path[-1]) == self.target
        ]
        exact = (*self.path, key)
        path = exact if exact in self.scopes or not paths else paths[-1]  # the last iteration of a loop
        return _Level(
            self.request,
            self.scopes,
            path,
            entry.serialized_step_flow,
            self.way[1:],
            self.request.nested_contexts.get(self.target, {}),
            None if path in self.scopes else self._state(),
            input_data,
        ).snapshot()

    def _of_block(self, entry: ParallelEntry | ConditionalEntry, input_data: Any) -> ProgressSnapshot:
        """Return the progress within a block: only the target runs.

        Its siblings keep their results. A sibling without a result counts as skipped (parallel) or is left out.
        """
        progress = ProgressSnapshot(input_data=input_data, selected=[])
        for index, name in enumerate(entry.result_ids):
            if name == self.target:
                self._enter(progress, name, input_data)
            elif name in self.results or name in self.context:
                progress.results[name] = self._completed(name, input_data, None)
            elif isinstance(entry, ParallelEntry):
                progress.results[name] = StepResult(status="skipped", started_at=self.request.now)
            else:
                continue
            assert progress.selected is not None
            progress.selected.append(index)
        return progress

    def _of_foreach(self, entry: ForeachEntry, items: Any) -> ProgressSnapshot | None:
        """Return the progress within a foreach: only the item of the index runs, or all items without success."""
        if not is_array(items):
            return None
        key = self.way[0]
        named = key != self.target
        if not named and not self.arrived:
            raise TimeTravelError(
                f"`{self.target}` is a foreach: name the item to travel to, for example '{self.target}[0]."
                f"{'.'.join(self.way[1:])}'."
            )
        if named and key not in {f"{self.target}[{index}]" for index in range(len(items))}:
            raise TimeTravelError(f"Item '{key}' does not exist: `{self.target}` has {len(items)} items.")
        reusable = named or (self.request.input_data is None and not _is(self.results.get(self.target), "success"))
        kept = recorded_items(self.recorded, self.target, items) if reusable else {}
        progress = ProgressSnapshot(input_data=list(items))
        for name, result in kept.items():
            if name != key and result.status == "success":
                progress.outputs[index_of(name)] = result.output
        if named:
            index = int(key[len(self.target) + 1 : -1])
            if self.arrived and self.request.input_data is not None:
                progress.input_data[index] = self.request.input_data
            self._enter(progress, key, progress.input_data[index])
        return progress


def _answers(snapshot: ScopeSnapshot) -> bool:
    """Return whether a suspended step in the snapshot gets the resume data."""
    if snapshot.answers or snapshot.progress is None:
        return bool(snapshot.answers)
    children = snapshot.progress.children
    return any(_answers(children[key]) if key in children else True for key in snapshot.progress.resuming) or any(
        _answers(child) for child in children.values()
    )


def _outputs(names: list[str], results: StepContexts) -> dict[str, Any]:
    """Return the output of a block: the outputs of its steps by id."""
    return {name: results[name].output if name in results else None for name in names}


def _is(result: StepResult | None, status: str) -> bool:
    return result is not None and result.status == status


def _first(*values: Any) -> Any:
    """Return the first value that is not None."""
    return next((value for value in values if value is not None), None)
