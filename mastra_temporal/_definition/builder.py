"""`GraphBuilder`: builds the graph of a workflow entry by entry and checks each entry when it is added."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, TypedDict

from typing_extensions import Unpack

from mastra_temporal._data.gate import json_metadata, text_description
from mastra_temporal._data.options import milliseconds
from mastra_temporal._data.schema import Schema
from mastra_temporal._data.shown import shown
from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal._definition.compatibility import check_flow
from mastra_temporal._definition.function import source_of
from mastra_temporal._definition.functions import FunctionKind, WorkflowFunctions
from mastra_temporal._definition.ids import check_names, fault_of
from mastra_temporal._definition.mapping import parse_mapping
from mastra_temporal._definition.predicate import check_predicate
from mastra_temporal._definition.serialize import callbacks_of
from mastra_temporal._definition.settings import WorkflowSettings
from mastra_temporal._definition.step import Step
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.graph import (
    Body,
    ConditionalEntry,
    Entry,
    ForeachEntry,
    ForeachOptions,
    FunctionInfo,
    FunctionRef,
    LoopEntry,
    MappingEntry,
    MappingPlan,
    NestedEntry,
    ParallelEntry,
    SleepEntry,
    SleepUntilEntry,
    StepEntry,
    WorkflowGraph,
    WorkflowPlan,
)
from mastra_temporal.errors import DefinitionError

__all__ = ["AnyStep", "Condition", "EntryDisplay", "GraphBuilder"]

AnyStep = Step[Any, Any] | WorkflowDefinition
Condition = Callable[..., Any] | Mapping[str, Any]
"""A function of the input, or ``{"predicate": {...}}``."""


MAX_NUMBER = 2**53
"""The largest number of milliseconds or items. JSON readers in JavaScript keep no larger one exactly."""


class EntryDisplay(TypedDict, total=False):
    """The optional arguments of every entry: id, description and metadata."""

    id: str | None
    """The entry's id. It also identifies the functions of the entry, see `Workflow.map`."""
    description: str | None
    metadata: dict[str, Any] | None


