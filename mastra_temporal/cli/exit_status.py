"""`ExitStatus`: the exit statuses of all commands. ``docs/cli.md`` has the same table."""

from __future__ import annotations

from enum import IntEnum

from mastra_temporal.errors import MastraError

__all__ = ["ExitStatus", "NegativeAnswerError"]


class ExitStatus(IntEnum):
    """The exit status of a command."""

    SUCCESS = 0
    """The command did what it was asked. A run that is suspended or paused counts as success."""
    ERROR = 1
    """The command failed. Standard error has one line that begins with ``error:``."""
    USAGE = 2
    """An option or an argument is missing or wrong."""
    NEGATIVE = 3
    """The command worked, and the answer is negative: the run failed or was canceled, `doctor` found a fault, or a
    history does not replay."""
    NOT_IN_TIME = 124
    """The run is not over within ``--timeout``. It continues. The same as that of ``timeout(1)``."""
    INTERRUPTED = 130
    """Ctrl-C ended the command."""


class NegativeAnswerError(MastraError):
    """The command worked, and the answer is negative. See `ExitStatus.NEGATIVE`."""
