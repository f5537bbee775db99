"""The contexts that user functions receive, one class for each kind of function.

* `StepContext`: for ``async def`` steps. Look-ups are awaited, because they query the run's workflow.
* `SyncStepContext`: for ``def`` steps, which run in a thread. It has the same methods as blocking calls.
* `FunctionContext`: for conditions, mappings and durations. All data is available at once, and nothing is awaited.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from mastra_temporal._context.abort_signal import AbortReason, AbortSignal
from mastra_temporal._context.registry import Registry
from mastra_temporal._context.request_context import RequestContext
from mastra_temporal._data.gate import to_json
from mastra_temporal._data.shown import shown
from mastra_temporal._tracing.context import TracingContext
from mastra_temporal.errors import SerializationError

__all__ = [
    "AbortReason",
    "AbortSignal",
    "CallbackInfo",
    "Context",
    "FunctionContext",
    "Registry",
    "RequestContext",
    "StepContext",
    "StepWriter",
    "SyncStepContext",
]


ResumeT = TypeVar("ResumeT", default=Any)
StateT = TypeVar("StateT", default=Any)


@dataclass
class Context(Generic[StateT]):
    """The data of a run that every user function receives."""

    input_data: Any
    """The input: the output of the previous entry, validated if there is a schema."""
    run_id: str
    """The id of the run. Inside a ``.foreach()`` over a nested workflow, each item has its own run id."""
    workflow_id: str
    """The id of the innermost workflow."""
    resource_id: str | None
    """The resource that the run belongs to, for example a user; None if the caller gave none."""
    read_state: Callable[[], StateT] = field(repr=False)
    request_context: RequestContext
    retry_count: int
    """Number of earlier failures: 0 for the first attempt. Crashes are not counted."""
    mastra: Registry
    """The application that the worker runs."""

    @cached_property
    def state(self) -> StateT:
        """The workflow's state when this function began, as an instance of the ``state_schema`` or a dict.

        A step's own ``state_schema`` is used, or else the workflow's if the state matches it.

        Raises:
            SchemaValidationError: The state does not match the step's own schema, or in a function the workflow's. This
                happens, for example, if no step has set it yet.
        """
        return self.read_state()


class Lookup(Protocol):
    """Looks up the inputs and outputs of a run."""

    def __call__(self, step_id: str | None) -> Any:
        """Return the output of a step, or the workflow's input for None."""
        ...


def _id_of(step: Any) -> str:
    return step if isinstance(step, str) else str(step.id)


@dataclass
class FunctionContext(Context[StateT]):
    """The context of conditions, mapping functions, durations and concurrency functions.

    ``FunctionContext[State]`` declares the type of the workflow's state for type checkers.
    """

    lookup: Lookup = field(repr=False)
    iteration_count: int | None = None
    """In the condition of a loop: the number of finished iterations, at least 1. Otherwise None."""

    def get_step_result(self, step: Any) -> Any:
        """Return the output of a step, as its ``output_schema`` reads it; None if the step has not succeeded.

        Args:
            step: The step or its id.
        """
        return self.lookup(_id_of(step))

    def get_init_data(self) -> Any:
        """Return the workflow's validated input, as its ``input_schema`` reads it."""
        return self.lookup(None)


@dataclass
class StepEffects:
    """The effects that a step's body requested while it ran. The worker applies them when the body has returned."""

    suspended: bool = False
    suspend_payload: Any = None
    resume_labels: list[str] = field(default_factory=lambda: list[str]())
    bailed: bool = False
    state: Any = None
    aborted: bool = False


@dataclass
class StepChannel:
    """The connection of a step's context to the run. The worker sets it; a unit test of a step may replace it."""

    lookup: Callable[[str | None], Awaitable[Any]]
    checkpoint: Callable[[Any], None]
    write: Callable[[Any], Awaitable[None]]
    loop: asyncio.AbstractEventLoop