class GraphBuilder:
    """The entries, steps, functions and used ids of a workflow that is being built."""

    def __init__(self, settings: WorkflowSettings) -> None:
        """Create a builder without entries."""
        self.settings = settings
        self.steps: dict[str, AnyStep] = {}
        self.functions: WorkflowFunctions = WorkflowFunctions()
        self.committed: bool = False
        self._entries: list[Entry] = []
        self._ids: set[str] = set()
        self._output_schema = settings.input_schema
        """The output schema of the last entry, or None if it is not known."""

    @property
    def owner(self) -> str:
        """The workflow's name for error messages."""
        return f"workflow `{self.settings.id}`"

    def clone(self, settings: WorkflowSettings) -> GraphBuilder:
        """Copy the builder for a workflow with other settings."""
        clone = GraphBuilder(settings)
        clone.steps.update(self.steps)
        clone.functions.by_id.update(self.functions.by_id)
        clone._entries.extend(self._entries)
        clone._ids.update(self._ids)
        return clone

    def step(self, step: AnyStep) -> None:
        """Add a step or a nested workflow."""
        self._append(self._body(step), step.output_schema)

    def parallel(self, steps: Sequence[AnyStep], **display: Unpack[EntryDisplay]) -> None:
        """Add a parallel block."""
        display = self._display(".parallel()", display)
        self._append(ParallelEntry(steps=[self._body(step) for step in steps], **display))

    def branch(self, branches: Sequence[tuple[Condition, AnyStep]], **display: Unpack[EntryDisplay]) -> None:
        """Add a conditional block."""
        display = self._display(".branch()", display)
        bodies = [self._body(step) for _, step in branches]
        named = display.get("id") is not None
        conditions = [self._condition(condition, step.id, named=named) for condition, step in branches]
        predicates = [predicate for _, predicate in conditions]
        self._append(
            ConditionalEntry(
                steps=bodies,
                serialized_conditions=[info for info, _ in conditions],
                predicates=predicates if any(predicates) else None,
                **display,
            )
        )

    def loop(
        self,
        loop_type: Literal["dowhile", "dountil"],
        step: AnyStep,
        condition: Condition,
        **display: Unpack[EntryDisplay],
    ) -> None:
        """Add a loop."""
        display = self._display(f".{loop_type}()", display)
        body = self._body(step)
        self._output_schema = step.output_schema  # the condition's input is the output of the loop's step
        info, predicate = self._condition(condition, step.id, named=display.get("id") is not None)
        entry = LoopEntry(step=body, serialized_condition=info, loop_type=loop_type, predicate=predicate, **display)
        self._append(entry, step.output_schema)

    def foreach(self, step: AnyStep, concurrency: int | Callable[..., Any], **display: Unpack[EntryDisplay]) -> None:
        """Add a foreach."""
        display = self._display(".foreach()", display, "concurrency")
        body = self._body(step)
        if callable(concurrency):
            named = display.get("id") is not None
            function = self._add_function("concurrency", f"{step.id}-concurrency", concurrency, named=named)
            opts = ForeachOptions(fn=source_of(concurrency), function=function)
        elif isinstance(concurrency, (int, float)) and abs(concurrency) <= MAX_NUMBER:
            opts = ForeachOptions(concurrency=int(concurrency))
        else:
            raise DefinitionError(
                f"{self.owner}: the concurrency of .foreach({step.id}) is a number (at most {MAX_NUMBER:,}) or a "
                f"function, got {shown(concurrency)}."
            )
        self._append(ForeachEntry(step=body, opts=opts, **display))

    def mapping(self, mapping: Mapping[str, Any] | Callable[..., Any], **display: Unpack[EntryDisplay]) -> None:
        """Add a mapping."""
        display = self._display(".map()", display)
        map_id, named = self._entry_id(display, "mapping", MappingEntry)
        if callable(mapping):
            function = self._add_function("mapping", map_id, mapping, named=named)
            plan, config = MappingPlan(function=function), source_of(mapping)
        else:
            keep = functools.partial(self._add_function, "mapping", named=named)
            parsed = parse_mapping(mapping, map_id=map_id, owner=self.owner, keep=keep)
            plan, config = MappingPlan(sources=parsed.sources), parsed.config
        self._append(MappingEntry(id=map_id, map_config=config, plan=plan, **_shown(display)))

    def sleep(self, duration: int | float | timedelta | Callable[..., Any], **display: Unpack[EntryDisplay]) -> None:
        """Add a sleep."""
        display = self._display(".sleep()", display)
        sleep_id, named = self._entry_id(display, "sleep", SleepEntry)
        if callable(duration):
            function = self._add_function("duration", sleep_id, duration, named=named)
            entry = SleepEntry(id=sleep_id, fn=source_of(duration), function=function, **_shown(display))
        elif isinstance(duration, timedelta) or (isinstance(duration, (int, float)) and abs(duration) <= MAX_NUMBER):
            entry = SleepEntry(id=sleep_id, duration=milliseconds(duration), **_shown(display))
        else:
            raise DefinitionError(
                f"{self.owner}: .sleep() takes milliseconds (at most {MAX_NUMBER:,}), a timedelta or a function, "
                f"got {shown(duration)}."
            )
        self._append(entry, self._output_schema)

    def sleep_until(self, date: datetime | Callable[..., Any], **display: Unpack[EntryDisplay]) -> None:
        """Add a sleep until a date."""
        display = self._display(".sleep_until()", display)
        sleep_id, named = self._entry_id(display, "sleepUntil", SleepUntilEntry)
        if callable(date):
            function = self._add_function("date", sleep_id, date, named=named)
            entry = SleepUntilEntry(id=sleep_id, fn=source_of(date), function=function, **_shown(display))
        elif isinstance(date, datetime):
            aware = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
            entry = SleepUntilEntry(id=sleep_id, date=aware.isoformat(), **_shown(display))
        else:
            raise DefinitionError(f"{self.owner}: .sleep_until() takes a datetime or a function, got {shown(date)}.")
        self._append(entry, self._output_schema)

    def build(self) -> WorkflowDefinition:
        """Finish the workflow and return its definition.

        Raises:
            DefinitionError: The workflow has no entries, a mapping names a step that the workflow does not have, the
                output of an entry can never be the input of the next one, or the ids are together longer than
                Temporal takes.
        """
        if not self._entries:
            raise DefinitionError(
                f"{self.owner}: Execution flow of workflow is not defined. "
                "Add steps to the workflow via .then(), .branch(), etc."
            )
        self._check_mapped_steps()
        settings, callbacks = self.settings, callbacks_of(self.settings.options, self.owner)
        if settings.options.validate_inputs:
            gives = settings.output_schema if settings.options.validate_outputs else None
            check_flow(self._entries, self.steps, takes=settings.input_schema, gives=gives, owner=self.owner)
        check_names(settings.id, self.steps, callbacks)
        self.committed = True
        return WorkflowDefinition(
            id=settings.id,
            graph=WorkflowGraph(id=settings.id, entries=list(self._entries), plan=self._plan()),
            steps=dict(self.steps),
            functions=self.functions,
            callbacks=callbacks,
            options=settings.options,
            description=settings.description,
            metadata=settings.metadata,
            input_schema=settings.input_schema,
            output_schema=settings.output_schema,
            state_schema=settings.state_schema,
            request_context_schema=settings.request_context_schema,
            schedules=settings.schedules,
        )

    # Helpers

    def _plan(self) -> WorkflowPlan:
        settings, last = self.settings, self._entries[-1]
        # If the last step has the same output schema, it has already checked the data that become the run's result.
        checked_by_step = isinstance(last, StepEntry) and _same_schema(
            self.steps[last.body_id].output_schema, settings.output_schema
        )
        return WorkflowPlan(
            retries=settings.retry_config.attempts,
            retry_delay=milliseconds(settings.retry_config.delay),
            cancel_grace=milliseconds(settings.options.cancel_grace),
            validate_inputs=settings.options.validate_inputs,
            validate_outputs=settings.options.validate_outputs,
            callbacks=list(callbacks_of(settings.options, self.owner)),
            checks_entry=any((settings.input_schema, settings.state_schema, settings.request_context_schema)),
            checks_output=settings.output_schema is not None and not checked_by_step,
            max_lost_attempts=None
            if settings.step_options is None
            else settings.step_options.plan(None).max_lost_attempts,
        )

    def _append(self, entry: Entry, output_schema: Schema | None = None) -> None:
        if self.committed:
            raise DefinitionError(f"{self.owner} is committed and cannot be changed: define another one.")
        self._entries.append(entry)
        self._output_schema = output_schema

    def _body(self, step: AnyStep) -> Body:
        clone = "clone_step" if isinstance(step, Step) else "clone_workflow"
        self._claim(step.id, f"{clone}({step.id}, id='{step.id}-2')")
        self.steps[step.id] = step
        if isinstance(step, Step):
            return step.entry(self.settings.step_options)
        return NestedEntry(
            id=step.id,
            workflow_id=step.id,
            description=step.description,
            metadata=step.metadata,
            serialized_step_flow=step.graph.entries,
            plan=step.graph.plan,
        )

    def _condition(
        self, condition: Condition, step_id: str, *, named: bool
    ) -> tuple[FunctionInfo, dict[str, Any] | None]:
        function_id = f"{step_id}-condition"
        if callable(condition):
            function = self._add_function("condition", function_id, condition, named=named)
            return FunctionInfo(id=function_id, fn=source_of(condition), function=function), None
        if not isinstance(condition, Mapping):
            raise DefinitionError(
                f"{self.owner}: the condition of `{step_id}` is a function or {{'predicate': ...}}, "
                f"got {shown(condition)}."
            )
        predicate: Any = condition.get("predicate", condition)
        check_predicate(predicate, f"{self.owner}, condition of `{step_id}`: predicate")
        return FunctionInfo(id=function_id, fn="predicate"), dict(predicate)

    def _add_function(
        self, kind: FunctionKind, function_id: str, function: Callable[..., Any], *, named: bool
    ) -> FunctionRef:
        if kind in ("condition", "concurrency"):
            self._claim(function_id)
        owner = f"{self.owner}, function `{function_id}`"
        return self.functions.add(kind, function_id, function, named=named, offered=self._output_schema, owner=owner)

    def _display(self, method: str, display: EntryDisplay, *others: str) -> EntryDisplay:
        """Check the optional arguments of an entry and return them as JSON data. Its other arguments are ``others``."""
        for name in display:
            if name not in EntryDisplay.__annotations__:
                hint = did_you_mean(name, [*others, *EntryDisplay.__annotations__])
                raise DefinitionError(f"{self.owner}: {method} has no argument `{name}`.{hint}")
        entry_id = display.get("id")
        if entry_id is not None and (fault := fault_of(entry_id)) is not None:
            raise DefinitionError(f"{self.owner}: {method}: {shown(entry_id)} cannot be an id: {fault}.")
        owner = f"{self.owner}, {method}"
        return {
            "id": entry_id,
            "description": text_description(display.get("description"), owner=owner),
            "metadata": json_metadata(display.get("metadata"), owner=owner),
        }

    def _entry_id(self, display: EntryDisplay, prefix: str, kind: type[Any]) -> tuple[str, bool]:
        """Return the id of an entry that has its own result, and whether the user gave this id."""
        given = display.get("id")
        number = sum(isinstance(entry, kind) for entry in self._entries)
        return self._claim(given or f"{prefix}_{self.settings.id}_{number}"), given is not None

    def _claim(self, wanted: str, remedy: str = "another id=") -> str:
        """Mark an id as used and return it. Results and functions are stored by id, so a second use is refused."""
        if (fault := fault_of(wanted)) is not None:
            raise DefinitionError(f"{self.owner}: {shown(wanted)} cannot be an id: {fault}.")
        if wanted in self._ids:
            raise DefinitionError(
                f"{self.owner}: the id `{wanted}` is used twice; the second result would overwrite the first. "
                f"Give the second one its own: {remedy}."
            )
        self._ids.add(wanted)
        return wanted

    def _check_mapped_steps(self) -> None:
        for entry in self._entries:
            if not isinstance(entry, MappingEntry):
                continue
            for key, source in entry.plan.sources.items():
                for step_id in source.named_steps:
                    if step_id not in self._ids:
                        raise DefinitionError(
                            f"{self.owner}: map `{entry.id}`, key `{key}` names the step `{step_id}`, "
                            f"which is not in this workflow.{did_you_mean(step_id, self.steps)}"
                        )


def _shown(display: EntryDisplay) -> dict[str, Any]:
    """Return the description and metadata, for an entry whose id is set apart."""
    return {"description": display.get("description"), "metadata": display.get("metadata")}


def _same_schema(left: Schema | None, right: Schema | None) -> bool:
    return left is not None and right is not None and left.annotation == right.annotation
