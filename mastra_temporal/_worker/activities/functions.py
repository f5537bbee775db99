"""The activities that do not run steps: functions, schemas, callbacks and small services for the workflow.

A worker may lack a function or step because the run was started on another version of its workflow. The activity then
fails with a clear error and is retried until a worker has it. A local activity instead reports that it is missing, and
the run schedules a regular activity, which any worker may execute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from mastra_temporal._data.gate import to_json
from mastra_temporal._data.options import milliseconds
from mastra_temporal._data.schema import SchemaError
from mastra_temporal._definition.functions import WorkflowFunction, WorkflowFunctions
from mastra_temporal._definition.validation import validate_nested, validate_start, validated
from mastra_temporal._definition.workflow_definition import WorkflowDefinition
from mastra_temporal._protocol.function_calls import (
    CallbackCall,
    FunctionCall,
    FunctionData,
    FunctionOutcome,
    ValidationCall,
    ValidationOutcome,
)
from mastra_temporal._protocol.graph import FunctionRef
from mastra_temporal._protocol.limits import stored_from
from mastra_temporal._protocol.names import (
    ACTIVITY_CALLBACK,
    ACTIVITY_FUNCTION,
    ACTIVITY_REQUEST_CANCEL,
    ACTIVITY_VALIDATE,
    STEP_NOT_REGISTERED,
)
from mastra_temporal._worker.activities import body
from mastra_temporal._worker.activities.body import AttemptGivenUp
from mastra_temporal._worker.activities.boundary import user_code
from mastra_temporal._worker.activities.declared import Declared
from mastra_temporal._worker.activities.definitions import Definitions
from mastra_temporal._worker.activities.failure import error_info, is_retryable
from mastra_temporal._worker.activities.heartbeat import AttemptLost, Heartbeat
from mastra_temporal._worker.activities.lost_attempts import LostAttempts, effective_limit
from mastra_temporal._worker.activities.lost_tasks import check_workflow_task
from mastra_temporal._worker.activities.runner import request_context_change
from mastra_temporal._worker.activities.sizes import size_error
from mastra_temporal._worker.activities.still_lost import still_lost
from mastra_temporal._worker.activities.threads import Threads
from mastra_temporal._worker.function_data import copy_of, held
from mastra_temporal.context import CallbackInfo, FunctionContext, Registry, RequestContext
from mastra_temporal.errors import LostAttemptsError, StepTimeoutError

__all__ = ["Calls"]

T = TypeVar("T")

REPORT_TIME = timedelta(seconds=1)
"""How much earlier than Temporal's timeout a call times out, to report the error itself."""