@dataclass
class BaseStepContext(Context[StateT], Generic[ResumeT, StateT]):
    """The part of a step's context that is the same for ``async def`` and ``def`` steps."""

    step_id: str
    resume_data: ResumeT
    """The data of the ``resume()`` that continues this step, as its ``resume_schema`` reads it; otherwise None."""
    read_suspend_data: Callable[[], Any] = field(repr=False)
    idempotency_key: str
    """A key that is the same in all attempts and restarts of this execution. Pass it to systems that the step calls."""
    last_checkpoint: Any
    """The last value that an earlier attempt saved with ``checkpoint()``, or None."""
    restart: bool
    """Whether this attempt repeats one that did not finish, so its side effects may already exist.

    The worker of the earlier attempt died or shut down, ``restart()`` gave it up, or its run was terminated. False
    after a failure of the step itself.
    """
    abort_signal: AbortSignal
    tracing_context: TracingContext
    """The span of this attempt: ``ctx.tracing_context.current_span.update(metadata={...})``."""
    effects: StepEffects = field(repr=False)
    ports: StepChannel = field(repr=False)

    @cached_property
    def suspend_data(self) -> Any:
        """The data that this step suspended with, as its ``suspend_schema`` reads it; None if the step is not resumed.

        Raises:
            SchemaValidationError: The data does not match the schema, for example because the schema has changed.
        """
        return self.read_suspend_data()

    def set_state(self, state: StateT | dict[str, Any]) -> None:
        """Stage a change of the workflow's state. It is merged (shallowly) if the step succeeds. The last call wins.

        Args:
            state: The values to change.
        """
        self.effects.state = state

    def bail(self, result: Any = None) -> Any:
        """End the workflow successfully with ``result``. Use it as ``return ctx.bail(result)``."""
        self.effects.bailed = True
        return result

    def abort(self) -> None:
        """Cancel the run. Running steps keep their results, and no further step starts."""
        self.effects.aborted = True
        self.abort_signal._set("canceled")  # pyright: ignore[reportPrivateUsage]

    def checkpoint(self, value: Any) -> None:
        """Save JSON-able progress of the step. A later attempt reads it from ``last_checkpoint``.

        The value reaches the server within about a second. If the worker is killed before that, it is lost.
        """
        self.ports.checkpoint(value)

    def _suspend(self, payload: Any, resume_label: str | list[str] | None) -> None:
        labels = [resume_label] if isinstance(resume_label, str) else resume_label or []
        if not isinstance(labels, (list, tuple)) or not all(isinstance(label, str) for label in labels):
            raise SerializationError(
                f"Step `{self.step_id}` of workflow `{self.workflow_id}`: `resume_label` is text or a list of texts, "
                f"got {shown(resume_label)}."
            )
        self.effects.suspended = True
        self.effects.suspend_payload = payload
        self.effects.resume_labels = to_json(labels, what=f"`resume_label` of step `{self.step_id}`")


class StepWriter:
    """Writes chunks of output while the step runs."""

    def __init__(self, context: BaseStepContext) -> None:
        """Create the writer of a step."""
        self._context = context

    async def write(self, chunk: Any) -> None:
        """Write a JSON-able chunk as an event ``workflow-step-output``."""
        context = self._context
        payload = {"output": chunk, "runId": context.run_id, "stepName": context.step_id}
        await context.ports.write({"type": "workflow-step-output", "from": "USER", "payload": payload})

    async def custom(self, event: dict[str, Any]) -> None:
        """Write a custom event, ``{"type": "data-...", "data": ...}``, which is passed through unchanged.

        Raises:
            SerializationError: The event is not a dictionary with a ``type``.
        """
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            raise SerializationError(
                f"writer.custom() of step `{self._context.step_id}` takes a dictionary with a `type`, "
                f'as in {{"type": "data-progress", "data": ...}}; got {type(event).__name__}.'
            )
        await self._context.ports.write(event)


@dataclass
class StepContext(BaseStepContext[ResumeT, StateT]):
    """The context of an ``async def`` step. Mastra's execute context: https://mastra.ai/reference/workflows/step.

    ``StepContext[Approval | None, State]`` declares the types of ``resume_data`` and ``state`` for type checkers. At
    run time their types are those of the step's ``resume_schema`` and ``state_schema``.
    """

    async def get_step_result(self, step: Any) -> Any:
        """Return the output of a step, as its ``output_schema`` reads it; None if the step has not succeeded.

        The first call for a step queries the run's workflow.

        Args:
            step: The step or its id.
        """
        return await self.ports.lookup(_id_of(step))

    async def get_init_data(self) -> Any:
        """Return the workflow's validated input, as its ``input_schema`` reads it. This queries the run's workflow."""
        return await self.ports.lookup(None)

    async def suspend(self, payload: Any = None, *, resume_label: str | list[str] | None = None) -> Any:
        """Suspend the run when this step returns. Use it as ``return await ctx.suspend(payload)``.

        Args:
            payload: JSON-able data for the caller that resumes the run.
            resume_label: One or more names under which the suspended step can be resumed.
        """
        self._suspend(payload, resume_label)

    @property
    def writer(self) -> StepWriter:
        """Writes chunks of output while the step runs."""
        return StepWriter(self)


