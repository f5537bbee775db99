"""The spans of a run as workflow code uses them."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from typing_extensions import Self

from mastra_temporal._protocol.results import ErrorInfo, StepResult
from mastra_temporal._tracing.attributes import data_attribute, named_attributes
from mastra_temporal._tracing.headers import OpenSpan
from mastra_temporal._tracing.options import TracingOptions
from mastra_temporal._worker.workflow.completion import Completion
from mastra_temporal._worker.workflow.scope import Scope

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext

    from mastra_temporal._tracing.otel import Tracing

__all__ = [
    "CONDITION",
    "CONDITIONAL",
    "LOOP",
    "NO_SPAN",
    "PARALLEL",
    "RUN",
    "SLEEP",
    "STEP",
    "OpenedSpan",
    "Place",
    "RunSpan",
    "Segment",
    "here",
]

RUN = "workflow_run"
STEP = "workflow_step"
CONDITIONAL = "workflow_conditional"
CONDITION = "workflow_conditional_eval"
PARALLEL = "workflow_parallel"
LOOP = "workflow_loop"
SLEEP = "workflow_sleep"


class SpanOwner(Protocol):
    """The part of a trace that its spans use."""

    options: TracingOptions
    canceled: bool
    """Whether the run was canceled from outside. Open spans then end as canceled, as in Mastra."""
    moved: dict[str, OpenedSpan]
    """Spans that stay open across a continue-as-new, by key."""

    def require_tracing(self) -> Tracing:
        """Return the tracing setup of this worker."""
        ...

    def end_restarted(self) -> Iterable[OpenedSpan]:
        """Return the restarted segments that are still open, and forget them."""
        ...


@dataclass(frozen=True)
class Place:
    """The position of a span in a trace."""

    parent: SpanContext | None = None
    trace_id: int | None = None
    """The trace ID of a span without a parent."""
    span_id: int | None = None
    """The span ID of a span that continues from the previous execution."""
    start_time: int | None = None
    links: tuple[SpanContext, ...] = ()


class RunSpan:
    """A span around workflow code. This base class records nothing, for workers that do not trace."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def note(self, **attributes: Any) -> None:
        """Add ``mastra.<name>`` attributes."""

    def input(self, value: Any) -> None:
        """Record the input."""

    def output(self, value: Any) -> None:
        """Record the output."""

    def fail(self, error: ErrorInfo | None) -> None:
        """Record an error."""

    def result(self, result: StepResult) -> None:
        """Record the result of a step."""
        if result.status == "running":
            self.move()
            return
        self.note(status=result.status)
        if result.status == "failed":
            self.fail(result.error)
        elif result.status != "suspended":
            self.output(result.output)

    def completion(self, completion: Completion) -> None:
        """Record the completion of a workflow or a mapping."""
        if completion.status == "continued_as_new":
            self.move()
            return
        self.note(status="success" if completion.status == "bailed" else completion.status)
        if completion.status in ("failed", "tripwire"):
            self.fail(completion.error or completion.tripwire)
        elif completion.status != "suspended":
            self.output(completion.result)

    def block(self, completion: Completion, scope: Scope) -> None:
        """Record the completion of a block of steps."""
        if completion.status in ("failed", "tripwire"):
            self.fail(completion.error or completion.tripwire)
        elif completion.status == "suspended":
            first = scope.steps.get(completion.suspended[0][0]) if completion.suspended else None
            self.output({"status": "suspended", "suspendPayload": None if first is None else first.suspend_payload})
        elif completion.status in ("success", "bailed"):
            self.output(completion.result)
        else:
            self.output({"status": completion.status})

    def end(self) -> None:
        """End a span that is not used as a context manager."""

    def move(self) -> None:
        """Leave the span open, because it continues with the run in a new execution."""


NO_SPAN = RunSpan()

_here: ContextVar[RunSpan] = ContextVar("mastra_run_span", default=NO_SPAN)


def here() -> RunSpan:
    """Return the span of the entry that is being executed."""
    return _here.get()


class OpenedSpan(RunSpan):
    """A span that is recorded. It is the current span within its ``with`` block."""

    def __init__(self, trace: SpanOwner, key: str, type: str, span: Span, place: Place) -> None:
        """Wrap a span that was started."""
        self._trace = trace
        self._key = key
        self._type = type
        self._span = span
        self._place = place
        self._start_time = place.start_time or workflow.time_ns()
        self._tracing: Tracing = trace.require_tracing()
        self._moves = False

    @property
    def context(self) -> SpanContext:
        """The IDs of the span."""
        return self._span.get_span_context()

    def __enter__(self) -> Self:
        self._token = self._tracing.attach(self._span)
        self._here = _here.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is GeneratorExit or not workflow.in_workflow():
            # The worker evicted the run, and its coroutines are garbage collected, perhaps while another run executes
            # in this thread. Ending or detaching here would end an open span, or change the context of the other run.
            return
        self._tracing.detach(self._token)
        _here.reset(self._here)
        if self._moves:
            self._trace.moved[self._key] = self
        elif error is None or workflow.is_failure_exception(error):
            if isinstance(error, ApplicationError):
                self.fail({"name": error.type or "Error", "message": error.message})
            self.end()

    def end(self) -> None:
        """End the span. Only the worker that gets here first exports it; a replay does not."""
        if self._trace.canceled:
            self._span.set_attribute("mastra.status", "canceled")
        self._span.end(workflow.time_ns())

    def move(self) -> None:
        """See base class."""
        self._moves = True

    def note(self, **attributes: Any) -> None:
        """See base class."""
        self._span.set_attributes(named_attributes(attributes))

    def input(self, value: Any) -> None:
        """See base class."""
        if not self._trace.options.hide_input:
            self._span.set_attributes(data_attribute(self._type, "input", value))

    def output(self, value: Any) -> None:
        """See base class."""
        if not self._trace.options.hide_output and not self._trace.canceled:
            self._span.set_attributes(data_attribute(self._type, "output", value))

    def fail(self, error: ErrorInfo | None) -> None:
        """See base class."""
        if error is not None and not self._trace.canceled:
            name, message = str(error.get("name", "Error")), str(error.get("message") or error.get("reason") or "")
            stack = error.get("stack")
            self._tracing.record_error(
                self._span, name, message, stack=str(stack) if stack else None, at=workflow.time_ns()
            )

    def for_the_next_execution(self) -> OpenSpan:
        """Return the data with which the next execution continues this span."""
        parent = self._place.parent
        return OpenSpan(
            span=self._tracing.carrier(self.context)["traceparent"],
            parent=None if parent is None else self._tracing.carrier(parent)["traceparent"],
            start_time=self._start_time,
        )


class Segment(RunSpan):
    """The span of a segment of the run, and the restarted segments inside it. All end together, with one completion."""

    def __init__(self, trace: SpanOwner, span: OpenedSpan) -> None:
        """Wrap the span of the segment."""
        self._trace = trace
        self._span = span
        self._ending: Completion | None = None

    def __enter__(self) -> Self:
        self._span.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if workflow.in_workflow() and (error is None or workflow.is_failure_exception(error)):
            for restarted in self._trace.end_restarted():
                if self._ending is not None and self._ending.status != "continued_as_new":
                    restarted.completion(self._ending)
                restarted.end()
        self._span.__exit__(kind, error, traceback)

    def completion(self, completion: Completion) -> None:
        """See base class."""
        self._ending = completion
        self._span.completion(completion)
