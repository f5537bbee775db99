"""`Workflow`: builds a workflow, and is the door to its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Generic, NoReturn, TypeVar, cast, overload

from typing_extensions import Unpack

from mastra_temporal._client.create import create_run
from mastra_temporal._client.records.listing import RunFilterOptions, WorkflowRuns
from mastra_temporal._client.records.reader import RunRecords
from mastra_temporal._client.records.state import WorkflowState
from mastra_temporal._client.recovery.bulk import Restarting, RestartReport
from mastra_temporal._client.run import Run
from mastra_temporal._client.session import Session
from mastra_temporal._data.schema import Schema
from mastra_temporal._definition.builder import AnyStep, Condition, EntryDisplay, GraphBuilder
from mastra_temporal._definition.component import registered_agent, registered_tool
from mastra_temporal._definition.options import RetryConfig, WorkflowOptions
from mastra_temporal._definition.schedule import ScheduleConfig
from mastra_temporal._definition.settings import WorkflowSettings
from mastra_temporal._definition.step import Step, component_step, create_step
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.graph import WorkflowGraph
from mastra_temporal.errors import DefinitionError

__all__ = ["Workflow"]

InT = TypeVar("InT", contravariant=True)
OutT = TypeVar("OutT")
CurrentT = TypeVar("CurrentT", covariant=True)
NextT = TypeVar("NextT")
ItemT = TypeVar("ItemT")


class Workflow(Generic[InT, OutT, CurrentT]):
    """A workflow. Made by `create_workflow`, built by the methods below, finished by `commit`.

    Every building method returns the workflow. A finished workflow can be a step of another one. Everything about its
    runs comes from Temporal; no worker is needed to read them.
    Mastra's ``Workflow``: https://mastra.ai/reference/workflows/workflow
    """

    def __init__(self, settings: WorkflowSettings, builder: GraphBuilder | None = None) -> None:
        """Use `create_workflow`."""
        self._settings = settings
        self._builder = builder or GraphBuilder(settings)
        self._definition: WorkflowDefinition | None = None
        self._bound: tuple[Session, RunRecords] | None = None
        self._steps: dict[str, Step[Any, Any] | Workflow[Any, Any, Any]] = {}
        self.id: str = settings.id
        """Also the Temporal workflow type."""
        self.description: str | None = settings.description
        self.metadata: dict[str, Any] | None = settings.metadata
        self.input_schema: Schema | None = settings.input_schema
        self.output_schema: Schema | None = settings.output_schema
        self.state_schema: Schema | None = settings.state_schema
        self.request_context_schema: Schema | None = settings.request_context_schema
        self.options: WorkflowOptions = settings.options
        self.retry_config: RetryConfig = settings.retry_config
        self.schedules: tuple[ScheduleConfig, ...] = settings.schedules

    def __repr__(self) -> str:
        return f"Workflow(id={self.id!r})"

    # Building

    def then(self, step: Step[CurrentT, NextT] | Workflow[CurrentT, NextT, Any]) -> Workflow[InT, OutT, NextT]:
        """Run a step, or a workflow, on the output so far.

        Raises:
            DefinitionError: The id is taken, or the nested workflow is not committed. So for all building methods.
        """
        self._builder.step(self._body(step))
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
        self, steps: Sequence[Step[CurrentT, Any] | Workflow[CurrentT, Any, Any]], **display: Unpack[EntryDisplay]
    ) -> Workflow[InT, OutT, dict[str, Any]]:
        """Run steps at once on the same input. The output is an object with each step's output under its id.

        All steps run to their end even when one fails; then the run fails with the first failure in order.
        """
        self._builder.parallel([self._body(step) for step in steps], **display)
        return cast(Any, self)

    def branch(
        self,
        branches: Sequence[tuple[Condition, Step[CurrentT, Any] | Workflow[CurrentT, Any, Any]]],
        **display: Unpack[EntryDisplay],
    ) -> Workflow[InT, OutT, dict[str, Any]]:
        """Run every step whose condition is true, at once, on the same input.

        A condition that raises counts as false. The output is an object with the outputs of the steps that ran, by id.
        A step that did not run has no key: read it with ``output.get("step-id")``.
        """
        if not branches:
            raise DefinitionError(f"{self._builder.owner}: .branch() needs at least one (condition, step) pair.")
        for pair in branches:
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise DefinitionError(f"{self._builder.owner}: .branch() takes (condition, step) pairs, got {pair!r}.")
        self._builder.branch([(condition, self._body(step)) for condition, step in branches], **display)
        return cast(Any, self)

    def dowhile(
        self,
        step: Step[CurrentT, NextT] | Workflow[CurrentT, NextT, Any],
        condition: Condition,
        **display: Unpack[EntryDisplay],
    ) -> Workflow[InT, OutT, NextT]:
        """Run a step at least once, and again on its own output while the condition is true."""
        self._builder.loop("dowhile", self._body(step), condition, **display)
        return cast(Any, self)

    def dountil(
        self,
        step: Step[CurrentT, NextT] | Workflow[CurrentT, NextT, Any],
        condition: Condition,
        **display: Unpack[EntryDisplay],
    ) -> Workflow[InT, OutT, NextT]:
        """Run a step at least once, and again on its own output until the condition is true."""
        self._builder.loop("dountil", self._body(step), condition, **display)
        return cast(Any, self)

    def foreach(
        self: Workflow[InT, OutT, Sequence[ItemT] | AbstractSet[ItemT]],
        step: Step[ItemT, NextT] | Workflow[ItemT, NextT, Any],
        *,
        concurrency: int | Callable[..., Any] = 1,
        **display: Unpack[EntryDisplay],
    ) -> Workflow[InT, OutT, list[NextT]]:
        """Run a step for each item of a list. The output is the list of outputs, in the order of the items.

        Args:
            step: The step or workflow that gets each item.
            concurrency: How many items run at once: a number, or a function of the input. Less than 1 is read as 1.
            display: ``id``, ``description`` and ``metadata``. A concurrency function is known by the id, see `map`.
        """
        self._builder.foreach(self._body(step), concurrency, **display)
        return cast(Any, self)

    def map(
        self, mapping: Mapping[str, Any] | Callable[..., Any], **display: Unpack[EntryDisplay]
    ) -> Workflow[InT, OutT, Any]:
        """Shape the data between two steps.

        Args:
            mapping: A function of the input whose result is the output, or an object. Each key of the object has one
                source: ``{"step": step, "path": "a.b"}``, ``{"init_data": True, "path": ...}``, ``{"value": ...}``,
                ``{"template": "Hi ${initData.name}"}``, ``{"request_context_path": key}`` or ``{"fn": function}``.
            display: ``description``, ``metadata`` and ``id``: the id in the results, by default
                ``mapping_<workflow>_<n>``. A function in an entry with an id is known by it: a new version of the
                function serves runs that are open. Without one it is known by what it does: a run that is open waits
                for a worker that has the same function. So for all entries with functions.
        """
        self._builder.mapping(mapping, **display)
        return cast(Any, self)

    def sleep(
        self, duration: int | float | timedelta | Callable[..., Any], **display: Unpack[EntryDisplay]
    ) -> Workflow[InT, OutT, CurrentT]:
        """Wait, durably: a crash does not start the wait again. The output is the input.

        Args:
            duration: Milliseconds or a `timedelta`, or a function of the input that returns one of them. Below zero, or
                None from a function, means no wait.
            display: ``description``, ``metadata``, and ``id``: the id in the results. Default ``sleep_<workflow>_<n>``.
        """
        self._builder.sleep(duration, **display)
        return self

    def sleep_until(
        self, date: datetime | Callable[..., Any], **display: Unpack[EntryDisplay]
    ) -> Workflow[InT, OutT, CurrentT]:
        """Wait, durably, until a date: a `datetime` (without a zone: UTC), or a function that returns one."""
        self._builder.sleep_until(date, **display)
        return self

    def wait_for_event(self, *_: object, **__: object) -> NoReturn:
        """Mastra has removed ``waitForEvent()``, and this says what to use.

        Raises:
            DefinitionError: Always.
        """
        raise DefinitionError(
            f"{self._builder.owner}: .wait_for_event() was removed from Mastra. Let a step wait: "
            "`return await ctx.suspend()`, and send the event with `run.resume(resume_data=...)`."
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
        self._definition = self._builder.build()
        return self

    def cloned(self, id: str) -> Workflow[InT, OutT, CurrentT]:
        """See `clone_workflow`."""
        _ = self.definition  # refuses a workflow that is not committed
        settings = replace(self._settings, id=id, schedules=())
        clone = Workflow[InT, OutT, CurrentT](settings, self._builder.clone(settings))
        clone._steps.update(self._steps)
        return cast(Any, clone).commit()

    # The finished definition

    @property
    def definition(self) -> WorkflowDefinition:
        """The finished workflow, as workers and clients take it.

        Raises:
            DefinitionError: The workflow was not committed.
        """
        if self._definition is None:
            raise DefinitionError(
                f"{self._builder.owner}: Uncommitted step flow changes detected. Call .commit() to register the steps."
            )
        return self._definition

    def use(self, definition: WorkflowDefinition) -> None:
        """Take this definition for the workflow's own. For tests, see `mastra_temporal.testing.with_steps`."""
        self._definition = definition

    @property
    def committed(self) -> bool:
        """Whether the workflow is finished."""
        return self._definition is not None

    @property
    def steps(self) -> Mapping[str, Step[Any, Any] | Workflow[Any, Any, Any]]:
        """The steps and nested workflows, by id."""
        return self._steps

    @property
    def graph(self) -> WorkflowGraph:
        """The whole workflow as data: what a run records when it starts. Raises `DefinitionError` if not committed."""
        return self.definition.graph

    @property
    def serialized_step_graph(self) -> list[dict[str, Any]]:
        """The graph in Mastra's JSON shape, for display."""
        return self.definition.serialized_step_graph

    # Runs

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
        session, _ = self._registered
        return await create_run(session, self.definition, run_id=run_id, resource_id=resource_id)

    async def restart_all_active_workflow_runs(self) -> RestartReport:
        """Restart all runs of this workflow that lost their workers, whatever ``auto_restart_active_runs`` says.

        Returns as soon as each is moving again. Mastra's ``restartAllActiveWorkflowRuns()``; see
        `Mastra.restart_all_active_workflow_runs`.
        """
        session, _ = self._registered
        restarting = Restarting(session, [self.definition], opted_out=True)
        await restarting.find()
        return await restarting.restart()

    async def get_workflow_run_by_id(
        self, run_id: str, *, fields: Iterable[str] | None = None, with_nested_workflows: bool = True
    ) -> WorkflowState | None:
        """Read a run: status, input, result and every step, of an open run as of this moment.

        Mastra's ``workflow.getWorkflowRunById()``. A run that was made here and not started yet has the status
        ``pending``; elsewhere it is unknown. The id of a run of a workflow that has this one nested in it gives the
        nested part.

        Args:
            run_id: The run.
            fields: The fields of the record that are wanted, in snake_case or camelCase. By default, and where there
                are none, all but ``request_context``. Identity, times and status are always there.
            with_nested_workflows: Whether ``steps`` includes those of nested workflows, as ``parent.child``.

        Returns:
            The record, or None when there is no such run of this workflow.

        Raises:
            RunError: A record has no field of that name.
            ServerUnreachableError: No server answers.
        """
        return await self._registered[1].fetch(self.id, run_id, fields, nested=with_nested_workflows)

    async def list_workflow_runs(self, **wanted: Unpack[RunFilterOptions]) -> WorkflowRuns:
        """Find the runs of this workflow, the newest first. Mastra's ``workflow.listWorkflowRuns()``.

        Of the runs on the registry's task queue; those made but not started are not among them. A run appears
        shortly after its start (Temporal's visibility lags by milliseconds to seconds); the status that it is shown
        with is exact.

        Args:
            wanted: See `RunFilterOptions`: ``status``, ``resource_id``, ``from_date``, ``to_date``, ``page`` and
                ``per_page``. By default all runs.

        Raises:
            RunError: ``page`` or ``per_page`` is below 0, or there is no such status.
            ServerUnreachableError: No server answers.
        """
        return await self._registered[1].list([self.id], **wanted)

    async def list_active_workflow_runs(self) -> WorkflowRuns:
        """The runs that are running or waiting, the newest first. Mastra's ``workflow.listActiveWorkflowRuns()``."""
        return await self._registered[1].list([self.id], status=("running", "waiting"))

    async def delete_workflow_run_by_id(self, run_id: str) -> None:
        """Delete a run from Temporal, with its history; an open one ends at once. An unknown one is no error.

        Mastra's ``workflow.deleteWorkflowRunById()``.

        Raises:
            ServerUnreachableError: No server answers.
        """
        await self._registered[1].delete(self.id, run_id)

    # Helpers

    def bind(self, session: Session, records: RunRecords) -> None:
        """Tell the workflow where its runs are. Called by ``Mastra``, which registers it."""
        self._bound = (session, records)

    @property
    def _registered(self) -> tuple[Session, RunRecords]:
        if self._bound is None:
            raise DefinitionError(
                f"workflow `{self.id}` is not registered: list it in Mastra(workflows=[...]) before making a run of it."
            )
        return self._bound

    def _body(self, step: Step[Any, Any] | Workflow[Any, Any, Any]) -> AnyStep:
        if not isinstance(step, (Step, Workflow)):
            raise DefinitionError(
                f"{self._builder.owner}: expected a step or a workflow, got {step!r}. "
                "Make one with @step or create_step()."
            )
        body = step.definition if isinstance(step, Workflow) else step
        self._steps.setdefault(step.id, step)  # the builder refuses a second one of that id
        return body
