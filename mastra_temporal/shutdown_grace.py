"""`settle_at_exit`: prevents a crash of the process at its exit, caused by the SDK's native threads."""

from __future__ import annotations

import atexit
import time
from functools import cache

__all__ = ["settle_at_exit"]

SETTLING_SECONDS = 0.05
"""How long the process waits at its exit, in seconds."""


@cache
def settle_at_exit() -> None:
    """Make the process wait a moment before the interpreter exits. Call it before native threads are started.

    A native thread that has delivered an answer takes the interpreter's lock once more to free its objects. If it gets
    the lock while the interpreter shuts down, the process aborts although all work is done.
    """
    atexit.register(time.sleep, SETTLING_SECONDS)
