"""Add the tracing headers to calls, workflows and activities, and provide received headers to their handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from temporalio.client import Interceptor as ClientInterceptor
from temporalio.client import (
    OutboundInterceptor,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    StartWorkflowUpdateWithStartInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.worker import (
    ActivityInboundInterceptor,
    ContinueAsNewInput,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleUpdateInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.worker import Interceptor as WorkerInterceptor
from temporalio.workflow import ActivityHandle, ChildWorkflowHandle

from mastra_temporal._protocol.names import UPDATE_OUTCOME
from mastra_temporal._tracing.attempt import observed
from mastra_temporal._tracing.headers import (
    Headers,
    Inbound,
    inbound,
    outbound,
    read_context,
    read_header,
    with_headers,
)

if TYPE_CHECKING:
    from mastra_temporal._tracing.otel import Tracing

__all__ = ["TracingHeaders"]


class TracingHeaders(ClientInterceptor, WorkerInterceptor):
    """Passes tracing options and trace context from the client through the workflow to its activities.

    It does so even if this process does not trace, because the next one may.
    """

    def __init__(self, tracing: Tracing | None) -> None:
        """Create the interceptor.

        Args:
            tracing: The tracing of this process, or None.
        """
        self.tracing = tracing

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """See base class."""
        return _Client(next, self.tracing)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See base class."""
        return _Activity(next, self.tracing)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """See base class."""

        class OfThisWorker(_Workflow):
            tracing = self.tracing

        return OfThisWorker


class _Client(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, tracing: Tracing | None) -> None:
        super().__init__(next)
        self._tracing = tracing

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        input.headers = self._stamped(input.headers)
        return await super().start_workflow(input)

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        if input.update != UPDATE_OUTCOME:  # this update only waits, and many callers share it
            input.headers = self._stamped(input.headers)
        return await super().start_workflow_update(input)

    async def start_update_with_start_workflow(
        self, input: StartWorkflowUpdateWithStartInput
    ) -> WorkflowUpdateHandle[Any]:
        input.start_workflow_input.headers = self._stamped(input.start_workflow_input.headers)
        return await super().start_update_with_start_workflow(input)

    def _stamped(self, headers: Headers) -> Headers:
        content = outbound.get()
        if content is None:  # the call is not ours
            return headers
        header, carrier = content()
        if not carrier and self._tracing is not None:
            carrier = self._tracing.carrier()
        return with_headers(headers, header, carrier)


class _Workflow(WorkflowInboundInterceptor):
    tracing: ClassVar[Tracing | None] = None

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_FromWorkflow(outbound))

    # Each workflow and update runs in its own task, so `inbound` needs no reset: its value ends with the task.

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        inbound.set(_received(self.tracing, input.headers))
        return await super().execute_workflow(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        inbound.set(_received(self.tracing, input.headers))
        return await super().handle_update_handler(input)


class _FromWorkflow(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        input.headers = _stamped(input.headers)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        input.headers = _stamped(input.headers)
        return super().start_local_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> ChildWorkflowHandle[Any, Any]:
        input.headers = _stamped(input.headers)
        return await super().start_child_workflow(input)

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        input.headers = _stamped(input.headers, continuing=True)
        super().continue_as_new(input)


def _stamped(headers: Headers, *, continuing: bool = False) -> Headers:
    content = outbound.get()
    return headers if content is None else with_headers(headers, *content(continuing=continuing))


class _Activity(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, tracing: Tracing | None) -> None:
        super().__init__(next)
        self._tracing = tracing

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        token = inbound.set(_received(self._tracing, input.headers))
        try:
            with observed(input.args[0] if input.args else None) as outcome:
                return outcome(await super().execute_activity(input))
        finally:
            inbound.reset(token)


def _received(tracing: Tracing | None, headers: Headers) -> Inbound:
    return Inbound(tracing, read_header(headers), read_context(headers))