class Calls:
    """The activities that every worker has in addition to its steps."""

    def __init__(self, mastra: Registry, definitions: Definitions) -> None:
        """Create the activities of a registry.

        Args:
            mastra: The registry.
            definitions: Its workflows.
        """
        self.mastra = mastra
        self.definitions = definitions
        self.threads = Threads("mastra-function")

    @property
    def activities(self) -> list[Callable[..., Any]]:
        """The activities to register with the worker."""
        return [self.function, self.validate, self.callback, request_cancel, still_lost, missing_step]

    @activity.defn(name=ACTIVITY_FUNCTION)
    async def function(self, call: FunctionCall) -> list[FunctionOutcome]:
        """Evaluate conditions, mappings or durations concurrently.

        If this worker lacks one of them, none is evaluated.
        """
        functions = self._functions(call)
        data = call.data if call.held is None else held(call.held)
        if functions is None or data is None:
            return [FunctionOutcome(missing=True)] * len(call.functions)

        async def evaluate() -> list[FunctionOutcome]:
            return await asyncio.gather(*(self._evaluate(call, data, name, function) for name, function in functions))

        owner = _owner(call, call.functions[0].id)
        limit = self._limit(call.max_lost_attempts)
        try:
            if not activity.info().is_local:
                return await _alive(owner, evaluate, await LostAttempts.before_this_one(call.carried, limit=limit))
            if call.taken_over:
                # Another worker may have died of this call. Without the check it would kill one worker after the other.
                await check_workflow_task(owner, limit)
            return await evaluate()
        except (LostAttemptsError, StepTimeoutError) as error:
            return [FunctionOutcome(error=error_info(error), non_retryable=True)] * len(functions)

    def _functions(self, call: FunctionCall) -> list[tuple[str, WorkflowFunction]] | None:
        """Return the functions with their ids, or None if one is missing in a local activity."""
        workflow = self._workflow(call.workflow_id)
        known = WorkflowFunctions() if workflow is None else workflow.functions
        found: list[tuple[str, WorkflowFunction]] = []
        for wanted in call.functions:
            function = known.find(wanted)
            if function is None:
                # Local activities are not retried: raised in one, this error would fail the run.
                if activity.info().is_local:
                    return None
                raise _function_not_registered(call.workflow_id, wanted)
            found.append((wanted.id, function))
        return found

    async def _evaluate(
        self, call: FunctionCall, data: FunctionData, function_id: str, function: WorkflowFunction
    ) -> FunctionOutcome:
        # The functions run concurrently, so each one gets its own copy.
        request_context = RequestContext(deepcopy(data.request_context))
        owner = _owner(call, function_id)
        try:
            with user_code(owner):
                context = self._function_context(call, data, function, request_context, owner)
            value = await body.call(function.body, context.input_data, context, owner=owner, executor=self.threads)
            with user_code(owner):
                value = _as_data(function, value, what=f"The result of {owner}")
                change = request_context_change(
                    data.request_context or {}, request_context, what=f"The request context of {owner}"
                )
                outcome = FunctionOutcome(value=value, request_context=change)
                error = size_error(outcome, f"The result of {owner}")
        except Exception as error:
            return FunctionOutcome(error=error_info(error), non_retryable=None if is_retryable(error, []) else True)
        return outcome if error is None else FunctionOutcome(error=error, non_retryable=True)

    def _function_context(
        self,
        call: FunctionCall,
        data: FunctionData,
        function: WorkflowFunction,
        request_context: RequestContext,
        owner: str,
    ) -> FunctionContext:
        outputs = data.outputs or {}
        workflow = self.definitions.workflows[call.workflow_id]
        declared = Declared(workflow, call.validate_inputs, call.validate_outputs)
        return FunctionContext(
            input_data=_parsed(function, copy_of(data.input_data), owner),
            run_id=call.run_id,
            workflow_id=call.workflow_id,
            resource_id=call.resource_id,
            read_state=lambda: declared.state(copy_of(data.state or {})),
            request_context=request_context,
            retry_count=call.retry_count,
            mastra=self.mastra,
            lookup=lambda step_id: declared.found(
                step_id, copy_of(data.init_data if step_id is None else outputs.get(step_id))
            ),
            iteration_count=call.iteration_count,
        )

    @activity.defn(name=ACTIVITY_VALIDATE)
    async def validate(self, call: ValidationCall) -> ValidationOutcome:
        """Validate data with a workflow's schemas."""
        workflow = self._workflow(call.workflow_id)
        if workflow is None:
            if activity.info().is_local:
                return ValidationOutcome(missing=True)
            raise _workflow_not_registered(call.workflow_id)
        owner = f"a schema of workflow `{workflow.id}`"
        try:
            if call.taken_over and activity.info().is_local:
                await check_workflow_task(owner, self._limit(workflow.graph.plan.max_lost_attempts))
            with user_code(owner):
                return _admitted(workflow, call)
        except Exception as error:
            return ValidationOutcome(error=error_info(error))

    @activity.defn(name=ACTIVITY_CALLBACK)
    async def callback(self, call: CallbackCall) -> FunctionOutcome:
        """Run a callback of a workflow. An exception of the callback is reported and not retried."""
        workflow = self._workflow(call.workflow_id)
        if workflow is None:
            raise _workflow_not_registered(call.workflow_id)
        function = workflow.callbacks.get(call.callback)
        if function is None:
            return FunctionOutcome()
        declared = Declared(workflow, call.validate_inputs, validate_outputs=True)
        info = CallbackInfo(
            run_id=call.run_id,
            workflow_id=call.workflow_id,
            resource_id=call.resource_id,
            read_init_data=lambda: declared.found(None, call.init_data),
            read_state=lambda: declared.state(call.state or {}),
            request_context=RequestContext(call.request_context),
            mastra=self.mastra,
            status=call.status,
            result=call.result,
            error=call.error,
            tripwire=call.tripwire,
            steps=call.steps,
            step_execution_path=call.step_execution_path,
        )
        owner = f"{call.callback} of workflow `{call.workflow_id}`"
        limit = self._limit(call.max_lost_attempts)
        try:
            await _alive(
                owner,
                lambda: body.call(function, info, info, owner=owner, executor=self.threads),
                await LostAttempts.before_this_one(call.carried, limit=limit),
            )
        # Not errors of the callback: reported as its result, a lost attempt would not be repeated.
        except (AttemptLost, AttemptGivenUp):
            raise
        except Exception as error:
            return FunctionOutcome(error=error_info(error))
        return FunctionOutcome()

    def _limit(self, of_workflow: int | None) -> int | None:
        return effective_limit(of_workflow, self.mastra.max_lost_attempts)

    def _workflow(self, workflow_id: str) -> WorkflowDefinition | None:
        return self.definitions.workflows.get(workflow_id)


