"""Workflows: the builder, and the finished definition. A definition is data (its graph) and a table of bodies."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar, cast, overload

from mastra_temporal._data.gate import json_metadata, text_description
from mastra_temporal._data.options import milliseconds
from mastra_temporal._data.schema import Schema
from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal._definition.compatibility import check_flow
from mastra_temporal._definition.component import registered_agent, registered_tool
from mastra_temporal._definition.function import UserFunction, source_of
from mastra_temporal._definition.functions import FunctionKind, WorkflowFunctions
from mastra_temporal._definition.ids import check_names, fault_of
from mastra_temporal._definition.mapping import parse_mapping
from mastra_temporal._definition.options import RetryConfig, StepOptions, WorkflowOptions
from mastra_temporal._definition.predicate import check_predicate
from mastra_temporal._definition.schedule import ScheduleConfig
from mastra_temporal._definition.serialize import callbacks_of, public_graph
from mastra_temporal._definition.step import Step, component_step, create_step
from mastra_temporal._protocol.graph import (
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
from mastra_temporal.workflow_runs import HasRuns

if TYPE_CHECKING:
    from mastra_temporal._client.run import Run

__all__ = ["Workflow"]

InT = TypeVar("InT", contravariant=True)


OutT = TypeVar("OutT")


CurrentT = TypeVar("CurrentT", covariant=True)


NextT = TypeVar("NextT")


ItemT = TypeVar("ItemT")


Condition = Callable[..., Any] | Mapping[str, Any]
"""A function of the input, or ``{"predicate": {...}}``."""


class Workflow(HasRuns, Generic[InT, OutT, CurrentT]):
    """A workflow. Made by `create_workflow`, built by the methods below, finished by `commit`.

    Every building method returns the workflow. A finished workflow can be a step of another one.
    Mastra's ``Workflow``: https://mastra.ai/reference/workflows/workflow
    """

    def __init__(
        self,
        *,
        id: str,
        input_schema: Schema | None,
        output_schema: Schema | None,
        state_schema: Schema | None,
        request_context_schema: Schema | None,
        description: str | None,
        metadata: dict[str, Any] | None,
        retry_config: RetryConfig,
        step_options: StepOptions | None,
        options: WorkflowOptions,
    ) -> None:
        """Use `create_workflow`."""
        self.id = id
        self.description = description
        self.metadata = metadata
        self.input_schema = input_schema
        self.output_schema = output_schema
        self.state_schema = state_schema
        self.request_context_schema = request_context_schema
        self.retry_config = retry_config
        self.step_options = step_options
        self.options = options
        self.steps: dict[str, Step[Any, Any] | Workflow[Any, Any, Any]] = {}
        self.functions = WorkflowFunctions()
        self.schedules: tuple[ScheduleConfig, ...] = ()
        self.committed = False
        self._entries: list[Entry] = []
        self._ids: set[str] = set()
        self._current_schema = input_schema
        self._graph: WorkflowGraph | None = None

    def __repr__(self) -> str:
        return f"Workflow(id={self.id!r})"

    # Building

    def then(self, step: Step[CurrentT, NextT] | Workflow[CurrentT, NextT, Any]) -> Workflow[InT, OutT, NextT]:
        """Run a step, or a workflow, on the output so far.

        Raises:
            DefinitionError: The id is taken, or the nested workflow is not committed. So for all building methods.
        """
        self._append(self._body(step))
        self._current_schema = step.output_schema
        return cast(Any, self)

    def agent(self, agent: Any, *, id: str | None = None, **settings: Any) -> Workflow[InT, OutT, Any]:
        """Ask an agent: ``.then(create_step(agent, ...))``, with the same settings.

        Args:
            agent: An `Agent`; or the id of one that is registered with ``Mastra(agents=[...])``.
            id: The step's id; by default the agent's.
            settings: Those of `create_step` for an agent.
        """
        if not isinstance(agent, str):
            return self.then(create_step(agent, id=id, **settings))
        found = registered_agent(
            agent,
            output_schema=settings.pop("output_schema", None),
            agent_options=settings.pop("agent_options", None),
        )
        return self.then(component_step(found, id=id, **settings))

    def tool(self, tool: Any, *, id: str | None = None, **settings: Any) -> Workflow[InT, OutT, Any]:
        """Call a tool: ``.then(create_step(tool, ...))``, with the same settings.

        Args:
            tool: A `Tool`; or the id of one that is registered with ``Mastra(tools=[...])``.
            id: The step's id; by default the tool's.
            settings: Those of `create_step` for a tool.
        """
        if isinstance(tool, str):
            return self.then(replace(component_step(registered_tool(tool), id=id, **settings), by_id=True))
        return self.then(create_step(tool, id=id, **settings))

    def parallel(
        self,
        steps: Sequence[Step[CurrentT, Any] | Workflow[CurrentT, Any, Any]],
        *,
        id: str | None = None,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Workflow[InT, OutT, dict[str, Any]]:
        """Run steps at once on the same input. The output is an object with each step's output under its id.

        All steps run to their end even when one fails; then the run fails with the first failure in order.
        """
        if not steps:
            raise DefinitionError(f"{self._owner}: .parallel() needs at least one step.")
        bodies = [self._body(step) for step in steps]
        self._append(ParallelEntry(id=id, steps=bodies, description=description, metadata=metadata))
        self._current_schema = None
        return cast(Any, self)

    def branch(
        self,
        branches: Sequence[tuple[Condition, Step[CurrentT, Any] | Workflow[CurrentT, Any, Any]]],
        *,
        id: str | None = None,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Workflow[InT, OutT, dict[str, Any]]:
        """Run every step whose condition is true, at once, on the same input.

        A condition that raises counts as false. The output is an object with the outputs of the steps that ran, by id.
        A step that did not run has no key: read it with ``output.get("step-id")``.
        """
        if not branches:
            raise DefinitionError(f"{self._owner}: .branch() needs at least one (condition, step) pair.")
        for pair in branches:
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:  # pyright: ignore[reportUnnecessaryIsInstance]
                raise DefinitionError(f"{self._owner}: .branch() takes (condition, step) pairs, got {pair!r}.")
        bodies = [self._body(step) for _, step in branches]
        conditions = [self._condition(condition, step.id, named=id is not None) for condition, step in branches]
        predicates = [predicate for _, predicate in conditions]
        self._append(
            ConditionalEntry(
                id=id,
                steps=bodies,
                serialized_conditions=[info for info, _ in conditions],
                predicates=predicates if any(predicates) else None,
                description=description,
                metadata=metadata,
            )
        )
        self._current_schema = None
        return cast(Any, self)

    def dowhile(
        self,
        step: Step[CurrentT, NextT] | Workflow[CurrentT, NextT, Any],
        condition: Condition,
        *,
        id: str | None = None,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Workflow[InT, OutT, NextT]:
        """Run a step at least once, and again on its own output while the condition is true."""
        return self._loop("dowhile", step, condition, id, description, metadata)

    def dountil(
        self,
        step: Step[CurrentT, NextT] | Workflow[CurrentT, NextT, Any],
        condition: Condition,
        *,
        id: str | None = None,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Workflow[InT, OutT, NextT]:
        """Run a step at least once, and again on its own output until the condition is true."""
        return self._loop("dountil", step, condition, id, description, metadata)

    def foreach(
        self: Workflow[InT, OutT, Sequence[ItemT] | AbstractSet[ItemT]],
        step: Step[ItemT, NextT] | Workflow[ItemT, NextT, Any],
        *,
        concurrency: int | Callable[..., Any] = 1,
        id: str | None = None,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Workflow[InT, OutT, list[NextT]]:
        """Run a step for each item of a list. The output is the list of outputs, in the order of the items.

        Args:
            step: The step or workflow that gets each item.
            concurrency: How many items run at once: a number, or a function of the input. Less than 1 is read as 1.
            id: For display; and a concurrency function is known by it, see `map`.
            description: For display.
            metadata: For display.
        """
        body = self._body(step)
        if callable(concurrency):
            function = self._add_function("concurrency", f"{step.id}-concurrency", concurrency, named=id is not None)
            opts = ForeachOptions(fn=source_of(concurrency), temporal=function)  # pyright: ignore[reportCallIssue]
        elif isinstance(concurrency, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]
            opts = ForeachOptions(concurrency=int(concurrency))
        else:
            raise DefinitionError(
                f"{self._owner}: the concurrency of .foreach({step.id}) is a number or a function, got {concurrency!r}."
            )
        self._append(ForeachEntry(id=id, step=body, opts=opts, description=description, metadata=metadata))
        self._current_schema = None
        return cast(Any, self)

    def map(
        self,
        mapping: Mapping[str, Any] | Callable[..., Any],
        *,
        id: str | None = None,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Workflow[InT, OutT, Any]:
        """Shape the data between two steps.

        Args:
            mapping: A function of the input whose result is the output, or an object. Each key of the object has one
                source: ``{"step": step, "path": "a.b"}``, ``{"init_data": True, "path": ...}``, ``{"value": ...}``,
                ``{"template": "Hi ${initData.name}"}``, ``{"request_context_path": key}`` or ``{"fn": function}``.
            id: The id in the results. Default ``mapping_<workflow>_<n>``. A function in an entry with an id is known by
                it: a new version of the function serves runs that are open. Without one it is known by what it does: a
                run that is open waits for a worker that has the same function. So for all entries with functions.
            description: For display.
            metadata: For display.
        """
        map_id = self._claim(id or self._generated_id("mapping", MappingEntry))
        if callable(mapping):
            function = self._add_function("mapping", map_id, mapping, named=id is not None)
            plan, config = MappingPlan(function=function), source_of(mapping)
        else:
            keep = functools.partial(self._add_function, "mapping", named=id is not None)
            parsed = parse_mapping(mapping, map_id=map_id, owner=self._owner, keep=keep)
            plan, config = MappingPlan(sources=parsed.sources), parsed.config
        self._append(
            MappingEntry(id=map_id, map_config=config, description=description, metadata=metadata, temporal=plan)  # pyright: ignore[reportCallIssue]
        )
        self._current_schema = None
        return cast(Any, self)

    def sleep(
        self,
        duration: int | float | timedelta | Callable[..., Any],
        *,
        id: str | None = None,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Workflow[InT, OutT, CurrentT]:
        """Wait, durably: a crash does not start the wait again. The output is the input.

        Args:
            duration: Milliseconds or a `timedelta`, or a function of the input that returns one of them. Below zero, or
                None from a function, means no wait.
            id: The id in the results. Default ``sleep_<workflow>_<n>``.
            description: For display.
            metadata: For display.
        """
        sleep_id = self._claim(id or self._generated_id("sleep", SleepEntry))
        if callable(duration):
            function = self._add_function("duration", sleep_id, duration, named=id is not None)
            timing: dict[str, Any] = {"fn": source_of(duration), "temporal": function}
        elif isinstance(duration, (int, float, timedelta)):  # pyright: ignore[reportUnnecessaryIsInstance]
            timing = {"duration": milliseconds(duration)}
        else:
            raise DefinitionError(
                f"{self._owner}: .sleep() takes milliseconds, a timedelta or a function, got {duration!r}."
            )
        self._append(SleepEntry(id=sleep_id, description=description, metadata=metadata, **timing))
        return self

    def sleep_until(
        self,
        date: datetime | Callable[..., Any],
        *,
        id: str | None = None,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Workflow[InT, OutT, CurrentT]:
        """Wait, durably, until a date: a `datetime` (without a zone: UTC), or a function that returns one."""
        sleep_id = self._claim(id or self._generated_id("sleepUntil", SleepUntilEntry))
        if callable(date):
            function = self._add_function("date", sleep_id, date, named=id is not None)
            timing: dict[str, Any] = {"fn": source_of(date), "temporal": function}
        elif not isinstance(date, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DefinitionError(f"{self._owner}: .sleep_until() takes a datetime or a function, got {date!r}.")
        else:
            aware = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
            timing = {"date": aware.isoformat()}
        self._append(SleepUntilEntry(id=sleep_id, description=description, metadata=metadata, **timing))
        return self

    def wait_for_event(self, *_: object, **__: object) -> NoReturn:
        """Mastra has removed ``waitForEvent()``, and this says what to use.

        Raises:
            DefinitionError: Always.
        """
        raise DefinitionError(
            f"{self._owner}: .wait_for_event() was removed from Mastra. Let a step wait: `return await ctx.suspend()`, "
            "and send the event with `run.resume(resume_data=...)`."
        )

    @overload
    def commit(self: Workflow[InT, OutT, OutT]) -> Workflow[InT, OutT, OutT]: ...
    @overload
    def commit(self: Workflow[InT, OutT, dict[str, Any]]) -> Workflow[InT, OutT, dict[str, Any]]: ...
    def commit(self) -> Workflow[InT, OutT, Any]:
        """Finish the workflow: from here on it can be registered, run, and used as a step.

        Raises:
            DefinitionError: The workflow has no steps, a mapping names a step that it does not have, an entry is given
                what it can never take, or ids are too long together.
        """
        if not self._entries:
            raise DefinitionError(
                f"{self._owner}: Execution flow of workflow is not defined. "
                "Add steps to the workflow via .then(), .branch(), etc."
            )
        self._check_mapped_steps()
        if self.options.validate_inputs:
            gives = self.output_schema if self.options.validate_outputs else None
            check_flow(self._entries, self.steps, takes=self.input_schema, gives=gives, owner=self._owner)
        check_names(self.id, self.steps, callbacks_of(self.options))
        last = self._entries[-1]
        checked_by_step = isinstance(last, StepEntry) and _same_schema(
            self.steps[last.step.id].output_schema, self.output_schema
        )
        plan = WorkflowPlan(
            retries=self.retry_config.attempts,
            retry_delay=milliseconds(self.retry_config.delay),
            cancel_grace=milliseconds(self.options.cancel_grace),
            validate_inputs=self.options.validate_inputs,
            validate_outputs=self.options.validate_outputs,
            callbacks=callbacks_of(self.options),
            checks_entry=any((self.input_schema, self.state_schema, self.request_context_schema)),
            checks_output=self.output_schema is not None and not checked_by_step,
            max_lost_attempts=None if self.step_options is None else self.step_options.plan(None).max_lost_attempts,
        )
        self._graph = WorkflowGraph(id=self.id, entries=list(self._entries), temporal=plan)  # pyright: ignore[reportCallIssue]
        self.committed = True
        return self

    # The finished definition

    @property
    def graph(self) -> WorkflowGraph:
        """The whole workflow as data: what a run records when it starts.

        Raises:
            DefinitionError: The workflow was not committed.
        """
        if self._graph is None:
            raise DefinitionError(
                f"{self._owner}: Uncommitted step flow changes detected. Call .commit() to register the steps."
            )
        return self._graph

    @property
    def serialized_step_graph(self) -> list[dict[str, Any]]:
        """The graph in Mastra's JSON shape, for display."""
        return public_graph(self.graph)

    def callback(self, name: Literal["on_start", "on_finish", "on_error"]) -> UserFunction | None:
        """A callback of the workflow."""
        function = getattr(self.options, name)
        return None if function is None else UserFunction.of(function, owner=f"{self._owner}, {name}")

    async def create_run(self, *, run_id: str | None = None, resource_id: str | None = None) -> Run[OutT, InT]:
        """Make a run. Nothing is written: the run is known to Temporal once it is started.

        Args:
            run_id: The id, which is also the Temporal workflow id; a new one by default. With the id of a run that
                exists, the result stands for that run.
            resource_id: Whom the run belongs to; steps see it as ``ctx.resource_id``.

        Raises:
            DefinitionError: The workflow is not committed or not registered with a ``Mastra`` object.
            ServerUnreachableError: A ``run_id`` was given and no server answers.
        """
        return await self._registry.create_run(self, run_id=run_id, resource_id=resource_id)

    # Helpers

    @property
    def _owner(self) -> str:
        return f"workflow `{self.id}`"

    def _append(self, entry: Entry) -> None:
        if self.committed:
            raise DefinitionError(f"{self._owner} is committed and cannot be changed: define another one.")
        if not isinstance(entry, StepEntry):
            told = {
                "description": text_description(entry.description, owner=self._owner),
                "metadata": json_metadata(entry.metadata, owner=self._owner),
            }
            entry = entry.model_copy(update=told)
        self._entries.append(entry)

    def _body(self, step: Step[Any, Any] | Workflow[Any, Any, Any]) -> StepEntry | NestedEntry:
        if not isinstance(step, (Step, Workflow)):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check types
            raise DefinitionError(
                f"{self._owner}: expected a step or a workflow, got {step!r}. Make one with @step or create_step()."
            )
        clone = "clone_workflow" if isinstance(step, Workflow) else "clone_step"
        self._claim(step.id, f"{clone}({step.id}, id='{step.id}-2')")
        if isinstance(step, Workflow):
            graph = step.graph
            body: StepEntry | NestedEntry = NestedEntry(
                id=step.id,
                workflow_id=step.id,
                description=step.description,
                metadata=step.metadata,
                serialized_step_flow=graph.entries,
                temporal=graph.plan,  # pyright: ignore[reportCallIssue]
            )
        else:
            body = step.entry(self.step_options)
        self.steps[step.id] = step
        return body

    def _loop(
        self,
        loop_type: Any,
        step: Any,
        condition: Condition,
        id: str | None,
        description: str | None,
        metadata: dict[str, Any] | None,
    ) -> Any:
        body = self._body(step)
        self._current_schema = step.output_schema
        info, predicate = self._condition(condition, step.id, named=id is not None)
        self._append(
            LoopEntry(
                id=id,
                step=body,
                serialized_condition=info,
                loop_type=loop_type,
                predicate=predicate,
                description=description,
                metadata=metadata,
            )
        )
        return self

    def _condition(
        self, condition: Condition, step_id: str, *, named: bool
    ) -> tuple[FunctionInfo, dict[str, Any] | None]:
        function_id = f"{step_id}-condition"
        if callable(condition):
            function = self._add_function("condition", function_id, condition, named=named)
            return FunctionInfo(id=function_id, fn=source_of(condition), temporal=function), None  # pyright: ignore[reportCallIssue]
        if not isinstance(condition, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DefinitionError(
                f"{self._owner}: the condition of `{step_id}` is a function or {{'predicate': ...}}, got {condition!r}."
            )
        predicate = dict(condition.get("predicate", condition))
        check_predicate(predicate, f"{self._owner}, condition of `{step_id}`: predicate")
        return FunctionInfo(id=function_id, fn="predicate"), predicate

    def _add_function(
        self, kind: FunctionKind, function_id: str, function: Callable[..., Any], *, named: bool
    ) -> FunctionRef:
        if kind in ("condition", "concurrency"):
            self._claim(function_id)
        owner = f"{self._owner}, function `{function_id}`"
        return self.functions.add(kind, function_id, function, named=named, offered=self._current_schema, owner=owner)

    def _generated_id(self, prefix: str, kind: type[Any]) -> str:
        number = sum(isinstance(entry, kind) for entry in self._entries)
        return f"{prefix}_{self.id}_{number}"

    def _claim(self, wanted: str, remedy: str = "another id=") -> str:
        """Results and functions are kept by id: every id of a workflow is there once."""
        if (fault := fault_of(wanted)) is not None:
            raise DefinitionError(f"{self._owner}: {ascii(wanted)[:60]} cannot be an id: {fault}.")
        if wanted in self._ids:
            raise DefinitionError(
                f"{self._owner}: the id `{wanted}` is used twice; the second result would overwrite the first. "
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
                            f"{self._owner}: map `{entry.id}`, key `{key}` names the step `{step_id}`, "
                            f"which is not in this workflow.{did_you_mean(step_id, self.steps)}"
                        )


def _same_schema(left: Schema | None, right: Schema | None) -> bool:
    return left is not None and right is not None and left.annotation == right.annotation
