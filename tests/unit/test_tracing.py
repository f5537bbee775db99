"""Tracing options, headers and attributes; and that nobody who wants no traces pays for them."""

import asyncio
import contextvars
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio import workflow
from temporalio.converter import PayloadConverter

from mastra_temporal import TracingOptions
from mastra_temporal._tracing import attributes, headers
from mastra_temporal._tracing.setup import set_up_tracing
from mastra_temporal._worker.workflow.spans import OpenedSpan, Place
from tests.tracing import SpanMemory

PAYLOAD = PayloadConverter.default.to_payloads


def test_without_tracing_opentelemetry_is_not_even_imported():
    program = """
import sys
from mastra_temporal import Mastra, MastraPlugin, TracingContext, TracingOptions, create_step, create_workflow
MastraPlugin(Mastra(workflows=[create_workflow(id="a").then(create_step(id="b", execute=lambda x: x)).commit()]))
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("ABC", "abc".rjust(32, "0")), ("f" * 32, "f" * 32), ("f" * 33, None), ("no", None), ("00", None), (12, None)],
)
def test_a_trace_id_is_padded_or_left_out(given: Any, kept: str | None):
    assert TracingOptions(trace_id=given).trace_id == kept
    assert TracingOptions.model_validate({"traceId": given}).trace_id == kept


def test_later_options_win_and_what_held_for_the_whole_trace_still_does():
    first = TracingOptions(metadata={"a": 1}, hide_input=True, tags=["x"], trace_id="1", parent_span_id="2")
    second = TracingOptions(tags=["y"], metadata={"b": 2}).over(first)
    assert second.to_wire() == {"metadata": {"b": 2}, "hideInput": True, "tags": ["y"]}
    assert TracingOptions().over(first).to_wire() == {"metadata": {"a": 1}, "hideInput": True}


class TestHeaders:
    def test_what_is_stamped_is_read(self):
        header = headers.TracingHeader(options={"tags": ["a"]}, earlier_attempts=2)
        stamped = headers.with_headers({"other": PAYLOAD([1])[0]}, header, {"traceparent": "x", "baggage": "k=v"})
        assert headers.read_header(stamped) == header
        assert headers.read_context(stamped) == {"traceparent": "x", "baggage": "k=v"}
        assert "other" in stamped

    def test_what_has_no_content_is_left_out(self):
        assert headers.with_headers({}, headers.TracingHeader(), {}) == {}

    @pytest.mark.parametrize(
        "content", [{"v": 2, "options": {}}, {"options": {}}, "text", 1, None, [], {"v": 1, "open": 7}]
    )
    def test_what_is_foreign_is_ignored(self, content: Any):
        foreign = {"mastra-tracing": PAYLOAD([content])[0], "_tracer-data": PAYLOAD([content])[0]}
        assert headers.read_header(foreign) == headers.TracingHeader()
        assert headers.read_context(foreign) == {}

    def test_unknown_options_are_ignored_and_wrong_ones_too(self):
        known = headers.TracingHeader(options={"tags": ["a"], "newer": 1}).parsed_options()
        assert known == TracingOptions(tags=["a"])
        assert headers.TracingHeader(options={"tags": 7}).parsed_options() is None


class TestAttributes:
    def test_long_values_are_cut(self):
        [text] = attributes.data_attribute("generic", "input", "x" * 100_000).values()
        assert len(text) < 9000
        assert text.endswith("... (100002 characters)")

    def test_metadata_are_flat_and_of_opentelemetrys_types(self):
        metadata = {"a": {"b": {"c": 1}}, "list": ["x", "y"], "mixed": [1, "x"], "none": None, "empty": {}}
        assert attributes.metadata_attributes(metadata) == {
            "mastra.metadata.a.b.c": 1,
            "mastra.metadata.list": ["x", "y"],
            "mastra.metadata.mixed": '[1, "x"]',
            "mastra.metadata.empty": "{}",
        }

    def test_values_are_selected_by_dotted_paths(self):
        values = {"user": {"plan": "pro", "id": 7}, "tenant": "t"}
        assert attributes.selected(values, ["user.plan", "tenant", "user.none", "x.y"]) == {
            "user": {"plan": "pro"},
            "tenant": "t",
        }


def test_a_run_that_is_collected_while_another_one_works_leaves_its_spans_open(monkeypatch: pytest.MonkeyPatch):
    memory = SpanMemory()
    tracing = set_up_tracing(memory.provider)
    assert tracing is not None
    trace: Any = SimpleNamespace(require_tracing=lambda: tracing)
    opened = tracing.start("step", parent=None, trace_id=1, span_id=1, start_time=1, attributes={}, links=())
    monkeypatch.setattr(workflow, "in_workflow", lambda: True)

    async def run() -> None:
        with OpenedSpan(trace, "key", "type", opened, Place(trace_id=1, start_time=1)):
            await asyncio.sleep(0)

    coroutine = run()
    contextvars.copy_context().run(coroutine.send, None)
    coroutine.close()  # what the garbage collector does, in whatever context it happens to run
    assert not memory.spans.all
