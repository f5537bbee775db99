"""When spans are sent: as soon as they have ended, since what a killed worker has not sent is lost for good."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

__all__ = ["PromptSpanProcessor"]


class PromptSpanProcessor(BatchSpanProcessor):
    """Sends a span when it has ended, in a thread of its own; together with those that ended while it was busy."""

    def __init__(self, exporter: SpanExporter) -> None:
        """Send to an exporter."""
        super().__init__(exporter)
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="mastra-traces")
        self._due = False

    def on_end(self, span: ReadableSpan) -> None:
        """See base class."""
        super().on_end(span)
        if not self._due:
            self._due = True
            with contextlib.suppress(RuntimeError):  # at the interpreter's exit, where the base class sends the rest
                self._sender.submit(self._send)

    def _send(self) -> None:
        self._due = False
        self.force_flush()
