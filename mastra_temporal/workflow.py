"""`Workflow`: the builder of a workflow and the access to its runs."""

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
from mastra_temporal._data.shown import shown
from mastra_temporal._data.suggest import names_arguments
from mastra_temporal._definition.builder import AnyStep, Condition, EntryDisplay, GraphBuilder
from mastra_temporal._definition.component import registered_agent, registered_tool
from mastra_temporal._definition.lists import pairs_of, steps_of
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
    """A workflow: created by `create_workflow`, built by the methods below and finished by `commit`.

    Every building method returns the workflow. A committed workflow can be a step of another workflow. The methods
    that read runs get everything from Temporal and need no worker. Mastra's ``Workflow``: https://mastra.ai/reference/workflows/workflow
    """

    def __init__(self, settings: WorkflowSettings, builder: GraphBuilder | None = None) -> None:
        """Create the workflow. Call `create_workflow` instead of this."""
        self._settings = settings
        self._builder = builder or GraphBuilder(settings)
        self._definition: WorkflowDefinition | None = None
        self._bound: tuple[Session, RunRecords] | None = None
        self._steps: dict[str, Step[Any, Any] | Workflow[Any, Any, Any]] = {}
        self.id: str = settings.id
        """The workflow's id, which is also its Temporal workflow type."""
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
        """Add a step or a nested workflow. Its input is the output of the entry before it.

        Raises:
            DefinitionError: The id is already used in this workflow, or the nested workflow is not committed. All
                building methods raise it in these cases.
        """
        self._builder.step(self._body(step))
        return cast(Any, self)

    def agent(self, agent: Any, *, id: str | None = None, **settings: Any) -> Workflow[InT, OutT, Any]:
        """Add a step that asks an agent. Short for ``.then(create_step(agent, ...))``.

        Args:
            agent: An `Agent`, or the id of an agent that is registered with ``Mastra(agents=[...])``.
            id: The step's id. Default: the agent's id.
            settings: The settings that `create_step` takes for an agent.
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
        """Add a step that calls a tool. Short for ``.then(create_step(tool, ...))``.

        Args:
            tool: A `Tool`, or the id of a tool that is registered with ``Mastra(tools=[...])``.
            id: The step's id. Default: the tool's id.
            settings: The settings that `create_step` takes for a tool.
        """
        if isinstance(tool, str):
            return self.then(replace(component_step(registered_tool(tool), id=id, **settings), by_id=True))
        return self.then(create_step(tool, id=id, **settings))

    def parallel(
        self, steps: Sequence[Step[CurrentT, Any] | Workflow[CurrentT, Any, Any]], **display: Unpack[EntryDisplay]
    ) -> Workflow[InT, OutT, dict[str, Any]]:
        """Add steps that run at the same time on the same input. The output has each step's output under its id.

        All steps run to their end even when one fails. The run then fails with the first failure in definition order.
        """
        self._builder.parallel([self._body(step) for step in steps_of(steps, owner=self._builder.owner)], **display)
        return cast(Any, self)

    def branch(
        self,
        branches: Sequence[tuple[Condition, Step[CurrentT, Any] | Workflow[CurrentT, Any, Any]]],
        **display: Unpack[EntryDisplay],
    ) -> Workflow[InT, OutT, dict[str, Any]]:
        """Add steps with conditions. All steps whose condition is true run at the same time on the same input.

        A condition that raises counts as false. The output is an object with the outputs of the steps that ran, by id.
        A step that did not run has no key, so read its output with ``output.get("step-id")``.
        """
        pairs = pairs_of(branches, owner=self._builder.owner)
        self._builder.branch([(condition, self._body(step)) for condition, step in pairs], **display)
        return cast(Any, self)

    def dowhile(
        self,
        step: Step[CurrentT, NextT] | Workflow[CurrentT, NextT, Any],
        condition: Condition,
        **display: Unpack[EntryDisplay],
    ) -> Workflow[InT, OutT, NextT]:
        """Add a loop: the step runs once, and then again on its own output while the condition is true."""
        self._builder.loop("dowhile", self._body(step), condition, **display)
        return cast(Any, self)

    def dountil(
        self,
        step: Step[CurrentT, NextT] | Workflow[CurrentT, NextT, Any],
        condition: Condition,
        **display: Unpack[EntryDisplay],
    ) -> Workflow[InT, OutT, NextT]:
        """Add a loop: the step runs once, and then again on its own output until the condition is true."""
        self._builder.loop("dountil", self._body(step), condition, **display)
        return cast(Any, self)

    def foreach(
        self: Workflow[InT, OutT, Sequence[ItemT] | AbstractSet[ItemT]],
        step: Step[ItemT, NextT] | Workflow[ItemT, NextT, Any],
        *,
        concurrency: int | Callable[..., Any] = 1,
        **display: Unpack[EntryDisplay],
    ) -> Workflow[InT, OutT, list[NextT]]:
        """Add a step that runs for each item of a list. The output is the list of outputs, in the order of the items.

        Args:
            step: The step or workflow that gets each item.
            concurrency: The number of items that run at the same time, or a function of the input that returns it.
                Values below 1 are read as 1.
            display: ``id``, ``description`` and ``metadata``. The id also identifies a concurrency function, see `map`.
        """
        self._builder.foreach(self._body(step), concurrency, **display)
        return cast(Any, self)

    def map(
        self, mapping: Mapping[str, Any] | Callable[..., Any], **display: Unpack[EntryDisplay]
    ) -> Workflow[InT, OutT, Any]:
        """Add a mapping, which shapes the data between two steps.

        Args:
            mapping: A function of the input whose result is the output, or an object. Each key of the object has one
                source: ``{"step": step, "path": "a.b"}``, ``{"init_data": True, "path": ...}``, ``{"value": ...}``,
                ``{"template": "Hi ${initData.name}"}``, ``{"request_context_path": key}`` or ``{"fn": function}``.
            display: ``description``, ``metadata`` and ``id``, the id in the results (default
                ``mapping_<workflow>_<n>``). If the entry has an id, open runs use the function that their worker has
                under this id, even if its code has changed. If it has none, the function is identified by its code,
                and open runs wait for a worker that has the same code. This holds for all entries with functions.
        """
        self._builder.mapping(mapping, **display)
        return cast(Any, self)

    def sleep(
        self, duration: int | float | timedelta | Callable[..., Any], **display: Unpack[EntryDisplay]
    ) -> Workflow[InT, OutT, CurrentT]:
        """Add a durable wait, which keeps its deadline over a crash. The output is the input.

        Args:
            duration: Milliseconds or a `timedelta`, or a function of the input that returns one of them. A negative
                duration, or None from a function, means no wait.
            display: ``description``, ``metadata`` and ``id``, the id in the results (default ``sleep_<workflow>_<n>``).
        """
        self._builder.sleep(duration, **display)
        return self

    def sleep_until(
        self, date: datetime | Callable[..., Any], **display: Unpack[EntryDisplay]
    ) -> Workflow[InT, OutT, CurrentT]:
        """Add a durable wait until a date: a `datetime` (UTC if it has no zone), or a function that returns one."""
        self._builder.sleep_until(date, **display)
        return self

    def wait_for_event(self, *_: object, **__: object) -> NoReturn:
        """Raise an error that names the replacement. Mastra has removed ``waitForEvent()``.

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
        """Finish the workflow, so that it can be registered, run, and used as a step. It cannot be changed any more.

        Raises:
            DefinitionError: The workflow has no steps, a mapping names a step that the workflow does not have, the
                output of an entry can never be the input of the next one, or the ids are together longer than
                Temporal takes.
        """
        self._definition = self._builder.build()
        return self

    def cloned(self, id: str) -> Workflow[InT, OutT, CurrentT]:
        """Return a committed copy under another id. See `clone_workflow`."""
        _ = self.definition  # refuses a workflow that is not committed
        settings = replace(self._settings, id=id, schedules=())
        clone = Workflow[InT, OutT, CurrentT](settings, self._builder.clone(settings))
        clone._steps.update(self._steps)
        return cast(Any, clone).commit()

    # The finished definition

    @property
    def definition(self) -> WorkflowDefinition:
        """The finished definition, which workers and clients use.

        Raises:
            DefinitionError: The workflow is not committed.
        """
        if self._definition is None:
            raise DefinitionError(
                f"{self._builder.owner}: Uncommitted step flow changes detected. Call .commit() to register the steps."
            )
        return self._definition

    def use(self, definition: WorkflowDefinition) -> None:
        """Replace the workflow's definition. Used by tests, see `mastra_temporal.testing.with_steps`."""
        self._definition = definition

    @property
    def committed(self) -> bool:
        """Whether `commit` was called."""
        return self._definition is not None

    @property
    def steps(self) -> Mapping[str, Step[Any, Any] | Workflow[Any, Any, Any]]:
        """The steps and nested workflows, by id."""
        return self._steps

    @property
    def graph(self) -> WorkflowGraph:
        """The whole workflow as data. A run records it at its start. Raises `DefinitionError` if not committed."""
        return self.definition.graph

    @property
    def serialized_step_graph(self) -> list[dict[str, Any]]:
        """The graph in Mastra's JSON shape, for display."""
        return self.definition.serialized_step_graph

    # Runs

    @names_arguments
    async def create_run(self, *, run_id: str | None = None, resource_id: str | None = None) -> Run[OutT, InT]:
        """Create a run object. Nothing is written to Temporal until the run is started.

        Args:
            run_id: The run's id, which is also the Temporal workflow id. Default: a new id. If a run with this id
                exists, the returned object refers to it.
            resource_id: The owner of the run. Steps read it as ``ctx.resource_id``.

        Raises:
            DefinitionError: The workflow is not committed or not registered with a ``Mastra`` object.
            ServerUnreachableError: A ``run_id`` was given and no server answers.
        """
        session, _ = self._registered
        return await create_run(session, self.definition, run_id=run_id, resource_id=resource_id)

    async def restart_all_active_workflow_runs(self) -> RestartReport:
        """Restart all runs of this workflow that lost their workers, also if ``auto_restart_active_runs`` is False.

        Returns as soon as every run makes progress again. Mastra's ``restartAllActiveWorkflowRuns()``; see
        `Mastra.restart_all_active_workflow_runs`.
        """
        session, _ = self._registered
        restarting = Restarting(session, [self.definition], opted_out=True)
        await restarting.find()
        return await restarting.restart()

    async def get_workflow_run_by_id(
        self, run_id: str, *, fields: Iterable[str] | None = None, with_nested_workflows: bool = True
    ) -> WorkflowState | None:
        """Read a run's record: status, input, result and every step. For an open run it shows the present state.

        Mastra's ``workflow.getWorkflowRunById()``. A run that was created in this process and is not started has the
        status ``pending``; other processes do not see it. If this workflow is nested in another one, the id of a run of
        the outer workflow returns the nested part.

        Args:
            run_id: The run's id.
            fields: Names of the fields to return, in snake_case or camelCase. Default, also for an empty list: all but
                ``request_context``. Identity, times and status are always returned.
            with_nested_workflows: Whether ``steps`` includes the steps of nested workflows, as ``parent.child``.

        Returns:
            The record, or None if this workflow has no such run.

        Raises:
            RunError: A name in ``fields`` is not a field of a record.
            ServerUnreachableError: No server answers.
        """
        return await self._registered[1].fetch(self.id, run_id, fields, nested=with_nested_workflows)

    async def list_workflow_runs(self, **wanted: Unpack[RunFilterOptions]) -> WorkflowRuns:
        """List the runs of this workflow, the newest first. Mastra's ``workflow.listWorkflowRuns()``.

        The list holds the runs on the registry's task queue that have been started. A run appears shortly after its
        start, because Temporal's visibility lags by milliseconds to seconds. The status in the list is exact.

        Args:
            wanted: See `RunFilterOptions`: ``status``, ``resource_id``, ``from_date``, ``to_date``, ``page`` and
                ``per_page``. Default: all runs.

        Raises:
            RunError: ``page`` or ``per_page`` is below 0, or the status is unknown.
            ServerUnreachableError: No server answers.
        """
        return await self._registered[1].list([self.id], **wanted)

    async def list_active_workflow_runs(self) -> WorkflowRuns:
        """List running and waiting runs, the newest first. Mastra's ``workflow.listActiveWorkflowRuns()``."""
        return await self._registered[1].list([self.id], status=("running", "waiting"))

    async def delete_workflow_run_by_id(self, run_id: str) -> None:
        """Delete a run and its history from Temporal. An open run is terminated. An unknown run is not an error.

        Mastra's ``workflow.deleteWorkflowRunById()``.

        Raises:
            ServerUnreachableError: No server answers.
        """
        await self._registered[1].delete(self.id, run_id)

    # Helpers

    def bind(self, session: Session, records: RunRecords) -> None:
        """Connect the workflow to the session and the records of its registry. Called by ``Mastra``."""
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
                f"{self._builder.owner}: expected a step or a workflow, got {shown(step)}. "
                "Make one with @step or create_step()."
            )
        body = step.definition if isinstance(step, Workflow) else step
        self._steps.setdefault(step.id, step)  # the builder refuses a second one of that id
        return body
