"""A clean end of the process, although the SDK's native threads may still be busy."""

from __future__ import annotations

import atexit
import time
from functools import cache

__all__ = ["settle_at_exit"]

SETTLING_SECONDS = 0.05


@cache
def settle_at_exit() -> None:
    """Give the SDK's native threads a moment before the interpreter exits. Called by what starts them.

    A thread that has just delivered an answer still wants the interpreter's lock to clean up after itself. One that
    gets it while the interpreter exits aborts the process, after all work is done.
    """
    atexit.register(time.sleep, SETTLING_SECONDS)
