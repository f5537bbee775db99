"""Deterministic span ids, derived from the run alone. Any worker that creates a span again gets the same id."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from mastra_temporal._tracing.carrier import Carrier

__all__ = ["TraceParent", "attempt_span_id", "generated_id", "parsed_traceparent", "trace_id_of"]

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def generated_id(*parts: object, bits: int = 64) -> int:
    """Return a non-zero id that depends only on the parts."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=bits // 8).digest()
    return int.from_bytes(digest, "big") or 1


def attempt_span_id(step_span_id: int, activity_id: str, attempt: int) -> int:
    """Return the id of the span of one attempt.

    It can be computed without the attempt, so a restart can link to an attempt that died with its worker.
    """
    return generated_id(f"{step_span_id:016x}", activity_id, attempt)


def trace_id_of(carrier: Carrier) -> str:
    """Return the trace id of a W3C context, or an empty text."""
    found = parsed_traceparent(carrier.get("traceparent", ""))
    return found.trace_id if found else ""


class TraceParent(NamedTuple):
    """The parts of a ``traceparent``."""

    trace_id: str
    span_id: str
    sampled: bool


def parsed_traceparent(text: str) -> TraceParent | None:
    """Parse a ``traceparent``: https://www.w3.org/TR/trace-context/. Return None if it is invalid."""
    found = TRACEPARENT.fullmatch(text)
    return TraceParent(found[1], found[2], bool(int(found[3], 16) & 1)) if found else None
