"""Ids of spans that follow from the run alone: whoever makes a span again, anywhere, makes the same one."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from mastra_temporal._tracing.carrier import Carrier

__all__ = ["TraceParent", "attempt_span_id", "generated_id", "parsed_traceparent", "trace_id_of"]

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def generated_id(*parts: object, bits: int = 64) -> int:
    """An id that is the same for the same parts, and never zero."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=bits // 8).digest()
    return int.from_bytes(digest, "big") or 1


def attempt_span_id(step_span_id: int, activity_id: str, attempt: int) -> int:
    """The id of the span of one attempt: known to whoever knows of the attempt, also when it died with its worker."""
    return generated_id(f"{step_span_id:016x}", activity_id, attempt)


def trace_id_of(carrier: Carrier) -> str:
    """The trace of a W3C context, or nothing."""
    found = parsed_traceparent(carrier.get("traceparent", ""))
    return found.trace_id if found else ""


class TraceParent(NamedTuple):
    """The parts of a ``traceparent``."""

    trace_id: str
    span_id: str
    sampled: bool


def parsed_traceparent(text: str) -> TraceParent | None:
    """The parts of a ``traceparent``: https://www.w3.org/TR/trace-context/."""
    found = TRACEPARENT.fullmatch(text)
    return TraceParent(found[1], found[2], bool(int(found[3], 16) & 1)) if found else None
