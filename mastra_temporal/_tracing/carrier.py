"""The W3C trace context as a dictionary."""

from __future__ import annotations

__all__ = ["Carrier"]

Carrier = dict[str, str]
"""The W3C trace context: ``traceparent`` and, if set, ``tracestate`` and ``baggage``."""
