"""Export spans as soon as they end. A killed worker loses every span that it has not exported."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

__all__ = ["PromptSpanProcessor"]


class PromptSpanProcessor(BatchSpanProcessor):
    """Exports each span when it ends, in its own thread, together with spans that ended while the thread was busy."""

    def __init__(self, exporter: SpanExporter) -> None:
        """Create the processor of an exporter."""
        super().__init__(exporter)
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="mastra-traces")
        self._due = False

    def on_end(self, span: ReadableSpan) -> None:
        """See base class."""
        super().on_end(span)
        if not self._due:
            self._due = True
            with contextlib.suppress(RuntimeError):  # at interpreter exit, when the base class exports the rest
                self._sender.submit(self._send)

    def _send(self) -> None:
        # Reset before the flush: a span that ends during the flush may miss it and must schedule another one.
        self._due = False
        self.force_flush()
