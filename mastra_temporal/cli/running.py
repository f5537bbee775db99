"""What every command does around its work: report mistakes in one sentence, and stop on a signal."""

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
"""The exit status of ``timeout(1)``."""


def run(command: Coroutine[Any, Any, None]) -> int:
    """Run a command to its end.

    Returns:
        The exit status: 0, 1 after a mistake, which is then told on standard error, 124 if what the command waited for
        was not over in time, or 130 after a Ctrl-C that came before the command listened to signals.
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
    """Call ``stop`` at the first SIGINT or SIGTERM. The second one ends the process at once."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop_once() -> None:
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop()

    with contextlib.suppress(NotImplementedError):  # Windows: there Ctrl-C interrupts asyncio.run by itself
        for number in signals:
            loop.add_signal_handler(number, stop_once)
