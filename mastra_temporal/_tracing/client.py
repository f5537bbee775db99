"""The caller's side: hands ``tracing_options`` and ``tracing_context`` of a call to the interceptor."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from mastra_temporal._tracing.context import TracingContext, TracingSpan
from mastra_temporal._tracing.headers import Carrier, TracingHeader, outgoing
from mastra_temporal._tracing.options import TracingOptions, parse_tracing_options
from mastra_temporal.errors import DefinitionError

__all__ = ["carried_options", "carrying", "following", "handing_on", "traced"]


class _OfARun(Protocol):
    @property
    def label(self) -> str: ...


P = ParamSpec("P")
T = TypeVar("T")
RunT = TypeVar("RunT", bound=_OfARun)
RunMethod = Callable[Concatenate[RunT, P], Coroutine[Any, Any, T]]


def traced(method: RunMethod[RunT, P, T]) -> RunMethod[RunT, P, T]:
    """Let a method's ``tracing_options`` and ``tracing_context`` go out with every call that it makes to Temporal."""

    @functools.wraps(method)
    async def wrapper(run: RunT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        options: Any = kwargs.get("tracing_options")
        context: Any = kwargs.get("tracing_context")
        with carrying(options, context, owner=run.label):
            return await method(run, *args, **kwargs)

    return wrapper


@contextlib.contextmanager
def carrying(
    options: TracingOptions | dict[str, Any] | None, context: TracingContext | None, *, owner: str
) -> Generator[None]:
    """Let the calls to Temporal within the block, and in tasks created there, carry these headers.

    Raises:
        DefinitionError: An option is unknown or of the wrong type, or the context holds no span.
        SerializationError: The metadata cannot be written as JSON. Nothing was started.
    """
    parsed = parse_tracing_options(options, owner=owner)
    carrier = _carrier(context, owner)
    if carrier and parsed is not None:
        # As in Mastra: what makes a root span has no meaning below a span of the caller's.
        parsed = parsed.model_copy(update={"trace_id": None, "parent_span_id": None})
    content = None if parsed is None else parsed.to_wire()

    def to_carry(*, continuing: bool = False) -> tuple[TracingHeader, Carrier]:
        return TracingHeader(options=content), carrier

    token = outgoing.set(to_carry)
    try:
        yield
    finally:
        outgoing.reset(token)


def carried_options() -> dict[str, Any] | None:
    """The tracing options that the caller has given to the call under way."""
    carry = outgoing.get()
    return None if carry is None else carry()[0].options


@contextlib.contextmanager
def following(recorded: TracingHeader) -> Generator[None]:
    """Let the execution that is started within the block go on in the trace of the one before it.

    Args:
        recorded: What the activities of that execution were told.
    """
    carry = outgoing.get()
    earlier = recorded.parsed_options() or TracingOptions()

    def to_carry(*, continuing: bool = False) -> tuple[TracingHeader, Carrier]:
        header, carrier = (TracingHeader(), Carrier()) if carry is None else carry()
        options = (header.parsed_options() or TracingOptions()).over(earlier).to_wire() or None
        return header.model_copy(update={"run": recorded.run, "options": options}), carrier

    token = outgoing.set(to_carry)
    try:
        yield
    finally:
        outgoing.reset(token)


@contextlib.contextmanager
def handing_on(header: dict[str, Any], carrier: Carrier) -> Generator[None]:
    """Let the calls to Temporal within the block carry what somebody else's call has carried."""

    def to_carry(*, continuing: bool = False) -> tuple[TracingHeader, Carrier]:
        return TracingHeader.model_validate(header), carrier

    token = outgoing.set(to_carry)
    try:
        yield
    finally:
        outgoing.reset(token)


def _carrier(context: TracingContext | None, owner: str) -> Carrier:
    if context is None:
        return {}
    span = getattr(context, "current_span", None)
    if isinstance(span, TracingSpan):
        span = span.span
    elif not hasattr(span, "get_span_context"):
        raise DefinitionError(
            f"{owner}: `tracing_context` needs TracingContext(current_span=...) with an OpenTelemetry span, "
            f"got {context!r}."
        )
    if span is None:
        return {}
    from mastra_temporal._tracing.otel import carrier_of

    return carrier_of(span)
