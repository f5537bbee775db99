"""Spans of a case, in the corpus's format: Mastra's spans out of the attributes of OpenTelemetry's."""

import json
import os
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic.alias_generators import to_camel
from temporalio.client import Client

from mastra_temporal import Mastra, MastraPlugin

ENTITY_AND_TYPE = {"span.type", "entity.type", "entity.id", "tags"}


class StartOrder(SpanProcessor):
    """In which order spans began: those of one workflow task have the same time."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.numbers.setdefault(span.get_span_context().span_id, len(self.numbers))


class SpanLog:
    """The spans of the worker and the client of a case, in this process."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self._started = StartOrder()
        self.provider.add_span_processor(self._started)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._names: dict[int, str] = {}

    def take(self) -> list[dict[str, Any]]:
        """The spans since the last call, in start order."""
        spans = self._exporter.get_finished_spans()
        self._exporter.clear()
        self._names |= {id_of(span): span.name for span in spans}
        started = sorted(spans, key=lambda span: self._started.numbers[id_of(span)])
        return [self._record(span, started) for span in started]

    def _record(self, span: ReadableSpan, spans: list[ReadableSpan]) -> dict[str, Any]:
        attributes = dict(span.attributes or {})
        kind = str(attributes["mastra.span.type"])
        parent = span.parent and next((other for other in spans if id_of(other) == span.parent.span_id), None)
        within_a_step = parent is not None and (parent.attributes or {})["mastra.span.type"] == "workflow_step"
        record: dict[str, Any] = {
            "started": True,
            "ended": span.end_time is not None,
            "name": span.name,
            "type": kind,
            "entityType": attributes.get("mastra.entity.type"),
            "entityId": attributes.get("mastra.entity.id"),
            "parent": self._names.get(span.parent.span_id) if span.parent else None,
            "isRoot": kind == "workflow_run" and not within_a_step,
            "attributes": own_attributes(attributes),
            "metadata": nested(attributes, "mastra.metadata."),
        }
        for name in ("input", "output"):
            if f"mastra.{kind}.{name}" in attributes:
                record[name] = json.loads(str(attributes[f"mastra.{kind}.{name}"]))
        if "mastra.tags" in attributes:
            record["tags"] = json.loads(str(attributes["mastra.tags"]))
        errors = [event.attributes or {} for event in span.events if event.name == "exception"]
        if errors:
            # Mastra wraps the error of a step, whose name is then a general one.
            name = "Error" if kind == "workflow_step" else errors[0]["exception.type"]
            record["error"] = {"message": errors[0]["exception.message"], "name": name}
        return record


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def own_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    names = {name: name.removeprefix("mastra.") for name in attributes if name.startswith("mastra.")}
    own = {
        to_camel(short): attributes[name]
        for name, short in names.items()
        if "." not in short and short not in ENTITY_AND_TYPE
    }
    if "entryMetadata" in own:
        own["entryMetadata"] = json.loads(own["entryMetadata"])
    return {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}


def nested(attributes: dict[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        if not name.startswith(prefix):
            continue
        *parts, last = name.removeprefix(prefix).split(".")
        place = found
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = list(value) if isinstance(value, tuple) else value
    return found


async def connect(mastra: Mastra, spans: SpanLog | None) -> Client:
    """A client for the registry; with a log of spans, one that traces."""
    if spans is None:
        return await mastra.connect()
    plugin = MastraPlugin(mastra, tracing=spans.provider)
    return await mastra.connect(await Client.connect(os.environ["TEMPORAL_ADDRESS"], plugins=[plugin]))
