"""Render the trace of the demo run: ``python -m docs.trace_picture``, from the spans that its three processes export.

Starts a collector, runs ``examples.demo`` (which kills a worker), and draws what arrived into ``docs/trace.svg``.
"""

import os
import subprocess
import sys
from html import escape
from pathlib import Path

from tests.tracing import Span, Spans, collector

PICTURE = Path(__file__).parent / "trace.svg"
COLORS = {
    "workflow_run": "#4f46e5",
    "workflow_step": "#0891b2",
    "workflow_step_attempt": "#10b981",
    "workflow_parallel": "#a855f7",
    "workflow_loop": "#a855f7",
    "workflow_conditional": "#a855f7",
    "workflow_conditional_eval": "#c084fc",
}
NAMES, BARS, ROW, MARGIN = 330, 620, 20, 12


def main() -> None:
    with collector() as collected:
        environment = {**os.environ, **collected.environment()}
        subprocess.run([sys.executable, "-m", "examples.demo"], env=environment, check=True, timeout=120)
        PICTURE.write_text(drawn(collected.spans) + "\n")
    print(f"{PICTURE}: {len(collected.received)} spans")


def drawn(spans: Spans) -> str:
    [root] = spans.roots
    rows = in_order(spans, root, 0)
    height = 2 * MARGIN + ROW * (len(rows) + 1)
    width = 2 * MARGIN + NAMES + BARS + 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="ui-sans-serif, system-ui, sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="{MARGIN + 12}" fill="#6b7280">trace {root.trace_id}</text>',
    ]
    for number, (span, depth) in enumerate(rows, start=1):
        parts += row(span, depth, root, MARGIN + ROW * number)
    return "\n".join([*parts, "</svg>"])


def in_order(spans: Spans, span: Span, depth: int) -> list[tuple[Span, int]]:
    return [(span, depth), *(row for child in spans.children(span) for row in in_order(spans, child, depth + 1))]


def row(span: Span, depth: int, root: Span, top: int) -> list[str]:
    whole = root.end - root.start
    left = MARGIN + NAMES + (span.start - root.start) / whole * BARS
    length = max(2.0, (span.end - span.start) / whole * BARS)
    milliseconds = (span.end - span.start) / 1e6
    color = COLORS.get(str(span.attributes.get("mastra.span.type")), "#9ca3af")
    return [
        f'<text x="{MARGIN + 14 * depth}" y="{top + 14}" fill="#111827">{escape(span.name, quote=False)}</text>',
        f'<rect x="{left:.1f}" y="{top + 4}" width="{length:.1f}" height="{ROW - 8}" rx="2" fill="{color}"/>',
        f'<text x="{left + length + 5:.1f}" y="{top + 14}" fill="#6b7280" font-size="10">{milliseconds:,.0f} ms</text>',
    ]


if __name__ == "__main__":
    main()
