"""`EventPrinter` and `print_event`: print the events of a run, for a person and for a program."""

from __future__ import annotations

import json
import sys
from typing import Any

from mastra_temporal._client.streams.stream import WorkflowEvent
from mastra_temporal._data.path import is_object
from mastra_temporal._worker.workflow.completion import without_meta
from mastra_temporal.cli.output import as_json, line, print_json

__all__ = ["EventPrinter", "print_event"]


class EventPrinter:
    """Prints events, one a line. Text that steps write is printed as it comes, without line breaks in between."""

    def __init__(self) -> None:
        """Create a printer that has printed nothing."""
        self._in_text = False

    def print(self, event: WorkflowEvent) -> None:
        """Print an event."""
        text = _text(event)
        if text is not None:
            sys.stdout.write(text)
            sys.stdout.flush()
            self._in_text = True
            return
        self.end()
        line(f"{event.offset:>4}  {_words(event)}")

    def end(self) -> None:
        """End a line of text that a step has begun."""
        if self._in_text:
            sys.stdout.write("\n")
        self._in_text = False


def print_event(event: WorkflowEvent) -> None:
    """Print an event as a line of JSON. It has its offset, from which a program can go on."""
    print_json({**as_json(event), "offset": event.offset}, indent=None)


def _text(event: WorkflowEvent) -> str | None:
    """Return the text of a chunk of an agent, or None for all other events."""
    chunk = _chunk(event)
    payload = chunk.get("payload") if is_object(chunk) and chunk.get("type") == "text-delta" else None
    text = payload.get("text") if is_object(payload) else None
    return text if isinstance(text, str) else None


def _chunk(event: WorkflowEvent) -> Any:
    """Return what a step has written, or None for an event of the engine."""
    payload = event.payload
    return payload.get("output") if event.type == "workflow-step-output" and is_object(payload) else None


def _words(event: WorkflowEvent) -> str:
    payload = event.payload if is_object(event.payload) else {}
    what = event.type.removeprefix("workflow-")
    if (chunk := _chunk(event)) is not None:
        return f"{payload.get('stepName', payload.get('id', ''))} wrote {_json(chunk)}"
    if event.data is not None:
        return f"{what} {_json(event.data)}"
    name = str(payload.get("stepName") or payload.get("id") or payload.get("workflowId") or "")
    status = payload.get("workflowStatus") or payload.get("status")
    error = payload.get("error")
    asked = without_meta(payload.get("suspendPayload"))
    parts = (what, name, "" if status in (None, "running") else str(status), _json(asked) if asked else "")
    told = f": {error.get('message')}" if is_object(error) else ""
    return " ".join(part for part in parts if part) + told


def _json(value: Any) -> str:
    return json.dumps(as_json(value), ensure_ascii=False)
