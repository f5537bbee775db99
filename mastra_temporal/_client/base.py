"""What all parts of `Run` rest on: whose run it is, what Temporal says of it, what its executions are started with."""

# pyright: reportUnknownMemberType=false
# Some of the SDK's overloads are not fully typed.

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Generic

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowExecutionDescription
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from typing_extensions import TypeVar

from mastra_temporal._client.outcome import wait_for_outcome
from mastra_temporal._client.presentation import start_options
from mastra_temporal._client.records.description import describe, workflow_types
from mastra_temporal._client.replay import RecordedRun
from mastra_temporal._data.gate import to_json
from mastra_temporal._data.schema import SchemaError
from mastra_temporal._definition.options import OutputOptions
from mastra_temporal._definition.validation import admit
from mastra_temporal._protocol.limits import stored_from
from mastra_temporal._protocol.names import MEMO_GENERATION
from mastra_temporal._protocol.results import RunStatus, WorkflowResult
from mastra_temporal._protocol.snapshot import RunSeed
from mastra_temporal._protocol.start import StartEnvelope
from mastra_temporal._tracing.refusal import record_refusal
from mastra_temporal.context import RequestContext
from mastra_temporal.errors import ConfigurationError, RunError, RunNotFoundError, SchemaValidationError
from mastra_temporal.workflow import Workflow

if TYPE_CHECKING:
    from mastra_temporal.mastra import Mastra

__all__ = ["FIRST_START", "BaseRun", "InT", "OutT"]

OutT = TypeVar("OutT")
InT = TypeVar("InT", default=Any, contravariant=True)
"""Of the workflow's input. ``Run[Receipt]`` takes any."""

FIRST_START: dict[str, Any] = {
    "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    "id_conflict_policy": WorkflowIDConflictPolicy.FAIL,
}
"""How a run is started that must not exist yet, unless it has failed."""


class BaseRun(Generic[OutT, InT]):
    """What all parts of `Run` rest on."""

    def __init__(
        self, mastra: Mastra, workflow: Workflow[Any, OutT, Any], *, run_id: str, resource_id: str | None
    ) -> None:
        """Use `Workflow.create_run`."""
        self._mastra = mastra
        self._workflow = workflow
        self.run_id = run_id
        self.resource_id = resource_id
        self.created_at = datetime.now(timezone.utc)
        """When this object was made; when the run was started is in its record."""
        self.status: RunStatus = "pending"
        """What this object knew last; `fetch_status` asks Temporal."""
        self._canceled_before_start = False
        self._starting = False
        """Whether a start is on its way to the server."""

    @property
    def label(self) -> str:
        """The run in words, for errors."""
        return f"run `{self.run_id}` of workflow `{self.workflow_id}`"

    @property
    def client(self) -> Client:
        """The Temporal client."""
        return self._mastra.client

    @property
    def workflow_id(self) -> str:
        """The id of the workflow."""
        return self._workflow.id

    @property
    def serialized_step_graph(self) -> list[dict[str, Any]]:
        """The graph that the run will be started with."""
        return self._workflow.serialized_step_graph

    def __repr__(self) -> str:
        return f"Run(workflow_id={self.workflow_id!r}, run_id={self.run_id!r}, status={self.status!r})"

    # What Temporal says of it

    async def _outcome(self) -> WorkflowResult[Any]:
        description = await self._describe()
        generation = 0 if description is None else int((await description.memo()).get(MEMO_GENERATION, 0))
        return await wait_for_outcome(self.client, self.run_id, generation)

    async def _describe(self) -> WorkflowExecutionDescription | None:
        description = await describe(self.client, self.run_id)
        if description is not None:
            self._require_own(description)
            return description
        if self.status not in ("pending", "canceled"):
            raise RunNotFoundError(f"Snapshot not found for run {self.run_id}")
        return None

    def _require_own(self, description: WorkflowExecutionDescription) -> None:
        if description.workflow_type not in workflow_types(self.workflow_id):
            raise RunError(
                f"Run id `{self.run_id}` belongs to a run of workflow `{description.workflow_type}`, "
                f"not of `{self.workflow_id}`: use another run id."
            )

    def _shown(self, result: WorkflowResult[Any], options: OutputOptions) -> WorkflowResult[OutT]:
        """The result as the caller asked for it, its output as an instance of the workflow's schema."""
        self.status = result.status
        update: dict[str, Any] = {}
        if not options.include_state:
            update["state"] = None
        if not options.include_resume_labels:
            update["resume_labels"] = None
        if self._workflow.output_schema is not None and result.status == "success":
            with contextlib.suppress(SchemaError):
                update["result"] = self._workflow.output_schema.validate(to_json(result.result, what="The result"))
        return result.model_copy(update=update)

    # What its executions are started with

    def _envelope(
        self,
        input_data: Any,
        initial_state: Any,
        request_context: RequestContext | dict[str, Any] | None,
        per_step: bool,
    ) -> StartEnvelope:
        context = self._request_context(request_context)
        try:
            data, state = admit(self._workflow, input_data, initial_state, context)
        except SchemaValidationError as error:
            with contextlib.suppress(ConfigurationError):  # without a client nobody traces
                record_refusal(
                    self.client,
                    error,
                    workflow_id=self.workflow_id,
                    run_id=self.run_id,
                    resource_id=self.resource_id,
                    input_data=input_data,
                )
            raise
        return StartEnvelope(
            input_data=data,
            initial_state=state or None,
            request_context=context or None,
            run_id=self.run_id,
            resource_id=self.resource_id,
            per_step=per_step or None,
            graph=self._workflow.graph,
            search_attributes=self._mastra.has_search_attributes or None,
            stored_from=stored_from(self.client.data_converter),
            canceled=self._canceled_before_start or None,
        )

    def _request_context(self, value: RequestContext | dict[str, Any] | None) -> dict[str, Any]:
        return (value if isinstance(value, RequestContext) else RequestContext(value)).to_json(
            what=f"The request context of {self.label}"
        )

    def _start_options(self, envelope: StartEnvelope) -> dict[str, Any]:
        return start_options(self._workflow, envelope, self.run_id, self._mastra.task_queue)

    def _start_operation(self, envelope: StartEnvelope) -> WithStartWorkflowOperation[Any, Any]:
        return WithStartWorkflowOperation(self._workflow.id, envelope, **self._start_options(envelope), **FIRST_START)

    def _continuation(
        self,
        seed: RunSeed,
        description: WorkflowExecutionDescription | None,
        recorded: RecordedRun | None,
        request_context: RequestContext | dict[str, Any] | None,
    ) -> StartEnvelope:
        """What a new execution of this run is started with."""
        run = None if recorded is None else recorded.run
        known = {} if run is None else run.request_context
        generation = 0 if recorded is None else recorded.generation + 1
        return StartEnvelope(
            input_data=seed.scope.init_data,
            request_context={**known, **self._request_context(request_context)} or None,
            run_id=self.run_id,
            resource_id=self.resource_id if run is None else run.resource_id,
            graph=self._workflow.graph,
            search_attributes=self._mastra.has_search_attributes or None,
            stored_from=stored_from(self.client.data_converter),
            seed=seed.model_copy(
                update={
                    "continued_from": None if description is None else description.run_id,
                    "generation": generation,
                    "first_generation": generation,
                }
            ),
        )
