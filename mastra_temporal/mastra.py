"""`Mastra`: the registry of workflows, used by workers and clients, with the connection to Temporal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.common import VersioningBehavior
from temporalio.runtime import Runtime
from typing_extensions import Unpack

from mastra_temporal._client.records.listing import RunFilterOptions, WorkflowRuns
from mastra_temporal._client.records.progress import RunProgress
from mastra_temporal._client.records.reader import RunRecords
from mastra_temporal._client.recovery.bulk import Restarting, RestartReport
from mastra_temporal._client.run import Run
from mastra_temporal._client.schedules.schedules import Schedules
from mastra_temporal._client.session import Session
from mastra_temporal._client.time_travel.next_execution import NextExecutionStarter
from mastra_temporal._data.shown import shown
from mastra_temporal._data.suggest import names_arguments
from mastra_temporal._definition.component import Agent, Tool, agent_of, tool_of
from mastra_temporal._definition.ids import fault_of
from mastra_temporal._definition.named import Named
from mastra_temporal._definition.step import Step, with_tool
from mastra_temporal._protocol.names import step_activity
from mastra_temporal._protocol.step_calls import StepCall, StepOutcome
from mastra_temporal._worker.activities.definitions import Definitions
from mastra_temporal._worker.activities.functions import Calls
from mastra_temporal._worker.activities.runner import StepRunner
from mastra_temporal._worker.activities.threads import Threads
from mastra_temporal._worker.workflow.compiler import compile_workflows
from mastra_temporal.connecting import Connect, connect_client, connect_with
from mastra_temporal.errors import ConfigurationError, DefinitionError, WorkflowNotFoundError
from mastra_temporal.plugin import MastraPlugin
from mastra_temporal.workflow import Workflow

__all__ = ["Mastra"]


class Mastra:
    """The registry of an application's workflows, agents and tools. Workers and clients import the same object.

    Mastra's ``Mastra`` class: https://mastra.ai/reference/core/mastra-class
    """

    @names_arguments
    def __init__(
        self,
        *,
        workflows: Iterable[Workflow[Any, Any, Any]] | Mapping[str, Workflow[Any, Any, Any]],
        agents: Iterable[Agent | Any] | Mapping[str, Agent | Any] = (),
        tools: Iterable[Tool | Any] | Mapping[str, Tool | Any] = (),
        task_queue: str = "mastra",
        max_lost_attempts: int | None = 10,
        connect: Connect = connect_client,
    ) -> None:
        """Register workflows, agents and tools, each given as a list, or as a mapping whose keys are further names.

        Args:
            workflows: Committed workflows. Workflows nested in them are registered with them. List a nested workflow
                only if it is also started by itself.
            agents: The agents that workflows name by id, as in ``.agent("writer")``.
            tools: The tools that workflows name by id, as in ``.tool("adder")``.
            task_queue: The Temporal task queue of the runs and of their steps.
            max_lost_attempts: How many attempts in a row of a step, condition, mapping or callback may be lost, because
                their workers died or did not answer, before it fails. None means no limit. It holds for the workers
                of this registry; `StepOptions` can set another limit for a step.
            connect: An async function that returns the Temporal client. It gets the settings of the environment, see
                `ConnectSettings`, and can add a data converter, interceptors or an API key:
                ``return await Client.connect(**settings, data_converter=...)``. All commands of ``mastra-temporal``
                connect with it.

        Raises:
            DefinitionError: A workflow is not committed, two workflows have the same id, a value is not a workflow,
                agent or tool, or the name of the task queue is not valid.
            ConfigurationError: ``max_lost_attempts`` is less than 1, or ``connect`` is not a function.
        """
        if (fault := fault_of(task_queue)) is not None:
            raise DefinitionError(f"{shown(task_queue)} cannot be the name of a task queue: {fault}.")
        if max_lost_attempts is not None and max_lost_attempts < 1:
            raise ConfigurationError(f"max_lost_attempts is 1 or more, or None for no limit; got {max_lost_attempts}.")
        if not callable(connect):
            raise ConfigurationError(f"Mastra(connect=...) takes an async function, got {shown(connect)}.")
        self.max_lost_attempts: int | None = max_lost_attempts
        self._connect = connect
        self._registered = Named("Workflow", workflows, _workflow_id, error=WorkflowNotFoundError)
        self._definitions = Definitions(workflow.definition for workflow in self._workflows.values())
        self._agents = Named("Agent", agents, _agent_id, error=ConfigurationError)
        self._tools = Named("Tool", tools, _tool_id, error=ConfigurationError)
        self.session: Session = Session(task_queue)
        """The connection to Temporal that runs, records and schedules use."""
        self.records: RunRecords = RunRecords(self.session)
        """The records of all runs, which the methods of `Workflow` read."""
        self.schedules: Schedules = Schedules(
            self.session, {id: item.definition for id, item in self._workflows.items()}
        )
        """The schedules by which Temporal starts runs."""
        for workflow in self._workflows.values():
            workflow.bind(self.session, self.records)

    @property
    def task_queue(self) -> str:
        """The Temporal task queue of the runs and of their steps."""
        return self.session.task_queue

    def get_workflow(self, key: str) -> Workflow[Any, Any, Any]:
        """Return a registered workflow by its key in the mapping of workflows, or else by its id.

        Raises:
            WorkflowNotFoundError: No registered workflow has this key or id.
        """
        return self._registered.get(key)

    def get_workflow_by_id(self, workflow_id: str) -> Workflow[Any, Any, Any]:
        """Return a registered workflow by its id, or else by its key.

        Raises:
            WorkflowNotFoundError: No registered workflow has this id or key.
        """
        return self._registered.get_by_id(workflow_id)

    def list_workflows(self) -> dict[str, Workflow[Any, Any, Any]]:
        """Return the registered workflows by key. Workflows that were given as a list have their ids as keys."""
        return dict(self._registered.by_key)

    def get_agent(self, key: str) -> Any:
        """Return a registered agent by its key, or else by its id.

        Raises:
            ConfigurationError: No registered agent has this key or id.
        """
        return self._agents.get(key)

    def get_agent_by_id(self, agent_id: str) -> Any:
        """Return a registered agent by its id, or else by its key.

        Raises:
            ConfigurationError: No registered agent has this id or key.
        """
        return self._agents.get_by_id(agent_id)

    def list_agents(self) -> dict[str, Any]:
        """Return the registered agents by key. Agents that were given as a list have their ids as keys."""
        return dict(self._agents.by_key)

    def get_tool(self, key: str) -> Any:
        """Return a registered tool by its key, or else by its id.

        Raises:
            ConfigurationError: No registered tool has this key or id.
        """
        return self._tools.get(key)

    def get_tool_by_id(self, tool_id: str) -> Any:
        """Return a registered tool by its id, or else by its key.

        Raises:
            ConfigurationError: No registered tool has this id or key.
        """
        return self._tools.get_by_id(tool_id)

    def list_tools(self) -> dict[str, Any]:
        """Return the registered tools by key. Tools that were given as a list have their ids as keys."""
        return dict(self._tools.by_key)

    async def connect(self, client: Client | None = None, *, runtime: Runtime | None = None) -> Client:
        """Connect to Temporal and return the client. Later calls without a client return the same one.

        Args:
            client: A client to use. If it has no `MastraPlugin` for this registry, a client with the same connection
                and the plugin is used instead. Default: a new client, made by the function of ``Mastra(connect=...)``
                with the settings of Temporal's environment variables and configuration file (`temporalio.envconfig`).
            runtime: The SDK's runtime for a new client, for example one with metrics. It should send worker heartbeats
                every second, as that of `heartbeating_runtime` does. Default: that runtime.

        Raises:
            ServerUnreachableError: No server answers at the address.
            ConfigurationError: The settings in the environment or the configuration file cannot be read, or the
                function of ``Mastra(connect=...)`` failed.
        """
        if client is not None:
            await self.session.connect(self._with_plugin(client))
        elif not self.session.is_connected:
            client = await connect_with(self._connect, MastraPlugin(self), runtime)
            await self.session.connect(self._with_plugin(client))
        return self.session.client

    @property
    def client(self) -> Client:
        """The connected Temporal client.

        Raises:
            ConfigurationError: `connect` has not been called.
        """
        return self.session.client

    async def list_active_workflow_runs(self) -> WorkflowRuns:
        """List the running and waiting runs of all registered workflows, the newest first.

        Mastra's ``mastra.listActiveWorkflowRuns()``.

        Raises:
            ServerUnreachableError: No server answers.
        """
        return await self.records.list(list(self._workflows), status=("running", "waiting"))

    async def list_workflow_runs(
        self, *, workflow_id: str | None = None, task_queue: str | None = None, **wanted: Unpack[RunFilterOptions]
    ) -> WorkflowRuns:
        """List the runs of the namespace, the newest first, also those of workflows that are not registered here.

        Runs that Mastra's TypeScript client started are included if ``workflow_id`` names their workflow.

        Args:
            workflow_id: List only runs of this workflow.
            task_queue: List only runs on this task queue. Default: all queues.
            wanted: See `RunFilterOptions`: ``status``, ``resource_id``, ``from_date``, ``to_date``, ``page`` and
                ``per_page``. Default: all runs.

        Raises:
            RunError: ``page`` or ``per_page`` is below 0, or the status is unknown.
            ServerUnreachableError: No server answers.
        """
        workflow_ids = None if workflow_id is None else [workflow_id]
        return await self.records.list_everywhere(workflow_ids, task_queue, **wanted)

    async def get_run(self, run_id: str) -> Run[Any]:
        """Return a run of any workflow by its id alone.

        If its workflow is not registered here, the run has the graph that it recorded and no schemas: results are JSON
        data, and input for a time travel is not validated before it is sent.

        Args:
            run_id: The run's id, which is also the Temporal workflow id.

        Raises:
            RunNotFoundError: Temporal has no such run.
            RunError: It is not a run of this package.
            ServerUnreachableError: No server answers.
        """
        definitions = {id: workflow.definition for id, workflow in self._workflows.items()}
        return await self.records.find(definitions, run_id)

    async def get_run_progress(self, run_id: str) -> RunProgress:
        """Return what a run of any workflow is doing: its record, the attempts of its steps, and what they wait for.

        Args:
            run_id: The run's id.

        Raises:
            RunNotFoundError: Temporal has no such run.
            RunError: It is not a run of this package.
            ServerUnreachableError: No server answers.
        """
        return await self.records.progress(run_id)

    async def terminate_run(self, run_id: str, *, reason: str | None = None) -> bool:
        """End a run of any workflow at once, without its callbacks. `Run.restart` can continue it.

        Args:
            run_id: The run's id.
            reason: A text for the Temporal UI.

        Returns:
            False if the run had ended.

        Raises:
            RunNotFoundError: Temporal has no such run.
            ServerUnreachableError: No server answers.
        """
        return await self.records.terminate(run_id, reason)

    async def delete_run(self, run_id: str) -> None:
        """Delete a run of any workflow and its history from Temporal. An open run is terminated.

        Args:
            run_id: The run's id.

        Raises:
            RunNotFoundError: Temporal has no such run.
            ServerUnreachableError: No server answers.
        """
        await self.records.delete_any(run_id)

    async def restart_all_active_workflow_runs(self) -> RestartReport:
        """Restart all runs of the registered workflows that lost their workers. Call it after an outage.

        Runs whose workers are alive are not changed. Workflows with ``auto_restart_active_runs=False`` are skipped.
        Returns as soon as every run makes progress again; ``await report.wait()`` waits for the results. Mastra's
        ``restartAllActiveWorkflowRuns()``.
        """
        workflows = [workflow.definition for workflow in self._workflows.values()]
        restarting = Restarting(self.session, workflows, opted_out=False)
        await restarting.find()
        return await restarting.restart()

    # What the plugin registers

    def workflow_types(self, versioning: VersioningBehavior = VersioningBehavior.UNSPECIFIED) -> list[type]:
        """Return the Temporal workflow types of the registered workflows.

        Args:
            versioning: What open runs do under Worker Versioning. UNSPECIFIED is the default of the worker.
        """
        return compile_workflows(list(self._workflows), self._definitions.check_resume_data, versioning)

    def activities(self, threads: Executor | None = None) -> list[Callable[..., Any]]:
        """Return the activities of all steps and the activities that the interpreter calls.

        Args:
            threads: The executor for steps that are not async. Default: an own thread for each call.
        """
        threads = threads or Threads("mastra-step")
        steps = [
            _activity(StepRunner(self, workflow, self._with_tool(step), threads), step_activity(workflow.id, step.id))
            for workflow in self._definitions.workflows.values()
            for step in workflow.steps.values()
            if isinstance(step, Step)
        ]
        return [*steps, *Calls(self, self._definitions).activities, NextExecutionStarter(self._definitions).start]

    @property
    def _workflows(self) -> dict[str, Workflow[Any, Any, Any]]:
        return self._registered.by_id

    def _with_tool(self, step: Step[Any, Any]) -> Step[Any, Any]:
        """Return the step with the registered tool as its body, if it names its tool by id."""
        if not step.by_id:
            return step
        try:
            return with_tool(step, self.get_tool_by_id(str(step.component_id)))
        except ConfigurationError:
            return step  # the body of such a step raises an error that names the missing tool

    def _with_plugin(self, client: Client) -> Client:
        config = client.config(active_config=True)
        plugins = list(config.get("plugins", []))
        if any(isinstance(plugin, MastraPlugin) and plugin.mastra is self for plugin in plugins):
            return client
        config["plugins"] = [*plugins, MastraPlugin(self)]
        return Client(**config)


def _workflow_id(workflow: object) -> str:
    if not isinstance(workflow, Workflow):
        raise DefinitionError(f"Mastra(workflows=...) takes workflows, got {shown(workflow)}.")
    return workflow.id


def _agent_id(agent: Any) -> Any:
    return agent_of(agent, output_schema=None, agent_options=None).id


def _tool_id(tool: Any) -> Any:
    return tool_of(tool).id


def _activity(runner: StepRunner, name: str) -> Callable[..., Any]:
    @activity.defn(name=name)
    async def run_step(call: StepCall) -> StepOutcome:
        return await runner.run(call)

    return run_step
