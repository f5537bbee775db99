"""The W3C trace context as data."""

from __future__ import annotations

__all__ = ["Carrier"]

Carrier = dict[str, str]
"""The W3C trace context: ``traceparent``, and where there are any ``tracestate`` and ``baggage``."""
