"""The ``mastra-temporal`` command, which needs the ``cli`` extra."""

from __future__ import annotations

import importlib.util
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line. This is the entry point of the installed ``mastra-temporal``."""
    if not all(importlib.util.find_spec(package) for package in ("rich", "typer")):
        sys.exit("error: mastra-temporal needs its command line packages: run `pip install 'mastra-temporal[cli]'`.")
    from mastra_temporal.cli.commands import application

    application()
