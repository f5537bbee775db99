"""``mastra-temporal init``: writes a small project."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from mastra_temporal.cli.running import run
from mastra_temporal.errors import ConfigurationError

__all__ = ["init"]

TEMPLATE = Path(__file__).with_name("template")
"""The files of the project."""


def init(folder: Annotated[Path, typer.Argument(help="The folder to write to. It is made if it is missing.")]) -> None:
    """Write a small project: a workflow, its test, and a worker image with a compose file."""
    raise typer.Exit(run(_write(folder)))


async def _write(folder: Path) -> None:
    names = await asyncio.to_thread(_copy, folder)
    typer.echo(f"Wrote {', '.join(names)} to {folder}")
    typer.echo(f"Next: cd {folder}; pip install -r requirements-dev.txt; mastra-temporal dev --app orders:mastra")


def _copy(folder: Path) -> list[str]:
    """Copy the files of the template, or none of them if one exists already. Return their names.

    Raises:
        ConfigurationError: The folder has one of the files, or cannot be written.
    """
    files = sorted(path for path in TEMPLATE.iterdir() if path.is_file())
    taken = [file.name for file in files if (folder / file.name).exists()]
    if taken:
        raise ConfigurationError(f"`{folder}` has {', '.join(taken)} already: choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            (folder / file.name).write_text(file.read_text())
    except OSError as error:
        raise ConfigurationError(f"`{folder}` cannot be written: {error.strerror or error}.") from error
    return [file.name for file in files]
