"""What user code is given to work with: one context class for each kind of user function.

* `StepContext`: ``async def`` steps. Look-ups are awaited, because they ask the run's workflow.
* `SyncStepContext`: ``def`` steps, which run in a thread. The same, with blocking calls.
* `FunctionContext`: conditions, mappings, durations. Everything is at hand, nothing is awaited.
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
    """What every user function knows of its run."""

    input_data: Any
    """The input: the previous entry's output, validated against the schema where there is one."""
    run_id: str
    """The run's id. Inside a ``.foreach()`` over a nested workflow each item has an id of its own."""
    workflow_id: str
    """The id of the innermost workflow."""
    resource_id: str | None
    read_state: Callable[[], StateT] = field(repr=False)
    request_context: RequestContext
    retry_count: int
    """How often this has failed before: 0 for the first attempt. Crashes are not counted."""
    mastra: Registry
    """The registry that the worker runs."""

    @cached_property
    def state(self) -> StateT:
        """The workflow's state as it was when this function began: of the type of the ``state_schema``, or a dict.

        A step's own ``state_schema`` counts, or else the workflow's, where the state matches that.

        Raises:
            SchemaValidationError: It does not match the step's own schema, or in a function the workflow's, for example
                because nobody has set it yet.
        """
        return self.read_state()


class Lookup(Protocol):
    """How the inputs and outputs of a run are found."""

    def __call__(self, step_id: str | None) -> Any:
        """The output of a step, or with None the workflow's input."""
        ...


def _id_of(step: Any) -> str:
    return step if isinstance(step, str) else str(step.id)


@dataclass
class FunctionContext(Context[StateT]):
    """What conditions, mapping functions, durations and concurrency functions get.

    ``FunctionContext[State]`` tells a type checker what the workflow's state is.
    """

    lookup: Lookup = field(repr=False)
    iteration_count: int | None = None
    """In the condition of a loop: how many iterations have finished, counting from 1."""

    def get_step_result(self, step: Any) -> Any:
        """The output of a step (or step id) that has succeeded, as its ``output_schema`` reads it; otherwise None."""
        return self.lookup(_id_of(step))

    def get_init_data(self) -> Any:
        """The workflow's validated input, as its ``input_schema`` reads it."""
        return self.lookup(None)


@dataclass
class StepEffects:
    """What a step's body has asked for while it ran."""

    suspended: bool = False
    suspend_payload: Any = None
    resume_labels: list[str] = field(default_factory=lambda: list[str]())
    bailed: bool = False
    state: Any = None
    aborted: bool = False


@dataclass
class StepChannel:
    """How a step's context reaches the outside: set by the worker, replaceable in a unit test of a step."""

    lookup: Callable[[str | None], Awaitable[Any]]
    checkpoint: Callable[[Any], None]
    write: Callable[[Any], Awaitable[None]]
    loop: asyncio.AbstractEventLoop


@dataclass
class BaseStepContext(Context[StateT], Generic[ResumeT, StateT]):
    """What steps get, however they are written."""

    step_id: str
    resume_data: ResumeT
    """The data of the ``resume()`` that continues this step, as its ``resume_schema`` reads them; or None."""
    read_suspend_data: Callable[[], Any] = field(repr=False)
    idempotency_key: str
    """The same over all attempts and restarts of this execution: hand it to the systems that the step calls."""
    last_checkpoint: Any
    """What an earlier attempt saved last with ``checkpoint()``, or None."""
    restart: bool
    """Whether this attempt repeats one that did not come to its end: its worker died or shut down, ``restart()`` gave
    it up, or its run was terminated. Its effects may be done already. False after a failure of the step itself."""
    abort_signal: AbortSignal
    tracing_context: TracingContext
    """The span of this attempt: ``ctx.tracing_context.current_span.update(metadata={...})``."""
    effects: StepEffects = field(repr=False)
    ports: StepChannel = field(repr=False)

    @cached_property
    def suspend_data(self) -> Any:
        """What this step suspended with, as its ``suspend_schema`` reads it, when it is resumed; or None.

        Raises:
            SchemaValidationError: It does not match that schema, for example because that has changed meanwhile.
        """
        return self.read_suspend_data()

    def set_state(self, state: StateT | dict[str, Any]) -> None:
        """Stage a change of the workflow's state: merged (shallowly) when the step succeeds; the last call wins."""
        self.effects.state = state

    def bail(self, result: Any = None) -> Any:
        """End the workflow successfully with ``result``: ``return ctx.bail(result)``."""
        self.effects.bailed = True
        return result

    def abort(self) -> None:
        """Cancel the run. Steps that are running keep their results; nothing further is started."""
        self.effects.aborted = True
        self.abort_signal._set("canceled")  # pyright: ignore[reportPrivateUsage]

    def checkpoint(self, value: Any) -> None:
        """Save JSON-able progress within the step; a later attempt finds it in ``last_checkpoint``.

        It reaches the server within about a second, so the attempt of a killed worker may miss its last values.
        """
        self.ports.checkpoint(value)

    def _suspend(self, payload: Any, resume_label: str | list[str] | None) -> None:
        labels = [resume_label] if isinstance(resume_label, str) else resume_label or []
        if not isinstance(labels, (list, tuple)) or not all(isinstance(label, str) for label in labels):
            raise SerializationError(
                f"Step `{self.step_id}` of workflow `{self.workflow_id}`: `resume_label` is text or a list of texts, "
                f"got {resume_label!r}."
            )
        self.effects.suspended = True
        self.effects.suspend_payload = payload
        self.effects.resume_labels = to_json(labels, what=f"`resume_label` of step `{self.step_id}`")


