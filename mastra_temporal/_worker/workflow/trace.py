"""Creates the spans of a run in workflow code: one tree across replays, restarts, suspensions and killed workers.

IDs and times are derived from the history alone, so every worker creates the same spans. Only the worker that reaches
the end of a span first exports it. A worker that does not trace creates no spans, but still passes on the headers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from mastra_temporal._tracing.attributes import json_text, metadata_attributes
from mastra_temporal._tracing.carrier import Carrier
from mastra_temporal._tracing.headers import (
    Inbound,
    OpenSpan,
    TracingHeader,
    earlier_attempts,
    inbound,
    outbound,
)
from mastra_temporal._tracing.ids import attempt_span_id, generated_id, trace_id_of
from mastra_temporal._tracing.logs import LogFields, log_fields
from mastra_temporal._tracing.options import TracingOptions, run_metadata
from mastra_temporal._worker.workflow.scope import RunState, Scope
from mastra_temporal._worker.workflow.spans import NO_SPAN, RUN, STEP, OpenedSpan, Place, RunSpan, Segment

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from mastra_temporal._tracing.otel import Tracing

__all__ = ["LostSpan", "RunTrace"]


@dataclass(frozen=True)
class LostSpan:
    """A lost attempt, with the trace context in the headers of its activity."""

    activity_id: str
    attempt: int
    context: Carrier


class RunTrace:
    """The trace of one run: its options, and one segment for each start, resume and restart."""

    def __init__(self, run: RunState) -> None:
        """Create a trace that records nothing until `begin` is called."""
        self._run = run
        self._tracing: Tracing | None = None
        self._seed: int | None = None
        self.options = TracingOptions()
        self._is_new_call = False
        self._input: Any = None
        self._came = Inbound()
        self._segment: OpenedSpan | None = None
        self._first: OpenedSpan | None = None
        """The segment of the current walk. Restarted segments are below it."""
        self._restarted: list[OpenedSpan] = []
        self._segments: set[int] = set()
        self._of_segment: dict[str, Any] = {}
        self._carried: dict[str, OpenSpan] = {}
        self._carried_segment: dict[str, Any] = {}
        self._follows: SpanContext | None = None
        """The span of the previous execution, if Temporal closed that execution while the run was open."""
        self._numbers = Counter[str]()
        self._fields = LogFields(run_id=run.run_id)
        self.moved: dict[str, OpenedSpan] = {}
        """The open spans that the next execution continues, by key."""
        self.canceled = False
        """Whether the run was canceled from outside. Open spans then end as canceled, as in Mastra."""

    # Inbound and outbound headers

    def begin(self, workflow_id: str, foreign_options: dict[str, Any] | None = None) -> None:
        """Adopt the headers of the start. Call this first, in the asyncio task that runs the workflow.

        Args:
            workflow_id: The ID of the workflow.
            foreign_options: The tracing options in the argument of a foreign client.
        """
        came = inbound.get()
        self._tracing = came.tracing
        self._seed = workflow.random_seed()
        self._carried, self._carried_segment = came.header.open or {}, came.header.segment or {}
        if self._tracing is not None and came.header.run is not None and not self._carried:
            self._follows = self._tracing.named({"traceparent": came.header.run})
        self._fields.workflow_id = workflow_id
        self._fields.trace_id = trace_id_of(came.context)
        options = came.header.parsed_options() or TracingHeader(options=foreign_options).parsed_options()
        self._adopt(came, options)
        outbound.set(self._content)
        log_fields.set(self._fields)

    def adopt(self, input_data: Any = None) -> None:
        """Adopt the headers of the update that is being handled, for the rest of the run.

        Args:
            input_data: The input of the segment that the update begins.
        """
        # An update can be handled before `begin`. Ignore its headers then: there is no segment for which they hold.
        if self._seed is not None:
            self._input = input_data
            came = inbound.get()
            self._adopt(came, came.header.parsed_options())

    def _adopt(self, came: Inbound, options: TracingOptions | None) -> None:
        self._came = came
        self._is_new_call = True
        self.options = (options or TracingOptions()).over(self.options)

    def _content(self, *, continuing: bool = False) -> tuple[TracingHeader, Carrier]:
        header = TracingHeader(
            options=self.options.to_wire() or None,
            run=None if self._segment is None else self._carrier(self._segment.context).get("traceparent"),
            earlier_attempts=earlier_attempts.get() or None,
        )
        if continuing:
            header.open = {key: span.for_the_next_execution() for key, span in self.moved.items()} or None
            header.segment = self._of_segment or None
        parent = self._parent()
        return header, self._came.context if parent is None else self._carrier(parent)

    def _carrier(self, span: SpanContext) -> Carrier:
        baggage = {name: value for name, value in self._came.context.items() if name == "baggage"}
        return {**baggage, **self.require_tracing().carrier(span)}

    @property
    def records(self) -> bool:
        """Whether this worker creates spans."""
        return self._tracing is not None

    def require_tracing(self) -> Tracing:
        """Return the tracing setup of this worker, which must have one."""
        assert self._tracing is not None
        return self._tracing

    @property
    def ids(self) -> dict[str, str]:
        """The IDs of the trace and of the run's span for a result. Empty if the trace is not sampled."""
        context = None if self._segment is None else self._segment.context
        if context is None or not context.trace_flags.sampled:
            return {}
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}

    # Segments

    def segment(self, scope: Scope, *, resumed: bool, goes_on: bool = False) -> RunSpan:
        """Open the span of the run until it ends or is suspended.

        Args:
            scope: The root scope.
            resumed: Whether the run was suspended before.
            goes_on: Whether the run began in another execution.
        """
        if self._tracing is None:
            return NO_SPAN
        before = self._segment
        self._of_segment = self._carried_segment
        self._carried_segment = {}
        resumed = resumed and (before is not None or bool(self._carried))
        if resumed and before is not None:
            self._of_segment = {"resumed": True, "resumedFromSpanId": f"{before.context.span_id:016x}"}
        suffix = " (resumed)" if resumed else " (restarted)" if self._follows is not None else ""
        self._first = self._open_segment(scope, suffix, self._follows if before is None else before.context)
        self._first.input(self._input if resumed or goes_on else scope.init_data)
        return Segment(self, self._first)

    def restart(self, scope: Scope, lost: Iterable[LostSpan]) -> None:
        """Open a segment for the steps after a restart, with links to the lost attempts."""
        links = [link for attempt in lost if (link := self._lost_span(attempt)) is not None]
        if links and self._first is not None:
            segment = self._open_segment(scope, " (restarted)", self._first.context, links)
            self._restarted.append(segment)

    def end_restarted(self) -> list[OpenedSpan]:
        """Return the restarted segments, which end with their parent segment, and forget them."""
        ended, self._restarted = self._restarted, []
        return ended

    def _lost_span(self, lost: LostSpan) -> SpanContext | None:
        step = None if self._tracing is None else self._tracing.named(lost.context)
        if step is None or self._tracing is None:
            return None
        return self._tracing.remote(step.trace_id, attempt_span_id(step.span_id, lost.activity_id, lost.attempt))

    def _open_segment(
        self, scope: Scope, suffix: str, before: SpanContext | None, links: Iterable[SpanContext] = ()
    ) -> OpenedSpan:
        options = self.options if self._is_new_call else TracingOptions()
        name = f"{options.root_span_name or _run_name(scope)}{suffix}"
        key = f"{RUN}{suffix}"
        place = self._place(key, options, before, links)
        info = workflow.info()
        segment = self._start(scope, RUN, name, key=key, place=place, entity=(RUN, scope.workflow_id), attributes={
            "temporalWorkflowID": info.workflow_id,
            "temporalRunID": info.run_id,
            **({"mastra.tags": json_text(options.tags)} if options.tags else {}),
        })  # fmt: skip
        self._is_new_call = False
        self._segment = segment
        self._segments.add(segment.context.span_id)
        self._fields.trace_id = f"{segment.context.trace_id:032x}"
        return segment

    def _place(
        self, key: str, options: TracingOptions, before: SpanContext | None, links: Iterable[SpanContext]
    ) -> Place:
        """Return the place of a segment: in the trace of the run so far, else of the caller. IDs in options win."""
        tracing = self.require_tracing()
        goes_on = self._goes_on(key)
        if goes_on is not None:
            return goes_on
        caller = tracing.named(self._came.context)
        trace_id = None if options.trace_id is None else int(options.trace_id, 16)
        elsewhere = options.parent_span_id is not None or (
            trace_id is not None and (before is None or trace_id != before.trace_id)
        )
        if not elsewhere and before is not None:
            return Place(before, links=(*links, *([caller] if caller and self._is_new_call else [])))
        linked = (*links, *([before] if before else []))
        if not elsewhere and caller is not None:
            return Place(caller, links=linked)
        trace_id = trace_id or generated_id(self._seed, "trace", self._numbers["trace"], bits=128)
        self._numbers["trace"] += 1
        if options.parent_span_id is not None:
            return Place(tracing.remote(trace_id, int(options.parent_span_id, 16)), links=linked)
        return Place(trace_id=trace_id, links=linked)

    def _goes_on(self, key: str) -> Place | None:
        """Return the place of a span that the previous execution left open, or None."""
        open = self._carried.pop(key, None)
        if open is None or self._tracing is None:
            return None
        span = self._tracing.named({"traceparent": open.span})
        parent = self._tracing.named({"traceparent": open.parent or ""})
        if span is None:
            return None
        return Place(parent, trace_id=span.trace_id, span_id=span.span_id, start_time=open.start_time)

    # Spans below a segment

    def step(
        self, scope: Scope, step_id: str, input_data: Any, *, execution: str | None = None, **attributes: Any
    ) -> RunSpan:
        """Open the span of one execution of a step, nested workflow or mapping, including retries and restarts.

        Args:
            scope: The workflow of the step.
            step_id: The ID of the step.
            input_data: The input of the step.
            execution: The name of this execution among those of the step, if there are several.
            attributes: Further attributes.
        """
        name, entity = f"workflow step: '{step_id}'", (STEP, step_id)
        return self.span(scope, STEP, name, key=execution, input_data=input_data, entity=entity, **attributes)

    def nested(self, scope: Scope, *, resumed: bool) -> RunSpan:
        """Open the span of a nested workflow, below the span of its step."""
        name = f"{_run_name(scope)} (resumed)" if resumed else _run_name(scope)
        return self.span(scope, RUN, name, input_data=scope.init_data)

    def span(
        self,
        scope: Scope,
        type: str,
        name: str,
        *,
        key: str | None = None,
        input_data: Any = None,
        entity: tuple[str, str] | None = None,
        **attributes: Any,
    ) -> RunSpan:
        """Open a span below the current one.

        Args:
            scope: The workflow of the span.
            type: Mastra's span type.
            name: The name of the span.
            key: A key that is unique within the entry, by default the name.
            input_data: The input to record.
            entity: Type and ID of the entity of the span, by default the workflow.
            attributes: Attributes of this span type.
        """
        if self._tracing is None:
            return NO_SPAN
        key = "/".join((*scope.path, str(scope.position), type, key or name))
        entity = entity or (RUN, scope.workflow_id)
        place = self._goes_on(key) or Place(self._parent())
        span = self._start(scope, type, name, key=key, place=place, entity=entity)
        span.note(**attributes)
        span.input(input_data)
        return span

    def _parent(self) -> SpanContext | None:
        """Return the current span. If that is a segment, return the latest segment of the run instead."""
        current = None if self._tracing is None else self._tracing.current()
        if self._segment is not None and (current is None or current.span_id in self._segments):
            return self._segment.context
        return current

    def _start(
        self,
        scope: Scope,
        type: str,
        name: str,
        *,
        key: str,
        place: Place,
        entity: tuple[str, str],
        attributes: dict[str, Any] | None = None,
    ) -> OpenedSpan:
        # Number the spans of one key in the order of their creation. A random ID would differ on each replay, and the
        # children that another worker exports would have no parent.
        self._numbers[key] += 1
        run = self._run
        metadata = run_metadata(self.options, scope.run_id, run.resource_id, run.request_context) | self._of_segment
        span = self.require_tracing().start(
            name,
            parent=place.parent,
            trace_id=place.trace_id,
            span_id=place.span_id or generated_id(self._seed, key, self._numbers[key]),
            start_time=place.start_time or workflow.time_ns(),
            attributes={
                "mastra.span.type": type,
                "mastra.entity.type": entity[0],
                "mastra.entity.id": entity[1],
                **metadata_attributes(metadata),
                **(attributes or {}),
            },
            links=place.links,
        )
        return OpenedSpan(self, key, type, span, place)


def _run_name(scope: Scope) -> str:
    return f"workflow run: '{scope.workflow_id}'"
