"""The ``mastra-temporal`` command, which needs the ``cli`` extra."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. This is the entry point of the installed ``mastra-temporal``.

    Args:
        arguments: The arguments of the command line. Default: those of the process.
    """
    if not all(importlib.util.find_spec(package) for package in ("rich", "typer")):
        sys.exit("error: mastra-temporal needs its command line packages: run `pip install 'mastra-temporal[cli]'`.")
    from mastra_temporal.cli.commands import application

    # The prefix gives each option an environment variable, such as MASTRA_WORKER_APP. The shell asks for completions by
    # the program's name, also if it was started as `python -m mastra_temporal.cli`.
    application(arguments, prog_name="mastra-temporal", auto_envvar_prefix="MASTRA")
