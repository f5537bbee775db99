"""Mastra workflows for Python, executed by Temporal.

The smallest program::

    import asyncio
    from mastra_temporal import Mastra, create_workflow, step

    @step
    async def greet(name: str) -> str:
        return f"Hello, {name}!"

    greeting = create_workflow(id="greeting", input_schema=str, output_schema=str).then(greet).commit()
    mastra = Mastra(workflows=[greeting])

    async def main() -> None:
        await mastra.connect()
        run = await greeting.create_run()
        print((await run.start(input_data="Ann")).result)

    if __name__ == "__main__":
        asyncio.run(main())

with a worker beside it: ``mastra-temporal dev --app greeting:mastra``.
"""

from mastra_temporal._client.records.listing import WorkflowRun, WorkflowRuns
from mastra_temporal._client.records.progress import RunProgress, StepProgress
from mastra_temporal._client.records.state import WorkflowState
from mastra_temporal._client.records.state_reader import (
    SuspendedStep,
    WorkflowStateReader,
    create_workflow_state_reader,
)
from mastra_temporal._client.recovery.bulk import RestartedRun, RestartReport
from mastra_temporal._client.run import Run
from mastra_temporal._client.schedules.schedules import Reconciliation, ScheduleRecord, Schedules
from mastra_temporal._client.streams.stream import Watch, WorkflowEvent, WorkflowRunOutput
from mastra_temporal._compat.module_names import publish as _publish
from mastra_temporal._definition.component import Agent, AgentInput, AgentOutput, Tool
from mastra_temporal._definition.mapping import map_variable
from mastra_temporal._definition.options import OutputOptions, RetryConfig, StepOptions, WorkflowOptions
from mastra_temporal._definition.schedule import ScheduleConfig
from mastra_temporal._definition.step import Step, clone_step, create_step, step
from mastra_temporal._protocol.results import StepResult, WorkflowResult
from mastra_temporal._tracing.context import TracingContext, TracingSpan
from mastra_temporal._tracing.logs import MastraLogFilter
from mastra_temporal._tracing.options import TracingOptions
from mastra_temporal.connecting import ConnectSettings
from mastra_temporal.context import (
    AbortSignal,
    CallbackInfo,
    FunctionContext,
    RequestContext,
    StepContext,
    StepWriter,
    SyncStepContext,
)
from mastra_temporal.create import clone_workflow, create_workflow
from mastra_temporal.errors import (
    ConfigurationError,
    DataConversionError,
    DefinitionError,
    HistoryTooLargeError,
    LostAttemptsError,
    MappingError,
    MastraError,
    NonRetryableError,
    PayloadTooLargeError,
    ResumeAlreadyClaimedError,
    RunAlreadyStartedError,
    RunError,
    RunNotActiveError,
    RunNotFoundError,
    RunNotSuspendedError,
    RunRefusedError,
    ScheduleError,
    SchemaValidationError,
    SerializationError,
    ServerUnreachableError,
    StepTimeoutError,
    TimeTravelConflictError,
    TimeTravelError,
    TripWire,
    WorkflowNotFoundError,
)
from mastra_temporal.mastra import Mastra
from mastra_temporal.plugin import MastraPlugin
from mastra_temporal.worker import WorkerOptions, run_worker
from mastra_temporal.workflow import Workflow

__all__ = [
    "AbortSignal",
    "Agent",
    "AgentInput",
    "AgentOutput",
    "CallbackInfo",
    "ConfigurationError",
    "ConnectSettings",
    "DataConversionError",
    "DefinitionError",
    "FunctionContext",
    "HistoryTooLargeError",
    "LostAttemptsError",
    "MappingError",
    "Mastra",
    "MastraError",
    "MastraLogFilter",
    "MastraPlugin",
    "NonRetryableError",
    "OutputOptions",
    "PayloadTooLargeError",
    "Reconciliation",
    "RequestContext",
    "RestartReport",
    "RestartedRun",
    "ResumeAlreadyClaimedError",
    "RetryConfig",
    "Run",
    "RunAlreadyStartedError",
    "RunError",
    "RunNotActiveError",
    "RunNotFoundError",
    "RunNotSuspendedError",
    "RunProgress",
    "RunRefusedError",
    "ScheduleConfig",
    "ScheduleError",
    "ScheduleRecord",
    "Schedules",
    "SchemaValidationError",
    "SerializationError",
    "ServerUnreachableError",
    "Step",
    "StepContext",
    "StepOptions",
    "StepProgress",
    "StepResult",
    "StepTimeoutError",
    "StepWriter",
    "SuspendedStep",
    "SyncStepContext",
    "TimeTravelConflictError",
    "TimeTravelError",
    "Tool",
    "TracingContext",
    "TracingOptions",
    "TracingSpan",
    "TripWire",
    "Watch",
    "WorkerOptions",
    "Workflow",
    "WorkflowEvent",
    "WorkflowNotFoundError",
    "WorkflowOptions",
    "WorkflowResult",
    "WorkflowRun",
    "WorkflowRunOutput",
    "WorkflowRuns",
    "WorkflowState",
    "WorkflowStateReader",
    "clone_step",
    "clone_workflow",
    "create_step",
    "create_workflow",
    "create_workflow_state_reader",
    "map_variable",
    "run_worker",
    "step",
]

_publish(__name__, globals(), __all__)