class SyncStepWriter:
    """`StepWriter` for steps that run in a thread."""

    def __init__(self, context: BaseStepContext) -> None:
        """Create the writer of a step."""
        self._loop = context.ports.loop
        self._writer = StepWriter(context)

    def write(self, chunk: Any) -> Any:
        """See `StepWriter.write`."""
        return _waited_for(self._writer.write(chunk), self._loop)

    def custom(self, event: dict[str, Any]) -> Any:
        """See `StepWriter.custom`."""
        return _waited_for(self._writer.custom(event), self._loop)


@dataclass
class SyncStepContext(BaseStepContext[ResumeT, StateT]):
    """The context of a ``def`` step, which runs in a thread. It has the methods of `StepContext` as blocking calls.

    If a ``def`` returns a coroutine, the coroutine runs on the event loop, which must not be blocked. There the methods
    return awaitables, as in `StepContext`.
    """

    def get_step_result(self, step: Any) -> Any:
        """See `StepContext.get_step_result`."""
        return _waited_for(self.ports.lookup(_id_of(step)), self.ports.loop)

    def get_init_data(self) -> Any:
        """See `StepContext.get_init_data`."""
        return _waited_for(self.ports.lookup(None), self.ports.loop)

    def suspend(self, payload: Any = None, *, resume_label: str | list[str] | None = None) -> Any:
        """Suspend the run when this step returns: ``return ctx.suspend(payload)``. See `StepContext.suspend`."""
        self._suspend(payload, resume_label)
        if not _is_running(self.ports.loop):
            return None
        # In a coroutine the call is awaited, so it must return an awaitable.
        done = self.ports.loop.create_future()
        done.set_result(None)
        return done

    @property
    def writer(self) -> SyncStepWriter:
        """Writes chunks of output while the step runs."""
        return SyncStepWriter(self)


def _waited_for(awaitable: Awaitable[Any], loop: asyncio.AbstractEventLoop) -> Any:
    """Return the result of an awaitable, waiting in this thread. On the event loop itself, return the awaitable."""
    # Waiting for the loop on the loop itself would be a deadlock.
    if _is_running(loop):
        return awaitable

    async def value() -> Any:
        return await awaitable

    return asyncio.run_coroutine_threadsafe(value(), loop).result()


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether the caller runs on the loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


@dataclass
class CallbackInfo:
    """The argument of ``on_start``, ``on_finish`` and ``on_error``. In ``on_start`` the outcome is not known yet."""

    run_id: str
    workflow_id: str
    resource_id: str | None
    read_init_data: Callable[[], Any] = field(repr=False)
    read_state: Callable[[], Any] = field(repr=False)
    request_context: RequestContext
    mastra: Registry
    status: str | None = None
    result: Any = None
    error: dict[str, Any] | None = None
    tripwire: dict[str, Any] | None = None
    steps: dict[str, Any] | None = None
    """The results of the steps by id, in the form of `StepResult`."""
    step_execution_path: list[str] | None = None

    @cached_property
    def init_data(self) -> Any:
        """The workflow's validated input, as its ``input_schema`` reads it."""
        return self.read_init_data()

    @cached_property
    def state(self) -> Any:
        """The workflow's state, as its ``state_schema`` reads it."""
        return self.read_state()

    def get_init_data(self) -> Any:
        """Return the workflow's validated input. The same as ``init_data``. Mastra's ``getInitData()``."""
        return self.init_data

    @property
    def logger(self) -> logging.Logger:
        """Python's logger ``mastra_temporal.callbacks``. Mastra's ``logger``."""
        return logging.getLogger("mastra_temporal.callbacks")