async def _alive(owner: str, perform: Callable[[], Awaitable[T]], lost: LostAttempts) -> T:
    """Run ``perform`` with a heartbeat, within the activity's time limit."""
    limit = activity.info().start_to_close_timeout or timedelta(hours=1)
    if lost.was_overdue:
        raise body.overdue(owner, milliseconds(limit))
    async with Heartbeat(owner, lost) as heartbeat:

        async def begin_and_perform() -> T:
            await heartbeat.begin()
            return await perform()

        return await body.supervise(
            asyncio.create_task(begin_and_perform(), name=owner),
            heartbeat,
            owner=owner,
            timeout_ms=milliseconds(limit - REPORT_TIME),
            grace_ms=body.FORGOTTEN_GRACE_MS,
        )


def _owner(call: FunctionCall, function_id: str) -> str:
    return f"function `{function_id}` of workflow `{call.workflow_id}`"


def _admitted(workflow: WorkflowDefinition, call: ValidationCall) -> ValidationOutcome:
    """Validate the data of a call. Raises `SchemaValidationError`."""
    if call.kind == "output":
        validated(
            workflow.output_schema,
            call.input_data,
            f"Workflow output validation failed for workflow '{workflow.id}'",
            "WORKFLOW_OUTPUT_VALIDATION_FAILED",
        )
        return ValidationOutcome()
    if call.kind == "nested":
        return validate_nested(workflow, call)
    input_data, state = validate_start(workflow, call.input_data, call.state, call.request_context or {})
    return ValidationOutcome(
        input_data=input_data,
        state=state,
        graph=workflow.graph,
        stored_from=stored_from(activity.client().data_converter),
    )


def _parsed(function: WorkflowFunction, value: Any, owner: str) -> Any:
    """Return the input as the function expects it.

    The function's own annotation is binding. The schema of the previous entry is used only if the input matches it.
    """
    own = function.body.input_schema
    if own is not None:
        code = "WORKFLOW_FUNCTION_INPUT_VALIDATION_FAILED"
        return validated(own, value, "Function input validation failed", code, owner=owner)
    if function.input_schema is None:
        return value
    try:
        return function.input_schema.validate(value)
    except SchemaError:
        return value


def _as_data(function: WorkflowFunction, value: Any, *, what: str) -> Any:
    if function.kind == "condition":
        return bool(value)
    if function.kind == "duration" and isinstance(value, timedelta):
        return milliseconds(value)
    if function.kind == "date" and isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).isoformat()
    return to_json(value, what=what)


@activity.defn(name=ACTIVITY_REQUEST_CANCEL)
async def request_cancel() -> None:
    """Request the cancellation of the run that this activity belongs to."""
    info = activity.info()
    assert info.workflow_id is not None
    await activity.client().get_workflow_handle(info.workflow_id, run_id=info.workflow_run_id).cancel()


@activity.defn(dynamic=True)
async def missing_step(_: Sequence[RawValue]) -> Any:
    """Fail for any step that this worker lacks. Temporal retries until a worker has the step."""
    raise _not_registered(
        f"The step `{activity.info().activity_type}`",
        STEP_NOT_REGISTERED,
        # A local activity would be retried on this worker only. The run schedules a normal one instead.
        non_retryable=activity.info().is_local,
    )


def _function_not_registered(workflow_id: str, wanted: FunctionRef) -> ApplicationError:
    remedy = ""
    if wanted.fingerprint is not None:
        remedy = (
            " Its entry has no id of its own, so no other function takes its place. To let open runs use the one that "
            f"the entry has by now, give the entry one: id={wanted.id.partition('.')[0]!r}."
        )
    return _not_registered(f"The function `{wanted.id}` of workflow `{workflow_id}`", "FunctionNotRegistered", remedy)


def _workflow_not_registered(workflow_id: str) -> ApplicationError:
    return _not_registered(f"The workflow `{workflow_id}`", "WorkflowNotRegistered")


def _not_registered(what: str, kind: str, remedy: str = "", *, non_retryable: bool = False) -> ApplicationError:
    return ApplicationError(
        f"{what} is not registered on this worker: the run was started on another version of its workflow. "
        f"Deploy a worker that has it; the run goes on by itself.{remedy}",
        type=kind,
        non_retryable=non_retryable,
        next_retry_delay=timedelta(seconds=5),
    )
