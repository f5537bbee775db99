"""`run` and `on_stop_signal`: error reports, exit statuses and stop signals of all commands."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from mastra_temporal.errors import MastraError

__all__ = ["on_stop_signal", "run"]

NOT_IN_TIME = 124
"""The exit status after a timeout, the same as that of ``timeout(1)``."""


def run(command: Coroutine[Any, Any, None]) -> int:
    """Run a command and return its exit status.

    Returns:
        0 after success. 1 after an error, which is printed to standard error. 124 after a timeout. 130 after a Ctrl-C
        before the command has installed its signal handlers.
    """
    try:
        asyncio.run(command)
    except MastraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except asyncio.TimeoutError as error:
        print(error, file=sys.stderr)
        return NOT_IN_TIME
    except KeyboardInterrupt:
        return 130
    return 0


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
