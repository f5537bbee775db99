"""What the tests of traces share: spans as a tree, and a collector that speaks OpenTelemetry's protocol."""

import contextlib
import gzip
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@dataclass(frozen=True)
class Span:
    """A span that was exported, from memory or from the wire."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    start: int
    end: int
    attributes: dict[str, Any]
    links: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


class Spans:
    """The spans of a test."""

    def __init__(self, exported: Iterable[Span]) -> None:
        self.all = sorted(exported, key=lambda span: span.start)
        self.by_id = {span.span_id: span for span in self.all}

    def named(self, name: str) -> Span:
        [found] = [span for span in self.all if span.name == name]
        return found

    @property
    def roots(self) -> list[Span]:
        """The spans whose parent was not exported."""
        return [span for span in self.all if span.parent_id not in self.by_id]

    def children(self, parent: Span) -> list[Span]:
        return [span for span in self.all if span.parent_id == parent.span_id]

    def tree(self, root: Span | None = None) -> list[Any]:
        """Names, each with the trees below it: ``["run", ["step", ["attempt 1"]]]``."""
        if root is None:
            [root] = self.roots
        return [root.name, *(self.tree(child) for child in self.children(root))]

    def lines(self) -> list[str]:
        """The tree, a line per span, indented."""

        def below(span: Span, depth: int) -> list[str]:
            return [
                "  " * depth + span.name,
                *(line for child in self.children(span) for line in below(child, depth + 1)),
            ]

        return [line for root in self.roots for line in below(root, 0)]


class SpanMemory:
    """A tracer provider that keeps what it exports."""

    def __init__(self, sampler: sampling.Sampler | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> Spans:
        return Spans(from_memory(span) for span in self.exporter.get_finished_spans())


def from_memory(span: ReadableSpan) -> Span:
    assert span.context
    assert span.start_time
    assert span.end_time
    return Span(
        name=span.name,
        trace_id=f"{span.context.trace_id:032x}",
        span_id=f"{span.context.span_id:016x}",
        parent_id=f"{span.parent.span_id:016x}" if span.parent else None,
        start=span.start_time,
        end=span.end_time,
        attributes=dict(span.attributes or {}),
        links=tuple(f"{link.context.span_id:016x}" for link in span.links),
        events=tuple(event.name for event in span.events),
    )


@dataclass
class Collector:
    """Receives spans as an OpenTelemetry collector does: protobuf over HTTP."""

    endpoint: str
    received: list[Span] = field(default_factory=list[Span])

    @property
    def spans(self) -> Spans:
        return Spans(self.received)

    def environment(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_SERVICE_NAME": "worker"}


@contextlib.contextmanager
def collector() -> Generator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            found.received.extend(from_wire(ExportTraceServiceRequest.FromString(body)))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def from_wire(request: ExportTraceServiceRequest) -> Generator[Span]:
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield Span(
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex() or None,
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    attributes={item.key: item.value.string_value or item.value.int_value for item in span.attributes},
                    links=tuple(link.span_id.hex() for link in span.links),
                    events=tuple(event.name for event in span.events),
                )