class StepWriter:
    """Writes chunks of a step's output while the step runs."""

    def __init__(self, context: BaseStepContext) -> None:
        """Create the writer of a step."""
        self._context = context

    async def write(self, chunk: Any) -> None:
        """Write a JSON-able chunk: the event ``workflow-step-output``."""
        context = self._context
        payload = {"output": chunk, "runId": context.run_id, "stepName": context.step_id}
        await context.ports.write({"type": "workflow-step-output", "from": "USER", "payload": payload})

    async def custom(self, event: dict[str, Any]) -> None:
        """Write an event of your own, ``{"type": "data-...", "data": ...}``, passed through unchanged.

        Raises:
            SerializationError: It is no dictionary with a ``type``.
        """
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            raise SerializationError(
                f"writer.custom() of step `{self._context.step_id}` takes a dictionary with a `type`, "
                f'as in {{"type": "data-progress", "data": ...}}; got {type(event).__name__}.'
            )
        await self._context.ports.write(event)


@dataclass
class StepContext(BaseStepContext[ResumeT, StateT]):
    """What an ``async def`` step gets. Mastra's execute context: https://mastra.ai/reference/workflows/step.

    ``StepContext[Approval | None, State]`` tells a type checker what ``resume_data`` and ``state`` are; the types that
    they really have are those of the step's ``resume_schema`` and ``state_schema``.
    """

    async def get_step_result(self, step: Any) -> Any:
        """The output of a step (or step id) that has succeeded, as its ``output_schema`` reads it; otherwise None.

        Asked of the run's workflow.
        """
        return await self.ports.lookup(_id_of(step))

    async def get_init_data(self) -> Any:
        """The workflow's validated input, as its ``input_schema`` reads it. Asked of the run's workflow."""
        return await self.ports.lookup(None)

    async def suspend(self, payload: Any = None, *, resume_label: str | list[str] | None = None) -> Any:
        """Suspend the run when this step returns: ``return await ctx.suspend(payload)``.

        Args:
            payload: JSON-able data for whoever resumes the run.
            resume_label: One or more names under which the suspension can be resumed.
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
    """What a ``def`` step gets, which runs in a thread: as `StepContext`, with blocking calls.

    Where a ``def`` returns a coroutine, that runs on the event loop, which must not be blocked: there the calls are
    awaited, as those of `StepContext` are.
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
        done = self.ports.loop.create_future()
        done.set_result(None)
        return done

    @property
    def writer(self) -> SyncStepWriter:
        """Writes chunks of output while the step runs."""
        return SyncStepWriter(self)


def _waited_for(awaitable: Awaitable[Any], loop: asyncio.AbstractEventLoop) -> Any:
    """What the loop brings, waited for in a thread; on the loop itself the awaitable, as waiting would block it."""
    if _is_running(loop):
        return awaitable

    async def value() -> Any:
        return await awaitable

    return asyncio.run_coroutine_threadsafe(value(), loop).result()


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this is called on the loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


@dataclass
class CallbackInfo:
    """What ``on_start``, ``on_finish`` and ``on_error`` are told. ``on_start`` knows no outcome yet."""

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
    """The results of the steps by id, as `StepResult`."""
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
        """The workflow's validated input: the same as ``init_data``. Mastra's ``getInitData()``."""
        return self.init_data

    @property
    def logger(self) -> logging.Logger:
        """Python's logger ``mastra_temporal.callbacks``. Mastra's ``logger``."""
        return logging.getLogger("mastra_temporal.callbacks")
