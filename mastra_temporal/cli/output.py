"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["as_json", "line", "print_json", "print_table", "styled"]

WIDE = 200
"""The width of tables in characters if the output is not a terminal. Then nothing reads them by eye alone."""
STYLES = {
    "success": "green",
    "bailed": "green",
    "ok": "green",
    "active": "green",
    "running": "cyan",
    "waiting": "cyan",
    "suspended": "yellow",
    "paused": "yellow",
    "unknown": "yellow",
    "failed": "red",
    "fault": "red",
    "tripwire": "red",
    "canceled": "magenta",
}
"""The colours of statuses."""


def as_json(value: Any) -> Any:
    """Return a value as JSON data, with Mastra's names and with null for NaN and infinities."""
    # Two calls: pydantic replaces NaN in plain data only, and the first call makes plain data of models.
    return to_jsonable_python(to_jsonable_python(value, by_alias=True), inf_nan_mode="null")


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON."""
    print(json.dumps(as_json(value), ensure_ascii=False, indent=indent), flush=True)


def line(text: str | Text) -> None:
    """Print a line for a person, without wrapping it."""
    _console().print(text, markup=False, soft_wrap=True)


def styled(status: str) -> Text:
    """Return a status in its colour."""
    return Text(status, STYLES.get(status, ""))


def print_table(titles: Iterable[str], rows: Iterable[Iterable[str | Text]]) -> None:
    """Print a table. The first two columns are never cut, the others are folded."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, title in enumerate(titles):
        table.add_column(title, overflow="fold", no_wrap=number < 2)
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    _console().print(table)


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
