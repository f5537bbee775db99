"""`run` and `on_stop_signal`: error reports, exit statuses and stop signals of all commands."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from temporalio.exceptions import TemporalError

from mastra_temporal.cli.exit_status import ExitStatus, NegativeAnswerError
from mastra_temporal.errors import MastraError

__all__ = ["on_stop_signal", "run"]


def run(command: Coroutine[Any, Any, None], asked: object = "") -> int:
    """Run a command and return its exit status, see `ExitStatus`. Print an error as one line to standard error.

    Args:
        command: The command.
        asked: What was asked: the server, the namespace and the task queue. Its text ends every error.
    """
    try:
        asyncio.run(command)
    except NegativeAnswerError as error:
        return _report(error, ExitStatus.NEGATIVE)
    except asyncio.TimeoutError as error:
        return _report(error, ExitStatus.NOT_IN_TIME)
    except (MastraError, TemporalError) as error:
        return _report(f"error: {error}", ExitStatus.ERROR, asked)
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    return ExitStatus.SUCCESS


def _report(error: object, status: ExitStatus, asked: object = "") -> ExitStatus:
    lines = [line.strip() for line in f"{error} {asked}".splitlines()]
    print(" ".join(line for line in lines if line), file=sys.stderr)
    return status


def on_stop_signal(stop: Callable[[], object]) -> None:
    """Call ``stop`` on the first SIGINT or SIGTERM. The second one ends the process at once."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop_once() -> None:
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop()

    # Windows has no loop.add_signal_handler. There Ctrl-C interrupts asyncio.run without it.
    with contextlib.suppress(NotImplementedError):
        for number in signals:
            loop.add_signal_handler(number, stop_once)
